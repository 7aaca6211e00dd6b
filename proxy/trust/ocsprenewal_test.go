package trust

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// sayer is a responder whose word can be changed.
func (w *ocspWorld) sayer() (r *ocspResponder, say func(der []byte)) {
	var word atomic.Pointer[[]byte]
	r = startOCSPResponder(w.t, func(*http.Request) (int, string, []byte) {
		der := word.Load()
		if der == nil || *der == nil {
			return http.StatusServiceUnavailable, "text/plain", nil
		}
		return http.StatusOK, "application/ocsp-response", *der
	})
	return r, func(der []byte) { word.Store(&der) }
}

// saying is an answer about the client that begins at some time.
func (w *ocspWorld) saying(status []byte, this time.Time) []byte {
	f := w.forge()
	f.singles[0].status, f.singles[0].this, f.singles[0].next = status, this, this.Add(24*time.Hour)
	f.produced = this
	return f.der(w.t)
}

func TestAnAnswerInUseIsRenewedInTheBackground(t *testing.T) {
	w := newOCSPWorld(t)
	responder, say := w.sayer()
	changes := make(chan struct{}, 8)
	o, clock, reports := w.start(OCSPOptions{Responder: responder.URL, MaxAge: 10 * time.Minute, Changed: func() { changes <- struct{}{} }})

	say(w.saying(forgedGood, w.now))
	o.Check(ocspCtx, w.believe, w.now)
	await(t, reports, "the first answer")
	if d := await(t, clock.set, "the timer"); d > 450*time.Second || d < 440*time.Second {
		t.Errorf("it is to be renewed after %v, want 7m30s", d)
	}
	clock.ring(t) // somebody has waited for it, and uses it
	await(t, reports, "its renewal")
	await(t, clock.set, "the timer")
	later := w.now.Add(8 * time.Minute)
	o.mu.Lock()
	o.told = later.Add(-time.Second) // the clock has gone on
	o.mu.Unlock()
	clock.ring(t) // not used since the answer came
	if n := len(responder.questions()); n != 2 {
		t.Fatalf("%d questions after the timer of an answer not in use, want 2", n)
	}
	// Late, but before the end: nobody waits, and it is renewed.
	say(w.saying(forgedRevoked(later), later))
	if got := o.Check(ocspCtx, w.believe, later); got.Status != Success {
		t.Errorf("while it is renewed: %q", got.Text())
	}
	if r := await(t, reports, "the renewed answer"); r.Status != "revoked" || r.Err != nil || !r.ThisUpdate.Equal(later) || r.URL != responder.URL {
		t.Errorf("the report is %+v", r)
	}
	await(t, changes, "the word that it changed")
	if got, known := o.Peek(w.believe, later); !known || got.Reason != OCSPRevoked {
		t.Errorf("after the change: %q, known %v", got.Text(), known)
	}

	// In use: the timer renews it. Back to good is a change, too.
	await(t, clock.set, "the timer")
	o.Check(ocspCtx, w.believe, later)
	say(w.saying(forgedGood, later.Add(time.Second)))
	clock.ring(t)
	await(t, reports, "the next answer")
	await(t, changes, "the word that it changed back")
	await(t, clock.set, "the timer")
	o.Check(ocspCtx, w.believe, later)
	clock.ring(t)
	await(t, reports, "the last answer")
	await(t, clock.set, "the timer after the last answer")
	select {
	case <-changes:
		t.Errorf("the same state again is told as a change")
	default:
	}
}

func TestAnAnswerOutlivesFailuresUntilItsEnd(t *testing.T) {
	w := newOCSPWorld(t)
	responder, say := w.sayer()
	var changes atomic.Int32
	o, clock, reports := w.start(OCSPOptions{Responder: responder.URL, MaxAge: 10 * time.Minute, Changed: func() { changes.Add(1) }})
	say(w.saying(forgedGood, w.now))
	o.Check(ocspCtx, w.believe, w.now)
	await(t, reports, "the answer")
	await(t, clock.set, "the timer")
	o.Check(ocspCtx, w.believe, w.now)
	say(nil)
	clock.ring(t)
	if r := await(t, reports, "the failure"); r.Err == nil || r.Status != "" {
		t.Errorf("the report is %+v", r)
	}
	for _, want := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute} {
		if got := await(t, clock.set, "the next try"); got != want {
			t.Errorf("the next try is after %v, want %v", got, want)
		}
		if got, known := o.Peek(w.believe, w.now); !known || got.Status != Success {
			t.Errorf("after a failed renewal it is %q, known %v", got.Text(), known)
		}
		clock.ring(t)
		await(t, reports, "the next failure")
	}
	await(t, clock.set, "the next try")
	say(w.saying(forgedGood, w.now))
	clock.ring(t)
	if r := await(t, reports, "the answer"); r.Err != nil {
		t.Errorf("got %v", r.Err)
	}
	await(t, clock.set, "the timer")
	say(nil)
	late, asked := w.now.Add(8*time.Minute), len(responder.questions())
	o.Check(ocspCtx, w.believe, late)
	await(t, reports, "the failure of a late renewal")
	await(t, clock.set, "the next try")
	if got := o.Check(ocspCtx, w.believe, late); got.Status != Success {
		t.Errorf("after a failed late renewal it is %q", got.Text())
	}
	o.mu.Lock()
	flying := o.flying
	o.mu.Unlock()
	if n := len(responder.questions()) - asked; flying != 0 || n != 2 { // GET and POST
		t.Errorf("%d requests and %d questions on their way, want 2 and none: there is a pause", n, flying)
	}
	if n := changes.Load(); n != 0 {
		t.Errorf("%d changes were told, want none", n)
	}
	end := w.now.Add(11 * time.Minute)
	if got := o.Check(ocspCtx, w.believe, end); got.Reason != OCSPFailed || !got.Until.After(end) || got.Until.After(end.Add(10*time.Second+ocspHang)) {
		t.Errorf("after its end it is %q until %v", got.Text(), got.Until.Sub(end))
	}
}

func TestAFailureIsRememberedForAWhileAndNeverAsGood(t *testing.T) {
	for _, allow := range []bool{false, true} {
		w := newOCSPWorld(t)
		responder, say := w.sayer()
		changed := make(chan struct{}, 1)
		o, _, _ := w.start(OCSPOptions{Responder: responder.URL, AllowFailure: allow, Changed: func() { changed <- struct{}{} }})
		want := "FAILED:certificate status request failed"
		if allow {
			want = "SUCCESS"
		}
		now := w.now
		for i, pause := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second} {
			first := o.Check(ocspCtx, w.believe, now)
			if took := first.Until.Sub(now); first.Text() != want || took < pause || took > pause+ocspHang {
				t.Errorf("allow %v, try %d: %q for %v, want %q for %v", allow, i, first.Text(), took, want, pause)
			}
			if _, known := o.Peek(w.believe, now.Add(-10*time.Minute)); known {
				t.Errorf("allow %v: a failure counts that comes from the future", allow)
			}
			asked := len(responder.questions())
			if again := o.Check(ocspCtx, w.believe, first.Until.Add(-1)); again.Text() != want || !again.Until.Equal(first.Until) {
				t.Errorf("allow %v: within the pause %q", allow, again.Text())
			}
			if n := len(responder.questions()); n != asked {
				t.Errorf("allow %v: asked again within the pause", allow)
			}
			now = first.Until
		}
		if _, known := o.Peek(w.believe, now); known {
			t.Errorf("allow %v: after the pause the failure still counts", allow)
		}
		say(w.saying(forgedRevoked(now), now))
		if got := o.Check(ocspCtx, w.believe, now); got.Reason != OCSPRevoked {
			t.Errorf("allow %v: then it is %q", allow, got.Text())
		}
		await(t, changed, "the word that it changed")
	}
}

func TestUnknownDoesNotLast(t *testing.T) {
	w := newOCSPWorld(t)
	responder, say := w.sayer()
	o, clock, _ := w.start(OCSPOptions{Responder: responder.URL})
	say(w.saying(forgedUnknown, w.now))
	got := o.Check(ocspCtx, w.believe, w.now)
	if got.Reason != OCSPUnknown || got.Until.After(w.now.Add(30*time.Second+ocspHang)) {
		t.Errorf("got %q until %v", got.Text(), got.Until)
	}
	if len(clock.set) > 0 {
		t.Errorf("it is renewed in the background")
	}
	later := got.Until
	say(w.saying(forgedGood, w.now.Add(-time.Hour))) // signed ahead of time, as many CAs do
	if got := o.Check(ocspCtx, w.believe, later); got.Status != Success {
		t.Errorf("then it is %q", got.Text())
	}
}

// With failures allowed whoever keeps the responder from answering must not be
// let in again.
func TestOnlyANewerAnswerTakesARevocationBack(t *testing.T) {
	for _, allow := range []bool{false, true} {
		w := newOCSPWorld(t)
		responder, say := w.sayer()
		changes := make(chan struct{}, 8)
		o, _, reports := w.start(OCSPOptions{Responder: responder.URL, AllowFailure: allow, Changed: func() { changes <- struct{}{} }})
		revoked := func(when string, now time.Time) time.Time {
			t.Helper()
			got := o.Check(ocspCtx, w.believe, now)
			if got.Reason != OCSPRevoked || !got.Holds(now) {
				t.Errorf("allow %v: %s it is %q for %v", allow, when, got.Text(), got.Until.Sub(now))
			}
			return got.Until
		}
		say(w.saying(forgedRevoked(w.now), w.now))
		now := revoked("at first", w.now)
		await(t, reports, "the revocation")
		gone, cancel := context.WithCancel(ocspCtx)
		cancel()
		o.mu.Lock()
		o.waiting += maxOCSPWaiting
		o.mu.Unlock()
		revoked("when nobody else may wait", now)
		o.mu.Lock()
		o.waiting -= maxOCSPWaiting
		o.mu.Unlock()
		say(nil)
		if got := o.Check(gone, w.believe, now); got.Reason != OCSPRevoked {
			t.Errorf("allow %v: for who does not wait it is %q", allow, got.Text())
		}
		await(t, reports, "the failure")
		now = now.Add(time.Minute)
		until := revoked("without an answer", now)
		if peeked, known := o.Peek(w.believe, now); !known || peeked.Reason != OCSPRevoked || until.After(now.Add(maxOCSPBackOff+ocspHang)) {
			t.Errorf("allow %v: without an answer Peek says %q, %v, until %v", allow, peeked.Text(), known, until.Sub(now))
		}
		now = until
		await(t, reports, "the failure")
		say(w.saying(forgedGood, w.now.Add(-time.Second)))
		now = revoked("by an answer from before the revocation", now)
		if r := await(t, reports, "the failure"); r.Err == nil || !strings.Contains(r.Err.Error(), "older") {
			t.Errorf("allow %v: got %v", allow, r.Err)
		}
		select {
		case <-changes:
			t.Errorf("allow %v: a failure is told as a change", allow)
		default:
		}
		say(w.saying(forgedGood, w.now.Add(time.Second)))
		if got := o.Check(ocspCtx, w.believe, now); got.Status != Success {
			t.Errorf("allow %v: by a newer one it is %q", allow, got.Text())
		}
		await(t, changes, "the word that it changed")
	}
}

func TestAClockThatWasSetBackAsksAgain(t *testing.T) {
	w := newOCSPWorld(t)
	responder, say := w.sayer()
	o, _, _ := w.start(OCSPOptions{Responder: responder.URL})
	say(w.saying(forgedGood, w.now.Add(-time.Hour)))
	o.Check(ocspCtx, w.believe, w.now)
	if _, known := o.Peek(w.believe, w.now.Add(-10*time.Minute)); known {
		t.Errorf("an answer counts that comes from the future")
	}
	say(nil)
	earlier := w.now.Add(-10 * time.Minute)
	if got := o.Check(ocspCtx, w.believe, earlier); got.Reason != OCSPFailed {
		t.Errorf("got %q", got.Text())
	}
}
