package soak

import (
	"errors"
	"testing"
	"time"
)

func TestEveryFailureIsSeenThatNothingExcuses(t *testing.T) {
	cut := errors.New("cut")
	for name, c := range map[string]struct {
		revoked, away, arrived bool
		must                   bool
		outcome                outcome
		due                    []string
	}{
		"served":                             {arrived: true, outcome: outcome{code: 200, ours: true}},
		"an answer from nowhere":             {outcome: outcome{code: 200, ours: true}, due: []string{unsound}},
		"changed bytes":                      {arrived: true, outcome: outcome{code: 200, ours: true, wrong: "other bytes"}, due: []string{changed}},
		"changed bytes are never excused":    {arrived: true, away: true, outcome: outcome{code: 200, ours: true, wrong: "other bytes"}, due: []string{changed}},
		"a clean end too early":              {arrived: true, outcome: outcome{code: 200, ours: true, wrong: "short", clean: true}, due: []string{changed}},
		"a clean end by the application":     {arrived: true, away: true, outcome: outcome{code: 200, ours: true, wrong: "short", clean: true}},
		"cut":                                {outcome: outcome{err: cut}, due: []string{failed}},
		"cut while the application was away": {away: true, outcome: outcome{err: cut}},
		"cut since belief was lost":          {revoked: true, outcome: outcome{err: cut}},
		"502":                                {outcome: outcome{code: 502, page: "upstream_down"}, due: []string{failed}},
		"502 while the application was away": {away: true, outcome: outcome{code: 502, page: "upstream_down"}},
		"500 while the application was away": {away: true, outcome: outcome{code: 500}, due: []string{failed}},
		"refused":                            {revoked: true, outcome: outcome{code: 400, page: "revoked"}},
		"refused, and told":                  {revoked: true, outcome: outcome{code: 400, page: "revoked"}, arrived: true, due: []string{wrongVerdict, unsound}},
		"refused for another reason":         {revoked: true, outcome: outcome{code: 400, page: "expired"}, due: []string{failed}},
		"refused without a reason to":        {outcome: outcome{code: 400, page: "revoked"}, due: []string{failed}},
		"refused on the barred path":         {revoked: true, must: true, outcome: outcome{code: 403, page: "revoked"}},
		"403 elsewhere":                      {revoked: true, outcome: outcome{code: 403, page: "revoked"}, due: []string{failed}},
		"a message called bad":               {outcome: outcome{code: 400, page: "bad_request"}, due: []string{failed}},
	} {
		court := newCourt(t, !c.revoked)
		court.away = c.away
		r := court.begin("test", court.who)
		r.must = c.must
		if c.arrived {
			court.arrive(r.id, []string{"VERIFIED: SUCCESS", "DN: " + court.who.dn})
		}
		court.settle(r, c.outcome)
		court.wants(t, name, c.due...)
	}
}

func TestAnExcuseThatComesTooLateIsNone(t *testing.T) {
	c := newCourt(t, true)
	r := c.begin("test", c.who)
	r.begun = r.begun.Add(-time.Minute)
	c.ledger.away = func(from, _ time.Time) bool { return time.Since(from) > noticeable+10*time.Second }
	c.settle(r, outcome{err: errors.New("cut")})
	c.wants(t, "a minute later", failed)
}

func TestBytesThatFlowOnAfterBeliefIsLostAreSeen(t *testing.T) {
	for name, c := range map[string]struct {
		lost time.Duration // ago
		due  []string
	}{
		"just now":       {time.Second, nil},
		"long ago":       {time.Minute, []string{wrongVerdict}},
		"for five times": {5 * lastSecond, []string{wrongVerdict}},
	} {
		court := newCourt(t, true)
		good := court.truth.last()
		bad := good.clone()
		bad.revoked[court.who] = true
		lost := time.Now().Add(-c.lost)
		court.truth.epochs = []epoch{{good, at(0), at(0)}, {bad, lost, lost}}
		court.flowed(court.begin("test", court.who), time.Now())
		court.wants(t, name, c.due...)
		court.wholeArrived(court.begin("test", court.who))
		court.wants(t, name+", an upload", append(c.due, c.due...)...)
	}
}
