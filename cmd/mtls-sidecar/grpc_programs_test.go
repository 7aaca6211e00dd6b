package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// gRPC is proved with grpc-go, as a server and as a client: two programs in a
// module of their own, testdata/grpc.

// errNoModules says that grpc-go is not to be had here.
var errNoModules = errors.New("the modules of testdata/grpc are not to be had: run go mod download there")

// grpcPrograms builds the two programs, once, and returns the folder that they are in.
var grpcPrograms = sync.OnceValues(func() (string, error) {
	source := filepath.Join("..", "..", "testdata", "grpc")
	folder := filepath.Join(shop.dir, "grpc")
	for _, line := range []string{"mod download", "build -trimpath -buildvcs=false -o " + folder + "/ ./server ./client"} {
		cmd := exec.Command("go", strings.Fields(line)...)
		cmd.Dir = source
		switch out, err := cmd.CombinedOutput(); {
		case err != nil && line == "mod download":
			return "", fmt.Errorf("%w\n%s", errNoModules, out)
		case err != nil:
			return "", fmt.Errorf("go %s in testdata/grpc: %w\n%s", line, err, out)
		}
	}
	return folder, nil
})

// grpcProgram returns the path of the server or the client.
func grpcProgram(t *testing.T, name string) string {
	t.Helper()
	folder, err := grpcPrograms()
	if errors.Is(err, errNoModules) {
		missing(t, "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, name)
}

// grpcServer is the application, running. It tells of every call.
type grpcServer struct {
	*process
	addr string
}

// grpcCall is one line of what it tells.
type grpcCall struct {
	Listening string

	Event       string              // begin or end
	Method      string              // /package.Service/Method
	Metadata    map[string][]string // begin
	Compression string              // begin
	Code        string              // end: the status
	Context     string              // end: why the call's context had ended before, if it had
}

func startGRPCServer(t *testing.T, args ...string) *grpcServer {
	t.Helper()
	s := &grpcServer{process: start(t, "the gRPC server", exec.Command(grpcProgram(t, "server"), args...))}
	var said grpcCall
	if err := json.Unmarshal([]byte(s.expect(t, `"listening"`)), &said); err != nil {
		t.Fatal(err)
	}
	s.addr = said.Listening
	return s
}

// calls are those of one method so far.
func (s *grpcServer) calls(t *testing.T, event, method string) []grpcCall {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []grpcCall
	for _, l := range s.lines {
		if l.stderr {
			continue
		}
		var call grpcCall
		if err := json.Unmarshal([]byte(l.text), &call); err != nil {
			t.Fatalf("the gRPC server wrote %q: %v", l.text, err)
		}
		if call.Event == event && call.Method == method {
			found = append(found, call)
		}
	}
	return found
}

// endedEarly waits for the server to tell that the context of a call had ended
// before the call did.
func (s *grpcServer) endedEarly(t *testing.T, method string) {
	t.Helper()
	s.expect(t, `"event":"end"`, `"method":"`+method+`"`, `"context":"context `)
}

// grpcOutcome is what the client tells of a case, or of a step of one.
type grpcOutcome struct {
	Case  string
	OK    bool
	Error string
	Step  string

	Code         int // of the call's status
	Message      string
	Verified, DN []string // what the server said it was told
	RealIP       []string
}

// grpcFront is where a client finds the server: itself, or what stands before it.
type grpcFront struct {
	addr string
	*vault
}

// command is the client for a front; as is the certificate's name, or nothing.
// Without a vault there is no TLS.
func (f grpcFront) command(t *testing.T, as string, args ...string) *exec.Cmd {
	t.Helper()
	all := []string{"-addr", "localhost" + f.addr[strings.LastIndexByte(f.addr, ':'):]}
	if f.vault != nil {
		all = append(all, "-ca", f.path("ca.crt"))
	}
	if as != "" {
		all = append(all, "-cert", f.path(as+".crt"), "-key", f.path(as+".key"))
	}
	return exec.Command(grpcProgram(t, "client"), append(all, args...)...)
}

// run has the client go through cases and returns what became of each.
func (f grpcFront) run(t *testing.T, as string, args ...string) map[string]grpcOutcome {
	t.Helper()
	p := start(t, "the gRPC client", f.command(t, as, args...))
	if code := p.wait(t); code != 0 && code != 1 {
		t.Fatalf("the gRPC client's exit code is %d:\n%s", code, p.tail(20))
	}
	all := map[string]grpcOutcome{}
	for _, l := range p.lines {
		if l.stderr {
			t.Errorf("the gRPC client: %s", l.text)
			continue
		}
		said := grpcSaid(t, l.text)
		all[said.Case] = said
	}
	return all
}

func grpcSaid(t *testing.T, text string) grpcOutcome {
	t.Helper()
	var said grpcOutcome
	if err := json.Unmarshal([]byte(text), &said); err != nil {
		t.Fatalf("the gRPC client wrote %q: %v", text, err)
	}
	return said
}

// grpcHeld is a client that keeps a stream open and is talked to.
type grpcHeld struct {
	*process
	in   io.Writer
	read int
}

// hold opens the stream and returns when a message has gone each way.
func (f grpcFront) hold(t *testing.T, as string) *grpcHeld {
	t.Helper()
	cmd := f.command(t, as, "hold")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	h := &grpcHeld{process: start(t, "the gRPC client", cmd), in: in}
	if said := h.next(t); said.Step != "open" {
		t.Fatalf("instead of opening a stream: %+v", said)
	}
	return h
}

// next is what the client tells next.
func (h *grpcHeld) next(t *testing.T) grpcOutcome {
	t.Helper()
	l, read, err := h.find(h.read, func(l line) bool { return !l.stderr })
	if err != nil {
		t.Fatalf("waiting for the gRPC client: %v\n%s", err, h.tail(20))
	}
	h.read = read
	return grpcSaid(t, l.text)
}

// do tells the client a word and returns what comes of it.
func (h *grpcHeld) do(t *testing.T, word string) grpcOutcome {
	t.Helper()
	if _, err := io.WriteString(h.in, word+"\n"); err != nil {
		t.Fatal(err)
	}
	return h.next(t)
}

// done is do for what must succeed.
func (h *grpcHeld) done(t *testing.T, word string) {
	t.Helper()
	if said := h.do(t, word); !said.OK {
		t.Fatalf("%s: %+v", word, said)
	}
}
