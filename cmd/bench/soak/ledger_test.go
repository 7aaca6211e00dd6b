package soak

import (
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// newSomeone is a client of the first CA.
func newSomeone() (*person, error) {
	ca, err := pki.NewRoot(pki.Options{})
	if err != nil {
		return nil, err
	}
	return (&people{}).issue(ca, steadyCA, options("someone", nil))
}

// court is a judge before whom somebody stands who is believed, or not.
type court struct {
	*judge
	who  *person
	away bool
}

func newCourt(t *testing.T, believed bool) *court {
	t.Helper()
	who, err := newSomeone()
	if err != nil {
		t.Fatal(err)
	}
	first := state{trusted: [caCount]bool{true, true, true}, revoked: map[*person]bool{}}
	if !believed {
		first.revoked[who] = true
	}
	c := &court{who: who}
	c.judge = newJudge(newLedger(newTruth(first), newFaults(), func(time.Time, time.Time) bool { return c.away }))
	return c
}

// wants compares the kinds of faults so far with those that are due.
func (c *court) wants(t *testing.T, name string, due ...string) {
	t.Helper()
	var got []string
	for _, f := range c.faults.list() {
		got = append(got, f.kind)
	}
	if strings.Join(got, ", ") != strings.Join(due, ", ") {
		t.Errorf("%s: got faults %+v, want %q", name, c.faults.list(), due)
	}
}

func TestEveryLieAboutAClientIsSeen(t *testing.T) {
	success, none, dn := "VERIFIED: SUCCESS", "VERIFIED: NONE", "DN: CN=someone,O=Soak"
	for name, c := range map[string]struct {
		nobody, revoked bool
		lines           []string
		due             []string
	}{
		"the truth":                       {false, false, []string{"GET / HTTP/1.1", success, dn}, nil},
		"the truth of nobody":             {true, false, []string{"GET / HTTP/1.1", none}, nil},
		"SUCCESS of nobody":               {true, false, []string{success, dn}, []string{wrongVerdict, wrongVerdict}},
		"SUCCESS of somebody revoked":     {false, true, []string{success, dn}, []string{wrongVerdict}},
		"NONE of somebody":                {false, false, []string{none}, []string{wrongVerdict}},
		"another's name":                  {false, false, []string{success, "DN: CN=someone else,O=Soak"}, []string{wrongVerdict}},
		"no verdict":                      {false, false, []string{dn}, []string{wrongVerdict}},
		"no name":                         {false, false, []string{success}, []string{wrongVerdict}},
		"a name with NONE":                {true, false, []string{none, dn}, []string{wrongVerdict}},
		"two verdicts":                    {false, false, []string{success, none, dn}, []string{wrongVerdict}},
		"one verdict twice":               {false, false, []string{success, success, dn}, []string{wrongVerdict}},
		"a verdict in another spelling":   {false, false, []string{success, "Verified: SUCCESS", dn}, []string{wrongVerdict}},
		"in the client's spelling alone":  {true, false, []string{"verified: NONE"}, []string{wrongVerdict}},
		"a value with a space too many":   {true, false, []string{"VERIFIED:  NONE"}, []string{wrongVerdict}},
		"two names":                       {false, false, []string{success, dn, "dn: CN=admin"}, []string{wrongVerdict, wrongVerdict}},
		"a forged value under any name":   {true, false, []string{none, "X-Other: " + forged}, []string{wrongVerdict}},
		"an admin under any name":         {true, false, []string{none, "X_SSL_CLIENT_S_DN: CN=admin"}, []string{wrongVerdict}},
		"FAILED, which nobody configured": {false, true, []string{"VERIFIED: FAILED:certificate revoked"}, []string{wrongVerdict}},
	} {
		court := newCourt(t, !c.revoked)
		if c.nobody {
			court.who = &person{name: "nobody"}
		}
		r := court.begin("test", court.who)
		court.arrive(r.id, c.lines)
		court.wants(t, name, c.due...)
	}
}

func TestRequestsThatStrayAreSeen(t *testing.T) {
	lines := []string{"GET / HTTP/1.1", "VERIFIED: SUCCESS", "DN: CN=someone,O=Soak"}
	for name, c := range map[string]struct {
		prepare func(*court, *request)
		times   int
		due     []string
	}{
		"once":                                {nil, 1, nil},
		"twice":                               {nil, 2, []string{strayed}},
		"twice while the application is away": {func(c *court, _ *request) { c.away = true }, 2, nil},
		"an upload twice":                     {func(c *court, r *request) { c.away, r.unsafe = true, true }, 2, []string{strayed}},
		"what must not arrive":                {func(_ *court, r *request) { r.barred = true }, 1, []string{strayed}},
		"what nobody sent":                    {func(_ *court, r *request) { r.id = "smuggled" }, 1, []string{strayed}},
	} {
		c2 := newCourt(t, true)
		r := c2.begin("test", c2.who)
		if c.prepare != nil {
			c.prepare(c2, r)
		}
		for range c.times {
			c2.arrive(r.id, lines)
		}
		c2.wants(t, name, c.due...)
	}
}

func TestABodyBrokenOffMustNotArriveWhole(t *testing.T) {
	c := newCourt(t, true)
	r := c.begin("test", c.who)
	c.wholeArrived(r)
	c.wants(t, "whole")
	r.torn = true
	c.wholeArrived(r)
	c.wants(t, "broken off", changed)
}

func TestRequestsAreForgottenWhenTheyCannotArriveAnyMore(t *testing.T) {
	c := newCourt(t, true)
	over, open := c.begin("test", c.who), c.begin("test", c.who)
	c.end(over)
	c.forget(time.Now().Add(straggle - time.Second))
	if len(c.all) != 2 {
		t.Errorf("%d are left, want both", len(c.all))
	}
	c.forget(time.Now().Add(straggle + time.Second))
	if len(c.all) != 1 || c.all[open.id] == nil {
		t.Errorf("got %v, want the one that is not over", c.all)
	}
}
