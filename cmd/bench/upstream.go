package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// startUpstream starts the application: nginx, which is quickest, where fixed answers
// are all that is asked of it; else part upstream of this program, which also looks at
// what arrives.
func (w *world) startUpstream(ctx context.Context, core int, fixed bool) (*server, error) {
	where, err := w.newPlace("upstream", "")
	if err != nil {
		return nil, err
	}
	where.Folder = w.folder
	s := &server{name: "the application", listen: where.Listen}
	if path, err := lookUp("nginx"); err == nil && fixed {
		config, err := configure("nginx-upstream.conf", where)
		if err != nil {
			return nil, err
		}
		return launch(ctx, exec.CommandContext(ctx, path, "-e", w.folder+"/upstream.log", "-c", config), core, s)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "upstream", "-listen", where.Listen)
	cmd.Env = append(os.Environ(), "GOGC=400", upstreamVariable+"=1")
	return launch(ctx, cmd, core, s)
}

// upstreamVariable tells a test's binary that it has been started as the application.
const upstreamVariable = "BENCH_UPSTREAM"

func runUpstream(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench upstream", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "host:port")
	if err := flags.Parse(args); err != nil {
		return err
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	app := newApplication()
	for {
		conn, err := l.Accept()
		if err != nil {
			return nil // the listener is closed
		}
		go app.serve(conn)
	}
}

// application answers fixed bytes, and refuses uploads that are not what was sent.
type application struct {
	answers map[string][]byte // by path, head and all
	uploads map[int64][]byte  // by length
}

func newApplication() *application {
	a := &application{answers: map[string][]byte{}, uploads: map[int64][]byte{}}
	for path, body := range map[string][]byte{"/small": []byte(smallAnswer), "/64k": pattern(kibibytes64), "/1m": pattern(mebibyte)} {
		a.answers[path] = okAnswer(string(body))
	}
	for _, size := range []int{kibibytes64, mebibyte} {
		a.uploads[int64(size)] = pattern(size)
	}
	return a
}

func okAnswer(body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// stored is the answer to an upload.
func stored(size int) string { return "stored " + strconv.Itoa(size) + "\n" }

func (a *application) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 64<<10)
	buffer := make([]byte, 64<<10)
	for {
		request, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		var answer []byte
		switch path := request.URL.Path; {
		case path == "/upload":
			answer = a.upload(request, buffer)
		case path == "/echo":
			_ = echoMessages(conn, in, request)
			return
		case path == "/rules":
			answer = okAnswer(rulesSeen(request.Header))
		case a.answers[path] != nil:
			answer = a.answers[path]
		default:
			answer = []byte("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, request.Body); err != nil {
			return
		}
	}
}

// upload compares what arrives with what was sent.
func (a *application) upload(request *http.Request, buffer []byte) []byte {
	want, known := a.uploads[request.ContentLength]
	err := errors.New("of no length that is sent")
	if known {
		err = sameBytes(request.Body, want, buffer)
	}
	if err != nil {
		text := "a wrong upload: " + err.Error()
		return fmt.Appendf(nil, "HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
	}
	return okAnswer(stored(len(want)))
}

// sameBytes reads exactly want, and then the end.
func sameBytes(from io.Reader, want, buffer []byte) error {
	got := 0
	for {
		n, err := from.Read(buffer)
		if n > len(want)-got || !bytes.Equal(buffer[:n], want[got:got+n]) {
			return fmt.Errorf("other bytes after %d", got)
		}
		got += n
		switch {
		case err == io.EOF && got == len(want):
			return nil
		case err == io.EOF:
			return fmt.Errorf("%d bytes, want %d", got, len(want))
		case err != nil:
			return err
		}
	}
}

// rulesSeen writes down what the application was told, a line each.
func rulesSeen(header http.Header) string {
	var b strings.Builder
	for _, name := range rulesHeaders() {
		for _, value := range header.Values(name) {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	return b.String()
}
