package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// answering is an application that says the same to everybody.
func answering(status int, kind, body string) func(context.Context, string, string) (*http.Response, error) {
	return func(context.Context, string, string) (*http.Response, error) {
		header := http.Header{"Set-Cookie": {"a=b"}, "Location": {"http://evil.example/"}, "X-Secret": {"1"}}
		if kind != "" {
			header.Set("Content-Type", kind)
		}
		return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func TestProbesAskForTheListedPathsAndNothingElse(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 100)
	s := start(t, Options{Paths: []string{"/healthz", "/ready/deep"}, Probe: func(_ context.Context, method, path string) (*http.Response, error) {
		asked <- method + " " + path
		return answering(200, "text/plain", "fine")(context.Background(), method, path)
	}})
	for _, path := range []string{"/upstream//healthz", "/upstream/healthz/", "/upstream/Healthz", "/upstream/%68ealthz", "/upstream/ready%2fdeep", "/upstream/ready%2Fdeep",
		"/upstream/ready//deep", "/upstream/./healthz", "/upstream/x/../healthz", "/upstream/../upstream/healthz", "/upstream/healthz;x", "/upstream/", "/upstream/admin",
		"/upstream/healthz%00", "/upstream/healthz%20", `/upstream/\healthz`, "/upstream/healthz?", "/upstream/healthz?x=1", "/upstream/healthz%3Fx"} {
		status, _ := raw(t, s.addr, "GET "+path+" HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n")
		if status != 404 {
			t.Errorf("%s: got %d, want 404", path, status)
		}
	}
	for request, want := range map[string]int{
		"GET http://pod/upstream/healthz HTTP/1.1\r\nHost: pod\r\n":                                   404,
		"GET /upstream/healthz HTTP/1.1\r\nHost: pod\r\nContent-Length: 1\r\n":                        400,
		"GET /upstream/healthz HTTP/1.1\r\nHost: pod\r\nTransfer-Encoding: chunked\r\n":               400,
		"POST /upstream/healthz HTTP/1.1\r\nHost: pod\r\nContent-Length: 0\r\n":                       405,
		"CONNECT /upstream/healthz HTTP/1.1\r\nHost: pod\r\n":                                         405,
		"GET /upstream/healthz HTTP/1.1\r\nHost: pod\r\nBig: " + strings.Repeat("x", 21<<10) + "\r\n": 431,
	} {
		if status, _ := raw(t, s.addr, request+"Connection: close\r\n\r\n"); status != want {
			t.Errorf("%.60q: got %d, want %d", request, status, want)
		}
	}
	if len(asked) != 0 {
		t.Fatalf("the application was asked %q", <-asked)
	}
	s.get(t, "/upstream/healthz").expect(t, 200, "fine")
	s.request(t, "HEAD", "/upstream/ready/deep", "", "Verified", "SUCCESS", "X-Forwarded-For", "1.2.3.4").expect(t, 200, "")
	for _, want := range []string{"GET /healthz", "HEAD /ready/deep"} {
		if got := <-asked; got != want {
			t.Errorf("the application was asked %q, want %q", got, want)
		}
	}
}

func TestProbesPassOnStatusKindAndTheBodysBeginning(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdef", 5000)
	for name, c := range map[string]struct {
		probe        func(context.Context, string, string) (*http.Response, error)
		status       int
		kind, body   string
		wantContains bool
	}{
		"Fine":      {answering(200, "application/json", `{"a":1}`), 200, "application/json", `{"a":1}`, false},
		"Down":      {answering(503, "text/plain", "database"), 503, "text/plain", "database", false},
		"Redirect":  {answering(302, "text/html", "<script>1</script>"), 302, "text/html", "<script>1</script>", false},
		"No kind":   {answering(200, "", "<b>"), 200, "application/octet-stream", "<b>", false},
		"Long":      {answering(200, "text/plain", long), 200, "text/plain", long[:65536], false},
		"Interim":   {answering(101, "text/plain", ""), 502, "text/plain; charset=utf-8", "status code 101", true},
		"Odd":       {answering(777, "text/plain", ""), 502, "text/plain; charset=utf-8", "status code 777", true},
		"Refused":   {failing(errors.New("connection refused")), 502, "text/plain; charset=utf-8", "the application cannot be asked: connection refused\n", true},
		"Late":      {failing(fmt.Errorf("dial: %w", context.DeadlineExceeded)), 504, "text/plain; charset=utf-8", "no answer within 30s", true},
		"Cut short": {cut, 502, "text/plain; charset=utf-8", "reading its answer", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, Options{Paths: []string{"/healthz"}, Probe: c.probe})
			answer := s.get(t, "/upstream/healthz")
			if answer.status != c.status || answer.header.Get("Content-Type") != c.kind {
				t.Errorf("got %d %q, want %d %q", answer.status, answer.header.Get("Content-Type"), c.status, c.kind)
			}
			if c.wantContains && !strings.Contains(answer.body, c.body) || !c.wantContains && answer.body != c.body {
				t.Errorf("got a body of %d bytes that begins %.80q, want %.80q", len(answer.body), answer.body, c.body)
			}
			for _, name := range []string{"Set-Cookie", "Location", "X-Secret"} {
				if answer.header[name] != nil {
					t.Errorf("the application's %s came through", name)
				}
			}
			if !c.wantContains && answer.header.Get("Content-Security-Policy") != "default-src 'none'; sandbox" {
				t.Error("the application's page may act in this port's name")
			}
		})
	}
}

func failing(err error) func(context.Context, string, string) (*http.Response, error) {
	return func(context.Context, string, string) (*http.Response, error) { return nil, err }
}

func cut(context.Context, string, string) (*http.Response, error) {
	body := io.MultiReader(strings.NewReader("half"), &breaking{})
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(body)}, nil
}

type breaking struct{}

func (*breaking) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestAProbeEndsWithItsClientAndHasADeadline(t *testing.T) {
	t.Parallel()
	begun, ended := make(chan bool, 1), make(chan error, 1)
	s := start(t, Options{Paths: []string{"/healthz"}, Probe: func(ctx context.Context, _, _ string) (*http.Response, error) {
		_, bounded := ctx.Deadline()
		begun <- bounded
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return nil, ctx.Err()
	}})
	ctx, leave := context.WithCancel(context.Background())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/upstream/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if answer, err := plain.Do(request); err == nil {
			answer.Body.Close()
		}
	}()
	if !<-begun {
		t.Error("the application is given for ever")
	}
	leave()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the probe ended by %v, want the client's leaving", err)
	}
}

func TestPathsThatCanBeReadInTwoWaysAreNotRelayed(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/healthz", "/health/ready", "/health/", "/-/ready", "/actuator/health:live", "/a.b/..c"} {
		if err := CheckPath(path); err != nil {
			t.Errorf("%q: %v, want it permitted", path, err)
		}
	}
	for _, path := range []string{"", "healthz", "http://x/", "//healthz", "/a//b", "/a/../b", "/..", "/.", "/a/./b", "/a?b", "/a#b", "/a%2fb", "/a;b", `/a\b`, "/a b", "/a\n", "/ä"} {
		if err := CheckPath(path); err == nil {
			t.Errorf("%q is permitted", path)
		}
	}
}
