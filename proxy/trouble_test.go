package proxy

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestATroubleIsNewsOnceAndAgainWhenItsFaultIsAnother(t *testing.T) {
	var all troubles
	before := time.Now()
	for _, step := range []struct {
		name, fault string
		news        bool
	}{
		{"a", "torn", true},
		{"a", "torn", false},
		{"b", "torn", true},
		{"a", "burnt", true},
		{"a", "burnt", false},
		{"a", "torn", true},
	} {
		if got := all.begin(step.name, errors.New(step.fault)); got != step.news {
			t.Errorf("%s %s: news %t, want %t", step.name, step.fault, got, step.news)
		}
	}
	since, was := all.end("a")
	if !was || since.Before(before) || since.After(time.Now()) {
		t.Errorf("ended: got %v, %t", since, was)
	}
	if _, was := all.end("a"); was {
		t.Error("it ended twice")
	}
	if _, was := all.end("c"); was {
		t.Error("what never began has ended")
	}
	if !all.begin("a", errors.New("torn")) {
		t.Error("after its end it is no news")
	}
}

func TestTroublesAreSortedAndKeepTheirBeginnings(t *testing.T) {
	s := &Server{}
	if got := s.Troubles(); got == nil || len(got) != 0 {
		t.Errorf("none: got %#v, want an empty list", got)
	}
	for _, name := range []string{"c", "a", "b"} {
		s.troubles.begin(name, errors.New("torn"))
	}
	first := s.Troubles()
	s.troubles.begin("b", errors.New("burnt"))
	second := s.Troubles()
	for i, name := range []string{"a", "b", "c"} {
		if second[i].Name != name || !second[i].Since.Equal(first[i].Since) || second[i].Since.IsZero() {
			t.Errorf("%d: got %v after %v, want %s since the same time", i, second[i], first[i], name)
		}
	}
	if first[1].Fault != "torn" || second[1].Fault != "burnt" {
		t.Errorf("got %q and then %q", first[1].Fault, second[1].Fault)
	}
}

func TestTroublesBeginAndEndFromAnywhere(t *testing.T) {
	s := &Server{}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 200 {
				s.troubles.begin(fmt.Sprint(i), fmt.Errorf("fault %d", j))
				s.Troubles()
				s.troubles.begin("shared", errors.New("fault"))
				s.troubles.end("shared")
			}
		})
	}
	group.Wait()
	s.troubles.end("shared")
	if got := s.Troubles(); len(got) != 8 || got[7].Fault != "fault 199" {
		t.Errorf("got %v, want 8 with their last faults", got)
	}
}
