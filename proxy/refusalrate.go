package proxy

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// refusalRates keep a crowd that is refused for one reason from filling the log, or
// from drowning those that are refused for another. The reasons are the
// program's own words, so there are only so many.
type refusalRates struct {
	waiting atomic.Int32  // reasons of which something was left out and not told yet
	total   atomic.Uint64 // left out since the start

	mu  sync.Mutex
	all map[string]*refusalRate
}

// refusalRate is a token bucket.
type refusalRate struct {
	tokens  float64
	at      time.Time // when that was so
	leftOut uint64    // since the last line
	last    time.Time // when something was last left out
}

const (
	// refusalBurst is how many lines for one reason may come at once, refusalsPerSecond
	// how many on and on.
	refusalBurst      = 20
	refusalsPerSecond = 1
	// refusalSilence is after how long without another line it is told that some were left out.
	refusalSilence = 10 * time.Second
)

// allow reports whether a refusal may have a line now, and how many before it had none.
func (r *refusalRates) allow(reason string, now time.Time) (leftOut uint64, allowed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[string]*refusalRate{}
	}
	rate := r.all[reason]
	if rate == nil {
		rate = &refusalRate{tokens: refusalBurst, at: now}
		r.all[reason] = rate
	}
	if passed := now.Sub(rate.at); passed > 0 {
		rate.tokens = min(refusalBurst, rate.tokens+passed.Seconds()*refusalsPerSecond)
		rate.at = now
	}
	if rate.tokens < 1 {
		if rate.leftOut == 0 {
			r.waiting.Add(1)
		}
		rate.leftOut++
		rate.last = now
		r.total.Add(1)
		return 0, false
	}
	rate.tokens--
	return r.taken(rate), true
}

// taken ends the count of what was left out.
func (r *refusalRates) taken(rate *refusalRate) uint64 {
	n := rate.leftOut
	if n > 0 {
		rate.leftOut = 0
		r.waiting.Add(-1)
	}
	return n
}

// untold is how many refusals for a reason nobody has been told of.
type untold struct {
	reason string
	count  uint64
}

// silent are those for reasons about which nothing has been left out for a while, so
// that no line may follow to tell of them.
func (r *refusalRates) silent(now time.Time, while time.Duration) []untold {
	if r.waiting.Load() == 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []untold
	for reason, rate := range r.all {
		if rate.leftOut > 0 && now.Sub(rate.last) >= while {
			list = append(list, untold{reason, r.taken(rate)})
		}
	}
	slices.SortFunc(list, func(a, b untold) int { return cmp.Compare(a.reason, b.reason) })
	return list
}

// tellLeftOut tells of refusals that had no line of their own, once there has been
// silence about them for a while.
func (s *Server) tellLeftOut(now time.Time, while time.Duration) {
	level := zap.InfoLevel
	if !s.log.Core().Enabled(level) {
		level = zap.WarnLevel // as those were that could be left out
	}
	for _, one := range s.refusals.rates.silent(now, while) {
		s.log.Log(level, "refusals were left out of the log", reasonField(one.reason), zap.Uint64(keyLeftOut, one.count))
	}
}

// LeftOut is how many refusals have had no line in the log since the start, since
// there were too many for the same reason.
func (s *Server) LeftOut() uint64 { return s.refusals.rates.total.Load() }
