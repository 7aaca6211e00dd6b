package upstream

import (
	"testing"
	"time"
)

func TestAnAlarmNeverComesEarlyNorMuchTooLate(t *testing.T) {
	start := time.Now()
	for _, timeout := range []time.Duration{time.Millisecond, 10 * time.Second, time.Hour} {
		var a Alarm
		moves := 0
		for step := range 1000 {
			now := start.Add(time.Duration(step) * timeout / 100)
			deadline, move := a.Due(now, timeout)
			if move {
				moves++
			}
			if wait := deadline.Sub(now); wait < timeout || wait > timeout+timeout/8 {
				t.Fatalf("timeout %s, step %d: the wait is %s", timeout, step, wait)
			}
		}
		if moves > 100 {
			t.Errorf("timeout %s: moved %d times in 1000 requests", timeout, moves)
		}
	}
}

func TestAnAlarmForALongWaitIsBroughtForward(t *testing.T) {
	var a Alarm
	now := time.Now()
	a.Due(now, time.Minute)
	if deadline, move := a.Due(now, time.Second); !move || deadline.Sub(now) > 2*time.Second {
		t.Errorf("got a deadline %s away, moved %t", deadline.Sub(now), move)
	}
}

func TestAnAlarmReachesAsFarAsItMustAndIsLeftThere(t *testing.T) {
	var a Alarm
	now := time.Now()
	until := now.Add(time.Minute)
	if deadline, move := a.Reach(until, time.Second); !move || deadline.Before(until) {
		t.Errorf("got a deadline %s too soon, moved %t", until.Sub(deadline), move)
	}
	if _, move := a.Reach(until, time.Second); move {
		t.Error("a deadline that is far enough was moved")
	}
}

func TestAForgottenAlarmIsSetAgain(t *testing.T) {
	var a Alarm
	now := time.Now()
	a.Due(now, time.Minute)
	a.Forget()
	if _, move := a.Due(now, time.Minute); !move {
		t.Error("the deadline was left as somebody else had set it")
	}
}
