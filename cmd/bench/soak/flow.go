package soak

import "time"

// lastSecond is how long after belief is lost an exchange in flight may go on: a second,
// and a quarter until that is noticed, as the sidecar documents.
const lastSecond = 1250 * time.Millisecond

// lateness is how much later than that a busy machine may run a goroutine or deliver a byte.
const lateness = time.Second

// flowed judges bytes of an exchange that is still in flight: they were sent then, and
// have come through now. It reports whether that was right.
func (l *ledger) flowed(r *request, sent time.Time) bool {
	may := l.truth.allows(r.who, sent.Add(-lastSecond-lateness), time.Now())
	if may.success || may.none {
		return true
	}
	l.faults.add(wrongVerdict, r, "bytes of %s still flow, who has not been believed for %s: want %s", r.who.name, lastSecond+lateness, may)
	return false
}
