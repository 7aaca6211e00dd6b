package trust

import "time"

// leastRetry is the shortest time between two tries at a CRL's address, and
// where the back-off begins.
const leastRetry = time.Second

// crlSchedule decides when a CRL's address is asked again.
type crlSchedule struct {
	refresh time.Duration
	ends    []time.Time // nextUpdate of the lists last read from there
	misses  int         // tries in a row without a list that is in date
}

// succeeded notes a try that has shown which lists are there now.
func (s *crlSchedule) succeeded(now time.Time) {
	if s.ended(now) {
		s.misses++ // the CA is late: as good as no answer
	} else {
		s.misses = 0
	}
}

// failed notes a try that has shown nothing.
func (s *crlSchedule) failed() { s.misses++ }

// ended reports whether one of the lists is past its nextUpdate.
func (s *crlSchedule) ended(now time.Time) bool {
	for _, end := range s.ends {
		if !now.Before(end) {
			return true
		}
	}
	return false
}

// next is how long to wait from now: the refresh interval, or after misses a
// back-off that doubles from leastRetry up to that interval, spread by a tenth
// either way so that replicas do not ask in step; in both cases no longer than
// to the next nextUpdate to come, but leastRetry at least. dice is a random
// number in [0, 1).
func (s *crlSchedule) next(now time.Time, dice float64) time.Duration {
	wait := s.refresh
	if wait <= 0 {
		wait = leastRetry
	}
	if s.misses > 0 {
		const doublings = 32 // leastRetry doubled so often is 136 years, and no overflow
		wait = min(leastRetry<<min(s.misses-1, doublings), wait)
		wait = time.Duration(float64(wait) * (0.9 + 0.2*dice))
	}
	for _, end := range s.ends {
		if left := end.Sub(now); left > 0 {
			wait = min(wait, max(left, leastRetry))
		}
	}
	return wait
}
