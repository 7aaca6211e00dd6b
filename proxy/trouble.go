package proxy

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Trouble is something that keeps news from coming into force: files that
// cannot be used, a list that cannot be fetched. It lasts until it is mended.
type Trouble struct {
	Name  string // of the files, or the URL
	Fault string
	Since time.Time
}

// troubles are the standing ones, by name.
type troubles struct {
	mu  sync.Mutex
	all map[string]Trouble
}

// begin notes a trouble, and reports whether it is news.
func (t *troubles) begin(name string, err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	old, standing := t.all[name]
	if standing && old.Fault == err.Error() {
		return false
	}
	if t.all == nil {
		t.all = map[string]Trouble{}
	}
	if !standing {
		old.Since = time.Now()
	}
	t.all[name] = Trouble{name, err.Error(), old.Since}
	return true
}

// end reports whether there was a trouble, and since when.
func (t *troubles) end(name string) (time.Time, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old, standing := t.all[name]
	delete(t.all, name)
	return old.Since, standing
}

// Troubles are those that stand now, sorted by name.
func (s *Server) Troubles() []Trouble {
	s.troubles.mu.Lock()
	defer s.troubles.mu.Unlock()
	list := make([]Trouble, 0, len(s.troubles.all))
	for _, trouble := range s.troubles.all {
		list = append(list, trouble)
	}
	slices.SortFunc(list, func(a, b Trouble) int { return strings.Compare(a.Name, b.Name) })
	return list
}
