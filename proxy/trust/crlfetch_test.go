package trust

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const fetchHangGuard = 60 * time.Second

// noLeaks fails the test when it leaves a goroutine behind. To be called before
// anything is started, so that it looks after all is closed.
func noLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// crlServer is the URL of an HTTP server that answers as told.
func crlServer(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return server.URL + "/ca.crl"
}

func TestCRLsOfOpenSSLAreFetched(t *testing.T) {
	pemForm, derForm := opensslCRL(t)
	for name, data := range map[string][]byte{"pem": pemForm, "der": derForm} {
		url := crlServer(t, func(w http.ResponseWriter, r *http.Request) {
			if coding := r.Header.Get("Accept-Encoding"); r.Method != http.MethodGet || coding != "identity" {
				t.Errorf("%s with Accept-Encoding %q", r.Method, coding)
			}
			w.Write(data)
		})
		lists, err := (&CRLFetch{URL: url, MaxBytes: roomForCRLs}).Once(t.Context())
		if err != nil || len(lists) != 1 {
			t.Errorf("%s: %d lists, error %v", name, len(lists), err)
			continue
		}
		if err := opensslList(lists[0]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryMisbehaviourOfACRLServerIsTold(t *testing.T) {
	noLeaks(t)
	world := newWorld(t)
	der := mintCRL(t, world.root, 1)
	const max = 64 << 10
	flush := func(w http.ResponseWriter) { w.(http.Flusher).Flush() }
	for _, c := range []struct {
		name, want string
		answer     http.HandlerFunc
	}{
		{"500", "answers with status 500 Internal Server Error; look at the server's log",
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }},
		{"404", "answers with status 404 Not Found; check the address",
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); w.Write(der) }},
		{"403", "check the user and password",
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }},
		{"204", "answers with status 204",
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }},
		{"206", "answers with status 206",
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(206); w.Write(der) }},
		{"unasked 304", "304 Not Modified to a request without a condition",
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }},
		{"redirect", `answers with a redirect to "http://elsewhere.example/new.crl"; name that address`,
			func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://someone:secret@elsewhere.example/new.crl", http.StatusMovedPermanently)
			}},
		{"redirect far away", "answers with a redirect to",
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/"+strings.Repeat("x", 4096))
				w.WriteHeader(302)
			}},
		{"redirect nowhere", "answers with status 302 Found",
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(302) }},
		{"redirect to a control character", "cannot be fetched",
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://a b/")
				w.WriteHeader(302)
			}},
		{"web page", "a web page and not with a CRL",
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "Text/HTML; charset=utf-8")
				fmt.Fprint(w, "<html>Sign in</html>")
			}},
		{"text", "",
			func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }},
		{"nothing", "",
			func(http.ResponseWriter, *http.Request) {}},
		{"certificate", "",
			func(w http.ResponseWriter, _ *http.Request) { w.Write(world.root.Cert.Raw) }},
		{"damaged", "",
			func(w http.ResponseWriter, _ *http.Request) { w.Write(der[:len(der)-1]) }},
		{"gzip", `the Content-Encoding "gzip", which was not asked for`,
			func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Encoding", "gzip"); w.Write(der) }},
		{"large by its length", "has 65537 bytes, more than 65536 (MTLS_CRL_MAX_BYTES)",
			func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", strconv.Itoa(max+1)) }},
		{"endless", "has more than 65536 bytes (MTLS_CRL_MAX_BYTES)",
			func(w http.ResponseWriter, _ *http.Request) {
				for page := make([]byte, 4096); ; {
					if _, err := w.Write(page); err != nil {
						return
					}
				}
			}},
		{"cut short", "the connection was closed before the answer was complete",
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", strconv.Itoa(len(der)))
				w.Write(der[:len(der)/2])
			}},
		{"cut short between chunks", "the connection was closed before the answer was complete",
			func(w http.ResponseWriter, _ *http.Request) {
				w.Write(der)
				flush(w)
				hangUp(w)
			}},
		{"hanging up", "the connection was closed before the answer was complete",
			func(w http.ResponseWriter, _ *http.Request) { hangUp(w) }},
		{"silent", "no complete answer within 100ms",
			func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		{"slow", "no complete answer within 100ms",
			func(w http.ResponseWriter, r *http.Request) {
				w.Write(der[:len(der)/2])
				flush(w)
				<-r.Context().Done()
			}},
		{"slow with a length", "no complete answer within 100ms",
			func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", strconv.Itoa(len(der)))
				w.Write(der[:len(der)/2])
				flush(w)
				<-r.Context().Done()
			}},
		{"huge head", "cannot be fetched",
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
				w.Write(der)
			}},
		{"not HTTP", "cannot be fetched: net/http: HTTP/1.x transport connection broken: malformed HTTP status code",
			func(w http.ResponseWriter, _ *http.Request) {
				hangUp(w, "HTTP/1.1 ", strings.Repeat("y", 4096), "\r\n\r\n")
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &CRLFetch{URL: crlServer(t, c.answer), MaxBytes: max, Timeout: fetchHangGuard}
			if strings.Contains(c.want, "100ms") {
				f.Timeout = 100 * time.Millisecond
			}
			lists, err := f.Once(t.Context())
			fault, ok := err.(*CRLError)
			if !ok || lists != nil || fault.Remedy == "" || fault.Path != f.URL {
				t.Fatalf("%d lists, error %v, want a CRLError about %s", len(lists), err, f.URL)
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%q, want it to have %q", err, c.want)
			}
			if len(err.Error()) > 1024 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

// hangUp closes the connection below an answer, after a last word.
func hangUp(w http.ResponseWriter, text ...string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	for _, s := range text {
		conn.Write([]byte(s))
	}
	conn.Close()
}

func TestACRLServerThatNeverShakesHandsLeavesNothingBehind(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, nobody answers
	must(t, listener, err)
	t.Cleanup(func() { listener.Close() })
	noLeaks(t)
	_, err = (&CRLFetch{URL: "https://" + listener.Addr().String(), Timeout: 50 * time.Millisecond}).Once(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no complete answer within 50ms") {
		t.Errorf("error %v", err)
	}
}

func TestWhatACRLServerMayDoDifferently(t *testing.T) {
	noLeaks(t)
	w := newWorld(t)
	one, two := mintCRL(t, w.root, 1), mintCRL(t, w.inter, 2)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   []int64
	}{
		"wrong type": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Write(one)
		}, []int64{1}},
		"no type": {func(w http.ResponseWriter, _ *http.Request) { w.Header()["Content-Type"] = nil; w.Write(one) }, []int64{1}},
		"identity": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "identity")
			w.Write(one)
		}, []int64{1}},
		"two lists":    {func(w http.ResponseWriter, _ *http.Request) { w.Write(listsPEM(two, one)) }, []int64{2, 1}},
		"chunks":       {func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); w.Write(one) }, []int64{1}},
		"to the close": {func(w http.ResponseWriter, _ *http.Request) { hangUp(w, "HTTP/1.0 200 OK\r\n\r\n", string(one)) }, []int64{1}},
		"just fitting": {func(w http.ResponseWriter, _ *http.Request) { w.Write(listsPEM(one)) }, []int64{1}},
		"unusable tag": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Etag", "\"\xff\""); w.Write(one) }, []int64{1}},
	} {
		most := len(listsPEM(two, one))
		if name == "just fitting" {
			most = len(listsPEM(one))
		}
		lists, err := (&CRLFetch{URL: crlServer(t, c.answer), MaxBytes: int64(most)}).Once(t.Context())
		if err != nil || !slices.Equal(crlNumbers(lists), c.want) {
			t.Errorf("%s: lists %v, error %v, want %v", name, crlNumbers(lists), err, c.want)
		}
	}
}
