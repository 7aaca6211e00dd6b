package upstream

import "time"

// Alarm is a deadline that is moved only when it has to be. Moving one costs
// two looks at the clock and a timer's lock, and a request needs four of them:
// so each is set an eighth later than asked for, and stays while it is still at
// least as far away as asked for. A timeout then comes up to an eighth late,
// never early.
type Alarm struct{ at time.Time }

// Due returns the deadline to set on a socket for a wait of timeout from now,
// and whether it has to be set at all. One that was set for a longer wait is
// brought forward.
func (a *Alarm) Due(now time.Time, timeout time.Duration) (deadline time.Time, move bool) {
	left := a.at.Sub(now)
	if left >= timeout && left <= timeout+timeout/8 {
		return a.at, false
	}
	a.at = now.Add(timeout + timeout/8)
	return a.at, true
}

// Reach returns a deadline no sooner than until, and whether it has to be set:
// for something that must be able to go on until then, but not for ever.
func (a *Alarm) Reach(until time.Time, beyond time.Duration) (deadline time.Time, move bool) {
	if !a.at.Before(until) {
		return a.at, false
	}
	a.at = until.Add(beyond)
	return a.at, true
}

// At is the deadline that was set last.
func (a *Alarm) At() time.Time { return a.at }

// Forget makes the next Due set the deadline: somebody else has moved it.
func (a *Alarm) Forget() { a.at = time.Time{} }
