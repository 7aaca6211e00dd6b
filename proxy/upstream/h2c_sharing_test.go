package upstream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// sharing is an application that notes which owners have requests on a connection
// at the same time. The owner is the path's first segment.
type sharing struct {
	t     *testing.T
	mu    sync.Mutex
	at    map[string]map[string]int // owner and its requests, by the client's port
	seen  map[string]map[string]bool
	asked int
	leave sync.Map // what ends the exchange from the client's side, by the query
}

func (s *sharing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	owner, what, _ := strings.Cut(r.URL.Path[1:], "/")
	s.mu.Lock()
	if s.at[r.RemoteAddr] == nil {
		s.at[r.RemoteAddr], s.seen[r.RemoteAddr] = map[string]int{}, map[string]bool{}
	}
	s.asked++
	s.at[r.RemoteAddr][owner]++
	s.seen[r.RemoteAddr][owner] = true
	if len(s.at[r.RemoteAddr]) > 1 {
		s.t.Errorf("%s carries requests of %v", r.RemoteAddr, s.at[r.RemoteAddr])
	}
	s.mu.Unlock()
	switch what {
	case "waits":
		leave, _ := s.leave.Load(r.URL.RawQuery)
		leave.(context.CancelFunc)()
		<-r.Context().Done()
	case "refuses":
		w.WriteHeader(http.StatusForbidden)
	case "breaks":
		defer panic(http.ErrAbortHandler)
	default:
		_, _ = io.Copy(w, r.Body)
	}
	s.mu.Lock()
	if s.at[r.RemoteAddr][owner]--; s.at[r.RemoteAddr][owner] == 0 {
		delete(s.at[r.RemoteAddr], owner)
	}
	s.mu.Unlock()
}

func TestTwoOwnersNeverShareAConnection(t *testing.T) {
	app := &sharing{t: t, at: map[string]map[string]int{}, seen: map[string]map[string]bool{}}
	h := newTestH2C(t, startH2CServer(t, app.ServeHTTP))
	var count atomic.Int32
	exchange := func(owner, i int) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		what := []string{"echoes", "echoes", "echoes", "waits", "refuses", "breaks"}[i%6]
		query := fmt.Sprint(count.Add(1))
		app.leave.Store(query, cancel)
		target := fmt.Sprintf("/%d/%s?%s", owner, what, query)
		r := Request{Owner: owner, Head: get(target)}
		if i%2 == 0 {
			r.Head = head("POST", target, "Content-Length: 20000")
			r.Body = strings.NewReader(strings.Repeat("x", 20000))
		}
		a, err := h.Do(ctx, r)
		if err != nil {
			if what == "echoes" {
				t.Errorf("owner %d: %v", owner, err)
			}
			return
		}
		defer a.Close()
		if i%12 != 0 { // else it is cut
			_, _ = io.Copy(io.Discard, a)
		}
	}
	var all sync.WaitGroup
	for lane := range 20 {
		all.Go(func() {
			for i := range 60 {
				exchange((lane+i/4)%10, lane+i) // each owner comes and goes
			}
		})
	}
	all.Wait()
	waitFor(t, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.groups) == 0 && len(h.conns) == h.idle.Len()
	})
	shared := 0
	for _, owners := range app.seen {
		if len(owners) > 1 {
			shared++
		}
	}
	if shared == 0 {
		t.Errorf("of %d connections for %d requests none was handed on: nothing was tried", len(app.seen), app.asked)
	}
}
