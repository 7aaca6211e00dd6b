package soak

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// outcome is what came of a request for its client.
type outcome struct {
	code  int    // of the final answer; 0: there was none
	ours  bool   // it was the application's, to this very request
	page  string // the reason, if it was the sidecar's own
	wrong string // what is wrong with bytes that came
	clean bool   // it was cut and looked whole
	err   error  // there was no whole answer
}

// tally is what came of one kind of client's requests.
type tally struct {
	requests, served, refused, excused, cut, given, uncertain int
}

// judge settles requests by what was true while they lasted.
type judge struct {
	*ledger
	mu      sync.Mutex
	tallies map[string]*tally
	codes   map[int]int // of whole answers
}

func newJudge(l *ledger) *judge {
	return &judge{ledger: l, tallies: map[string]*tally{}, codes: map[int]int{}}
}

func (j *judge) count(r *request, o outcome, add func(*tally)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	t := j.tallies[r.client]
	if t == nil {
		t = &tally{}
		j.tallies[r.client] = t
	}
	t.requests++
	add(t)
	if o.code != 0 && o.err == nil {
		j.codes[o.code]++
	} else {
		t.uncertain++
	}
}

// gaveUp settles a request that its client broke off: what came of it is not known,
// and all that counts is what the application was told.
func (j *judge) gaveUp(r *request) {
	j.end(r)
	j.count(r, outcome{}, func(t *tally) { t.given++ })
}

// noticeable is how soon a client must know that its request has failed since the
// application is away: an excuse that comes later is none.
const noticeable = 5 * time.Second

// settle judges what came of a request, and reports whether it was served.
func (j *judge) settle(r *request, o outcome) bool {
	now := time.Now()
	j.end(r)
	r.mu.Lock()
	sent := r.sent
	r.mu.Unlock()
	from := r.begun
	if late := now.Add(-noticeable); late.After(from) {
		from = late
	}
	away := j.away(from, now)
	may, ever := j.truth.allows(r.who, sent, now), j.truth.allows(r.who, r.begun, now)
	switch {
	case o.wrong != "" && !(away && o.clean):
		j.faults.add(changed, r, "%s", o.wrong)
		j.count(r, o, func(*tally) {})
	case o.wrong != "" || o.err != nil && away:
		j.count(r, o, func(t *tally) { t.excused++ })
	case o.err != nil && ever.refusal():
		j.count(r, o, func(t *tally) { t.cut++ })
	case o.err != nil:
		j.faults.add(failed, r, "of %s, after %s: %v", r.who.name, now.Sub(r.begun).Round(time.Millisecond), o.err)
		j.count(r, o, func(*tally) {})
	case o.ours:
		if r.arrived() == 0 {
			j.faults.add(unsound, r, "an answer, and the application never got the request")
		}
		j.count(r, o, func(t *tally) { t.served++ })
		return true
	default:
		j.settlePage(r, o, settled{may, away})
	}
	return false
}

// settled is what was true of a request.
type settled struct {
	may  allowed
	away bool
}

// settlePage judges an answer of the sidecar's own.
func (j *judge) settlePage(r *request, o outcome, is settled) {
	application := o.code == 502 && (o.page == "upstream_down" || o.page == "upstream_broken" || o.page == "") ||
		o.code == 504 && (o.page == "upstream_timeout" || o.page == "")
	switch {
	case application && is.away:
		j.count(r, o, func(t *tally) { t.excused++ })
		return
	case (o.code == 400 || o.code == 403 && r.must) && is.may.refusal() && (slices.Contains(is.may.reasons, o.page) || o.page == ""):
		if r.arrived() > 0 {
			j.faults.add(unsound, r, "refused (%s), but the application got it", o.page)
		}
	case r.must && r.who.certificate == nil && o.code == 403 && (o.page == "certificate_required" || o.page == ""):
	default:
		j.faults.add(failed, r, "of %s: got %d %s, want an answer of the application%s", r.who.name, o.code, o.page, orRefusal(is.may))
	}
	j.count(r, o, func(t *tally) { t.refused++ })
}

func orRefusal(may allowed) string {
	if !may.refusal() {
		return ""
	}
	return fmt.Sprintf(" or a refusal for one of %s", strings.Join(may.reasons, ", "))
}
