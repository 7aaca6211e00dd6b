package main_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// site is an application that does what the tests of clients need, over HTTP/1.1.
// Every answer says what it was told of the client.
type site struct {
	addr string

	mu      sync.Mutex
	changed chan struct{} // closed and replaced with every change
	said    []string      // what happened, in order
	events  map[string]int
	waiting map[string]int
	before  map[string]func()
	freed   bool
}

func startSite(t *testing.T) *site {
	t.Helper()
	s := &site{changed: make(chan struct{}), events: map[string]int{}, waiting: map[string]int{}, before: map[string]func(){}}
	mux := http.NewServeMux()
	for pattern, handler := range map[string]http.HandlerFunc{
		"/echo": serveEcho, "/bytes": serveBytes, "/early/{status}": serveEarly, "/trailers": serveTrailers,
		"/hints": serveHints, "/status/{status}": serveStatus, "/cookies": serveCookies, "/": serveText,
		"/events": s.serveEvents, "POST /event": s.serveEvent, "/together": s.serveTogether, "/hold": s.serveHold, "/wait": s.serveWait, "/upload": s.serveUpload, "/said": s.serveSaid,
	} {
		mux.HandleFunc(pattern, handler)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		act := s.before[r.URL.Path]
		delete(s.before, r.URL.Path)
		s.mu.Unlock()
		if act != nil {
			act()
		}
		w.Header().Set("X-Saw", strings.Join(r.Header["Verified"], " and ")+" "+strings.Join(r.Header["Dn"], " and "))
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.addr = strings.TrimPrefix(server.URL, "http://")
	return s
}

// saw is X-Saw for a certificate of the vault, or for none.
func saw(name string) string {
	if name == "" {
		return "NONE "
	}
	return "SUCCESS " + dn(name)
}

// once has something happen before the next request for a path is answered.
func (s *site) once(path string, act func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before[path] = act
}

// change makes one under the lock and wakes whoever waits for it.
func (s *site) change(what func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	what()
	close(s.changed)
	s.changed = make(chan struct{})
}

// until waits for a condition, which is looked at under the lock; false is that
// gone was closed first, or that it takes too long.
func (s *site) until(gone <-chan struct{}, holds func() bool) bool {
	guard := time.NewTimer(hang)
	defer guard.Stop()
	for {
		s.mu.Lock()
		done, changed := holds(), s.changed
		s.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-changed:
		case <-gone:
			return false
		case <-guard.C:
			return false
		}
	}
}

func (s *site) tell(what string) { s.change(func() { s.said = append(s.said, what) }) }

// expect waits until the application has told of something.
func (s *site) expect(t *testing.T, what string) {
	t.Helper()
	if !s.until(nil, func() bool { return slices.Contains(s.said, what) }) {
		t.Fatalf("the application did not tell of %q", what)
	}
}

// event sends the next one to whoever listens under this name.
func (s *site) event(name string) { s.change(func() { s.events[name]++ }) }

// free lets every request for /wait be answered, now and later.
func (s *site) free() { s.change(func() { s.freed = true }) }

// pattern is n bytes that tell of any part missing, doubled or moved. The Node
// client works them out as well.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i ^ i>>8*7 ^ i>>16*13)
	}
	return p
}

func serveText(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

func serveEcho(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.Header().Set("X-Method", r.Method)
	w.Header().Set("X-Length", fmt.Sprint(r.ContentLength))
	if !r.URL.Query().Has("chunked") {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	} else {
		w.(http.Flusher).Flush()
	}
	_, _ = w.Write(body)
}

func serveBytes(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.FormValue("n"))
	_, _ = w.Write(pattern(n))
}

// serveEarly answers before it has read anything of the body.
func serveEarly(w http.ResponseWriter, r *http.Request) {
	status, _ := strconv.Atoi(r.PathValue("status"))
	_ = http.NewResponseController(w).EnableFullDuplex() // else net/http reads on first
	http.Error(w, "enough", status)
}

func serveStatus(w http.ResponseWriter, r *http.Request) {
	status, _ := strconv.Atoi(r.PathValue("status"))
	w.Header().Set("ETag", `"7"`)
	w.WriteHeader(status)
}

// serveTrailers returns the trailer that came with the request.
func serveTrailers(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Trailer", "X-Sum, X-Late")
	body, _ := io.ReadAll(r.Body)
	_, _ = w.Write(body)
	w.Header().Set("X-Sum", strings.Join(r.Trailer["X-Sum"], " and "))
	w.Header().Set("X-Late", "at the end")
}

func serveHints(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Link", "</style.css>; rel=preload; as=style")
	w.WriteHeader(http.StatusEarlyHints)
	_, _ = io.WriteString(w, "hinted")
}

// serveCookies tells each Cookie line that came.
func serveCookies(w http.ResponseWriter, r *http.Request) {
	_, _ = fmt.Fprintf(w, "%q", r.Header["Cookie"])
}

// serveEvents sends one event at once and one each time that it is asked for. nginx
// keeps the head of an HTTP/2 answer back until there is a byte of the body.
func (s *site) serveEvents(w http.ResponseWriter, r *http.Request) {
	name := r.FormValue("name")
	w.Header().Set("Content-Type", "text/event-stream")
	for n := 0; n == 0 || s.until(r.Context().Done(), func() bool { return s.events[name] >= n }); n++ {
		_, _ = fmt.Fprintf(w, "data: event %d\n\n", n)
		w.(http.Flusher).Flush()
	}
	s.tell("gone " + name)
}

func (s *site) serveEvent(w http.ResponseWriter, r *http.Request) {
	s.event(r.FormValue("name"))
	w.WriteHeader(http.StatusNoContent)
}

// serveTogether answers when as many requests as are said are there at once.
func (s *site) serveTogether(w http.ResponseWriter, r *http.Request) {
	name := r.FormValue("name")
	n, _ := strconv.Atoi(r.FormValue("n"))
	s.change(func() { s.waiting[name]++ })
	if s.until(r.Context().Done(), func() bool { return s.waiting[name] >= n }) {
		_, _ = fmt.Fprintf(w, "together %s", r.FormValue("i"))
	}
}

// serveHold sends the head, and nothing more until the client gives up.
func (s *site) serveHold(w http.ResponseWriter, r *http.Request) {
	w.(http.Flusher).Flush()
	s.tell("holding " + r.FormValue("name"))
	s.until(r.Context().Done(), func() bool { return false })
	s.tell("gone " + r.FormValue("name"))
}

// serveWait answers when it is told to.
func (s *site) serveWait(w http.ResponseWriter, r *http.Request) {
	s.tell("waiting " + r.FormValue("name"))
	if s.until(r.Context().Done(), func() bool { return s.freed }) {
		_, _ = io.WriteString(w, "waited")
		return
	}
	s.tell("gone " + r.FormValue("name"))
}

// serveUpload tells how an upload ended.
func (s *site) serveUpload(_ http.ResponseWriter, r *http.Request) {
	name := r.FormValue("name")
	if n, _ := io.ReadFull(r.Body, make([]byte, 1)); n == 1 {
		s.tell("uploading " + name)
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		s.tell("cut " + name)
		return
	}
	s.tell("complete " + name)
}

// serveSaid answers when something has been told.
func (s *site) serveSaid(_ http.ResponseWriter, r *http.Request) {
	what := r.FormValue("what")
	s.until(r.Context().Done(), func() bool { return slices.Contains(s.said, what) })
}

// siteAddr is where an application that is no site listens.
func siteAddr(b *backend) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port)) }
