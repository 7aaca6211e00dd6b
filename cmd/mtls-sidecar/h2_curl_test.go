package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// curlTransfer is one of the requests of a run of curl.
type curlTransfer struct {
	status   int
	version  string // "2" for HTTP/2
	connects int    // new connections that it took
	saw      string // what the application was told of the client
}

// curlAll has curl make all requests that args name in one run, and returns what
// became of each, in the order in which they ended, with curl's exit code. Files
// are named relative to the folder of the certificates.
func (f *front) curlAll(t *testing.T, certificate string, args ...string) ([]curlTransfer, int) {
	t.Helper()
	all := []string{"-q", "-sS", "-4", "--noproxy", "*", "--max-time", "60", "--http2", "--cacert", "ca.crt", "-w", "%{stderr}\ntransfer %{http_code} %{http_version} %{num_connects} %header{x-saw}\n"}
	if certificate != "" {
		all = append(all, "--key", certificate+".key", "--cert", certificate+".crt")
	}
	cmd := exec.Command(need(t, "curl"), append(all, args...)...)
	cmd.Dir = f.dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	_, _ = cmd.Output() // the exit code tells
	var transfers []curlTransfer
	for line := range strings.Lines(stderr.String()) {
		told, found := strings.CutPrefix(line, "transfer ")
		if !found {
			continue
		}
		var transfer curlTransfer
		if _, err := fmt.Sscan(told, &transfer.status, &transfer.version, &transfer.connects); err != nil {
			t.Fatalf("curl said %q", stderr.Bytes())
		}
		transfer.saw = strings.TrimRight(strings.SplitN(told, " ", 4)[3], "\n")
		transfers = append(transfers, transfer)
	}
	if cmd.ProcessState.ExitCode() != 0 {
		t.Logf("curl's exit %d:\n%s", cmd.ProcessState.ExitCode(), stderr.Bytes())
	}
	return transfers, cmd.ProcessState.ExitCode()
}

// needCurl is need for a curl that speaks HTTP/2. It should be 7.84 or later, which
// can tell of a header field in -w.
func needCurl(t *testing.T) {
	t.Helper()
	if out := command(t, "", "curl --version"); !strings.Contains(out, "HTTP2") {
		missing(t, "this curl does not speak HTTP/2: %s", out)
	}
}

// oneConnection checks that all went well over HTTP/2, with the client's identity
// told, on one connection.
func oneConnection(t *testing.T, transfers []curlTransfer, exit, n int) {
	t.Helper()
	connects := 0
	for i, got := range transfers {
		connects += got.connects
		if got.status != 200 || got.version != "2" || got.saw != saw("client") {
			t.Errorf("transfer %d: got %+v, want 200 over HTTP/2 and %q", i, got, saw("client"))
		}
	}
	if exit != 0 || connects != 1 || len(transfers) != n {
		t.Errorf("got exit %d, %d connections and %d transfers, want 0, 1 and %d", exit, connects, len(transfers), n)
	}
}

func TestCurlRelaysBodiesOverHTTP2(t *testing.T) {
	needCurl(t)
	eachFront(t, nil, func(t *testing.T, f *front, _ *site) {
		var args []string
		want := map[string]int{}
		for _, n := range bodySizes() {
			size := strconv.Itoa(n)
			write(t, f.path("body-"+size), string(pattern(n)))
			for way, more := range map[string][]string{
				"get":     {f.url("/bytes?n=" + size)},
				"post":    {"--data-binary", "@body-" + size, f.url("/echo")},
				"put":     {"-T", "body-" + size, f.url("/echo")},
				"chunked": {"-X", "PUT", "-T", "body-" + size, "-H", "Content-Length:", f.url("/echo?chunked")},
			} {
				if len(want) > 0 {
					args = append(args, "--next", "-sS", "-4", "--http2", "--cacert", "ca.crt", "--key", "client.key", "--cert", "client.crt",
						"-w", "%{stderr}\ntransfer %{http_code} %{http_version} %{num_connects} %header{x-saw}\n")
				}
				args = append(append(args, more...), "-o", way+"-"+size)
				want[way+"-"+size] = n
			}
		}
		transfers, exit := f.curlAll(t, "client", args...)
		oneConnection(t, transfers, exit, len(want))
		for name, n := range want {
			if got, err := os.ReadFile(f.path(name)); err != nil && n > 0 || !bytes.Equal(got, pattern(n)) {
				t.Errorf("%s: got %d bytes (%v), want the %d", name, len(got), err, n)
			}
		}
	})
}

func TestCurlHasAHundredStreamsAtOnceOnOneConnection(t *testing.T) {
	needCurl(t)
	eachFront(t, nil, func(t *testing.T, f *front, _ *site) {
		transfers, exit := f.curlAll(t, "client", "-Z", "--parallel-max", "100", "-o", "together-#1", f.url("/together?name=curl&n=100&i=[1-100]"))
		oneConnection(t, transfers, exit, 100)
		for i := 1; i <= 100; i++ {
			if got, _ := os.ReadFile(f.path(fmt.Sprintf("together-%d", i))); string(got) != fmt.Sprintf("together %d", i) {
				t.Errorf("stream %d got %q", i, got)
			}
		}
	})
}

func TestCurlGetsEarlyAnswersHintsAndBareHeads(t *testing.T) {
	needCurl(t)
	eachFront(t, nil, func(t *testing.T, f *front, _ *site) {
		// What is sent before the reset that ends the upload must not be lost to it.
		write(t, f.path("large"), string(pattern(8<<20)))
		for _, status := range []int{413, 401} {
			got, exit := f.curlAll(t, "client", "-o", "early", "-T", "large", f.url("/early/"+strconv.Itoa(status)))
			if exit != 0 || len(got) != 1 || got[0].status != status || got[0].version != "2" || got[0].saw != saw("client") {
				t.Errorf("an early %d: got %+v, exit %d", status, got, exit)
				continue
			}
			if body := f.curlBody(t, "early"); strings.TrimSpace(body) != "enough" {
				t.Errorf("an early %d: got %q", status, body)
			}
		}
		for _, test := range []struct {
			args   []string
			status int
		}{{[]string{"-I", "/"}, 200}, {[]string{"/status/204"}, 204}, {[]string{"/status/304"}, 304}} {
			last := len(test.args) - 1
			got, exit := f.curlAll(t, "client", append(test.args[:last:last], "-o", "none", f.url(test.args[last]))...)
			if exit != 0 || len(got) != 1 || got[0].status != test.status || got[0].version != "2" || got[0].saw != saw("client") {
				t.Errorf("%v: got %+v, exit %d, want %d", test.args, got, exit, test.status)
			}
		}
		if f.nginx {
			return // before 1.29 it knows nothing of 103
		}
		_, exit := f.curlAll(t, "client", "-D", "head", "-o", "hinted", f.url("/hints"))
		head, _ := os.ReadFile(f.path("head"))
		first, second, _ := strings.Cut(strings.ReplaceAll(string(head), "\r", ""), "\n\n")
		if exit != 0 || !strings.HasPrefix(first, "HTTP/2 103") || !strings.Contains(first, "link: </style.css>; rel=preload; as=style") || !strings.HasPrefix(second, "HTTP/2 200") {
			t.Errorf("curl's exit %d, heads:\n%s", exit, head)
		}
	})
}

func TestCurlReadsServerSentEventsOverHTTP2AsTheyCome(t *testing.T) {
	needCurl(t)
	eachFront(t, nil, func(t *testing.T, f *front, s *site) {
		cmd := exec.Command(need(t, "curl"), "-q", "-sSN", "-4", "--noproxy", "*", "--http2", "--cacert", "ca.crt",
			"--key", "client.key", "--cert", "client.crt", f.url("/events?name=curl"))
		cmd.Dir = f.dir
		p := start(t, "curl", cmd)
		p.expect(t, "data: event 0")
		for n := 1; n <= 5; n++ {
			s.event("curl")
			p.expect(t, "data: event "+strconv.Itoa(n)) // nothing else can push it through
		}
		p.stop(t)
		s.expect(t, "gone curl") // here the whole connection went
	})
}

// curlBody reads what curl has written.
func (f *front) curlBody(t *testing.T, name string) string {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil {
		t.Error(err)
	}
	return string(body)
}
