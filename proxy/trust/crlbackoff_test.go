package trust

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// about10Percent reports whether got is want or within a tenth of it.
func about10Percent(got, want time.Duration) bool {
	return want-want/10 <= got && got <= want+want/10
}

func TestTheNextTryForACRL(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		name    string
		refresh time.Duration
		misses  int
		ends    []time.Duration // from now
		dice    float64
		want    time.Duration
	}{
		{"all is well", 5 * time.Minute, 0, []time.Duration{time.Hour}, 0.3, 5 * time.Minute},
		{"no list yet", 5 * time.Minute, 0, nil, 0.3, 5 * time.Minute},
		{"a list ends before", 5 * time.Minute, 0, []time.Duration{time.Hour, 3 * time.Minute}, 0.3, 3 * time.Minute},
		{"a list ends in no time", 5 * time.Minute, 0, []time.Duration{time.Millisecond}, 0.3, time.Second},
		{"first failure", 5 * time.Minute, 1, nil, 0.5, time.Second},
		{"first failure, early", 5 * time.Minute, 1, nil, 0, 900 * time.Millisecond},
		{"fourth failure, late", 5 * time.Minute, 4, nil, 1, 8800 * time.Millisecond},
		{"tenth failure", 5 * time.Minute, 10, nil, 0.5, 5 * time.Minute},
		{"very many failures", 5 * time.Minute, 1 << 40, nil, 0.5, 5 * time.Minute},
		{"a failure, and a list ends before", 5 * time.Minute, 10, []time.Duration{-time.Hour, time.Minute}, 0.5, time.Minute},
		{"a list has ended", 5 * time.Minute, 2, []time.Duration{-time.Hour}, 0.5, 2 * time.Second},
		{"a refresh below a second", 200 * time.Millisecond, 5, nil, 0.5, 200 * time.Millisecond},
		{"no refresh", 0, 0, nil, 0.5, time.Second},
	} {
		s := crlSchedule{refresh: c.refresh, misses: c.misses}
		for _, end := range c.ends {
			s.ends = append(s.ends, now.Add(end))
		}
		if got := s.next(now, c.dice); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestTheBackOffDoublesUpToTheRefreshAndASuccessEndsIt(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	s := crlSchedule{refresh: 10 * time.Second}
	sequence := func(n int, step func()) []time.Duration {
		var waits []time.Duration
		for range n {
			step()
			waits = append(waits, s.next(now, 0.5))
		}
		return waits
	}
	seconds := func(n ...int) []time.Duration {
		var all []time.Duration
		for _, s := range n {
			all = append(all, time.Duration(s)*time.Second)
		}
		return all
	}
	if got, want := sequence(6, s.failed), seconds(1, 2, 4, 8, 10, 10); !slices.Equal(got, want) {
		t.Errorf("after failures %v, want %v", got, want)
	}
	succeeded := func() { s.succeeded(now) }
	if got, want := sequence(2, succeeded), seconds(10, 10); !slices.Equal(got, want) {
		t.Errorf("after successes %v, want %v", got, want)
	}
	if got, want := sequence(2, s.failed), seconds(1, 2); !slices.Equal(got, want) {
		t.Errorf("after failures again %v, want %v", got, want)
	}
	s.ends = []time.Time{now.Add(time.Hour), now} // the second of nextUpdate itself is past
	if got, want := sequence(3, succeeded), seconds(4, 8, 10); !slices.Equal(got, want) {
		t.Errorf("while the CA is late %v, want %v", got, want)
	}
	s.ends = []time.Time{now.Add(time.Hour)}
	if got, want := sequence(1, succeeded), seconds(10); !slices.Equal(got, want) {
		t.Errorf("after the new list %v, want %v", got, want)
	}
}

func TestTheNextTryIsNeverAtOnceAndNeverTooLate(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	random := rand.New(rand.NewPCG(4, 2))
	for range 10000 {
		s := crlSchedule{refresh: leastRetry + time.Duration(random.Int64N(int64(time.Hour))), misses: random.IntN(100)}
		for range random.IntN(4) {
			s.ends = append(s.ends, now.Add(time.Duration(random.Int64N(int64(2*time.Hour)))-time.Hour))
		}
		got := s.next(now, random.Float64())
		if got < leastRetry*9/10 || got > s.refresh+s.refresh/10 {
			t.Fatalf("%+v: next try in %v", s, got)
		}
		for _, end := range s.ends {
			if now.Before(end) && now.Add(got).After(end) && got > leastRetry {
				t.Fatalf("%+v: next try in %v, after the end of a list", s, got)
			}
		}
	}
}
