package proxy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
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

// mended tells that a trouble is over. The field has its name, and says what kind of
// thing that names.
func (s *Server) mended(what zap.Field) {
	if since, was := s.troubles.end(what.String); was {
		s.log.Info("mended", what, zap.Duration("after", time.Since(since).Round(time.Second)))
	}
}

// texts are the errors joined in err, one string each.
func texts(err error) []string {
	var all []string
	for _, part := range parts(err) {
		all = append(all, part.Error())
	}
	return all
}

// tellRefused logs lists that were read and did not come into force, once unless
// asked again.
func (s *Server) tellRefused(err error, again bool) {
	const name = "revocation lists refused"
	err = capped(err)
	if err == nil {
		s.mended(zap.String("files", name))
		return
	}
	if s.troubles.begin(name, err) || again {
		s.events.count(CRLRefused)
		s.log.Warn("faults of revocation lists, see which are in force", zap.Strings("faults", texts(err)))
	}
}

// maxTold is how many things of a kind are told at once: who answers for a URL could
// fill the log with them.
const maxTold = 8

// capped keeps the first of many errors and counts the others.
func capped(err error) error {
	all := parts(err)
	if len(all) <= maxTold {
		return err
	}
	return errors.Join(append(all[:maxTold:maxTold], fmt.Errorf("and %d more", len(all)-maxTold))...)
}
