package admin

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
)

// endpoint is what one path does.
type endpoint struct {
	methods []string
	inside  bool // for peers on this machine only
	body    bool // may come with one
	plain   bool // takes no query either
	serve   func(http.ResponseWriter, *http.Request)
}

// reading are the methods of what only tells something.
func reading() []string { return []string{http.MethodGet, http.MethodHead} }

// table gives the endpoints by path, and the paths in words.
func (s *Server) table() (map[string]endpoint, string) {
	o := &s.options
	all := map[string]endpoint{}
	var known []string
	add := func(there bool, path string, e endpoint) {
		if there {
			all[path] = e
			known = append(known, path)
		}
	}
	add(true, "/livez", endpoint{methods: reading(), serve: s.livez})
	add(true, "/startupz", endpoint{methods: reading(), serve: s.startupz})
	add(true, "/readyz", endpoint{methods: reading(), serve: s.readyz})
	add(o.Drained != nil, "/drained", endpoint{methods: reading(), serve: s.drained})
	if o.Metrics != nil {
		add(true, "/metrics", endpoint{methods: reading(), serve: o.Metrics.ServeHTTP})
	}
	if o.Probe != nil {
		for _, path := range o.Paths {
			add(true, "/upstream"+path, endpoint{methods: reading(), plain: true, serve: s.probe})
		}
	}
	add(o.Status != nil, "/", endpoint{methods: reading(), inside: true, serve: s.page})
	add(o.Status != nil, "/status.json", endpoint{methods: reading(), inside: true, serve: s.statusJSON})
	add(o.Level != (zap.AtomicLevel{}), "/log-level", endpoint{methods: append(reading(), http.MethodPut), inside: true, body: true, serve: s.logLevel})
	add(o.Drain != nil, "/drain", endpoint{methods: []string{http.MethodPost}, inside: true, serve: s.drain})
	return all, strings.Join(known, ", ")
}

// serve answers one request.
func (s *Server) serve(out http.ResponseWriter, r *http.Request) {
	w := &response{ResponseWriter: out}
	defer s.rescue(w, r)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	// Not r.URL, which has been decoded: /upstream/%68ealthz is no path of the table.
	path, _, query := strings.Cut(r.RequestURI, "?")
	e, found := s.endpoints[path]
	switch {
	case !found && strings.HasPrefix(path, "/upstream/"):
		say(w, http.StatusNotFound, "relayed are the paths that MTLS_ADMIN_UPSTREAM_PATHS lists, letter by letter; there are "+s.known)
	case !found:
		say(w, http.StatusNotFound, "no such path; there are "+s.known)
	case e.plain && query:
		say(w, http.StatusNotFound, "this path is relayed without a query only; leave out the question mark and what follows it")
	case !slices.Contains(e.methods, r.Method):
		allowed := strings.Join(e.methods, ", ")
		w.Header().Set("Allow", allowed)
		say(w, http.StatusMethodNotAllowed, "this path is for "+allowed)
	case r.ContentLength != 0 && !e.body:
		w.Header().Set("Connection", "close") // nobody will read it
		say(w, http.StatusBadRequest, "this path takes no body; send the request without one")
	default:
		if err := s.outside(r); e.inside && err != nil {
			say(w, http.StatusForbidden, err.Error())
			return
		}
		e.serve(w, r)
	}
}

// say answers in one line of plain text.
func say(w http.ResponseWriter, status int, text string) {
	send(w, status, "text/plain; charset=utf-8", []byte(line(text)+"\n"))
}

// send answers with a whole body.
func send(w http.ResponseWriter, status int, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has gone, if anything
}

// response knows whether an answer has begun.
type response struct {
	http.ResponseWriter
	begun bool
}

func (w *response) WriteHeader(status int) {
	w.begun = w.begun || status >= http.StatusOK
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(p []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// rescue keeps a fault in one answer from ending the program. An answer that has
// begun is cut, so that it does not pass for a whole one.
func (s *Server) rescue(w *response, r *http.Request) {
	fault := recover()
	if fault == nil {
		return
	}
	if err, is := fault.(error); !is || !errors.Is(err, http.ErrAbortHandler) {
		s.options.Log.Error("the admin port failed to answer; please report this", zap.String("url.path", line(r.URL.Path)),
			zap.String("error.message", fmt.Sprint(fault)), zap.ByteString("stack", debug.Stack()))
	}
	if w.begun {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0))
		return
	}
	w.Header().Set("Connection", "close")
	say(w, http.StatusInternalServerError, "this answer failed; the log says why")
}
