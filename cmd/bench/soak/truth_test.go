package soak

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// at is a time of the tests' day, in seconds.
func at(seconds float64) time.Time {
	return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

// aDay is one on which somebody is revoked: written at 10, in force at 11, taken back
// at 20, which nobody has confirmed.
func aDay(who *person) *truth {
	good := state{trusted: [caCount]bool{true, true, true}, revoked: map[*person]bool{}}
	bad := good.clone()
	bad.revoked[who] = true
	return &truth{epochs: []epoch{{good, at(0), at(0)}, {bad, at(10), at(11)}, {good, at(20), time.Time{}}}}
}

func TestOnlyWhatMayHaveBeenInForceIsAllowed(t *testing.T) {
	who, err := newSomeone()
	if err != nil {
		t.Fatal(err)
	}
	day := aDay(who)
	for name, c := range map[string]struct {
		from, to         float64
		success, refusal bool
	}{
		"long before":             {1, 9, true, false},
		"while it is written":     {9, 10.5, true, true},
		"begun before, in force":  {10.5, 12, true, true},
		"right when in force":     {11, 11, false, true},
		"after it was in force":   {11.1, 19, false, true},
		"while it is taken back":  {19, 20.5, true, true},
		"not yet known to be so":  {100, 101, true, true},
		"over the whole of it":    {1, 30, true, true},
		"a moment before writing": {9.9, 9.99, true, false},
	} {
		got := day.allows(who, at(c.from), at(c.to))
		if got.success != c.success || got.refusal() != c.refusal || got.none {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if got := day.allows(&person{}, at(0), at(30)); !got.none || got.success || got.refusal() {
		t.Errorf("nobody: got %q", got)
	}
}

func TestACertificateEndsWithItsNotAfter(t *testing.T) {
	who, err := newSomeone()
	if err != nil {
		t.Fatal(err)
	}
	who.until = at(5)
	for name, c := range map[string]struct {
		from, to         float64
		success, refusal bool
	}{
		"before":       {1, 4.9, true, false},
		"over the end": {4.9, 5.1, true, true},
		"at the end":   {5, 5, false, true},
		"after":        {6, 7, false, true},
	} {
		got := aDay(who).allows(who, at(c.from), at(c.to))
		if got.success != c.success || slices.Contains(got.reasons, "expired") != c.refusal {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestWhoIsOfARemovedCAIsUnknown(t *testing.T) {
	who, err := newSomeone()
	if err != nil {
		t.Fatal(err)
	}
	who.ca = comingCA
	s := state{trusted: [caCount]bool{true, false, true}}
	if got := strings.Join(who.doubts(&s), " "); !strings.Contains(got, "unknown_ca") || strings.Contains(got, "revoked") {
		t.Errorf("got %q", got)
	}
}

func TestOldEpochsAreForgottenAndTheOneInForceIsNot(t *testing.T) {
	d := newTruth(state{revoked: map[*person]bool{}})
	for range 5 {
		d.begin(func(s *state) { s.server++ })
		d.confirm()
	}
	for i := range d.epochs {
		d.epochs[i].begun, d.epochs[i].inForce = d.epochs[i].begun.Add(-time.Hour), d.epochs[i].inForce.Add(-time.Hour)
	}
	d.begin(func(s *state) { s.server++ })
	var servers []int
	for _, s := range d.between(time.Now(), time.Now()) {
		servers = append(servers, s.server)
	}
	if len(d.epochs) != 2 || !slices.Equal(servers, []int{5, 6}) {
		t.Errorf("got %d epochs and servers %d, want those that may be in force, 5 and 6", len(d.epochs), servers)
	}
}
