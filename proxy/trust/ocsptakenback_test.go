package trust

import (
	"testing"
	"time"
)

// sayingAt is an answer about the client with its own date and that of its making.
func (w *ocspWorld) sayingAt(status []byte, this, produced time.Time) []byte {
	f := w.forge()
	f.singles[0].status, f.singles[0].this, f.singles[0].next = status, this, this.Add(48*time.Hour)
	f.produced = produced
	return f.der(w.t)
}

// pastIt is a moment after which nothing that Check has said still counts.
func pastIt(v Verdict) time.Time { return v.Until.Add(time.Second) }

// A responder that has lost its records knows nobody: that is no word for who was revoked.
func TestUnknownTakesNoRevocationBack(t *testing.T) {
	for _, allow := range []bool{false, true} {
		w := newOCSPWorld(t)
		responder, say := w.sayer()
		o, _, reports := w.start(OCSPOptions{Responder: responder.URL, AllowFailure: allow})
		now := w.now
		check := func(when string, want Reason) {
			t.Helper()
			got := o.Check(ocspCtx, w.believe, now)
			await(t, reports, "the report")
			if got.Reason != want {
				t.Errorf("allow %v: %s it is %q, want %q", allow, when, got.Text(), want)
			}
			if peeked, known := o.Peek(w.believe, now); !known || peeked.Reason != want {
				t.Errorf("allow %v: %s Peek says %q, %v", allow, when, peeked.Text(), known)
			}
			now = pastIt(got)
		}
		revocation := now
		say(w.saying(forgedRevoked(now), now))
		check("at first", OCSPRevoked)
		say(w.saying(forgedUnknown, revocation.Add(time.Minute)))
		check("by a newer unknown", OCSPUnknown)
		say(nil)
		check("then without an answer", OCSPRevoked)
		say(w.saying(forgedUnknown, revocation.Add(2*time.Minute)))
		check("by an unknown again", OCSPUnknown)
		say(w.saying(forgedGood, revocation.Add(-time.Second)))
		check("by a good one from before the revocation", OCSPRevoked)
		say(w.saying(forgedUnknown, revocation.Add(-time.Second)))
		check("by an unknown from before the revocation", OCSPRevoked)
		say(w.saying(forgedGood, revocation.Add(time.Second))) // newer than the revocation is enough
		check("by a good one from after it", 0)
		say(nil)
		want := OCSPFailed
		if allow {
			want = 0
		}
		check("and without an answer after that", want)
	}
}

func TestUnknownStaysWhenNoAnswerIsToBeHad(t *testing.T) {
	for _, allow := range []bool{false, true} {
		w := newOCSPWorld(t)
		responder, say := w.sayer()
		o, _, reports := w.start(OCSPOptions{Responder: responder.URL, AllowFailure: allow})
		say(w.saying(forgedUnknown, w.now))
		now := pastIt(o.Check(ocspCtx, w.believe, w.now))
		await(t, reports, "the answer")
		say(nil)
		for range 2 {
			got := o.Check(ocspCtx, w.believe, now)
			await(t, reports, "the failure")
			if peeked, known := o.Peek(w.believe, now); got.Reason != OCSPUnknown || !known || peeked.Reason != OCSPUnknown {
				t.Errorf("allow %v: without an answer it is %q and Peek says %q, %v", allow, got.Text(), peeked.Text(), known)
			}
			now = pastIt(got)
		}
		say(w.saying(forgedGood, w.now.Add(-time.Hour)))
		if got := o.Check(ocspCtx, w.believe, now); got.Status != Success {
			t.Errorf("allow %v: by a good answer it is %q", allow, got.Text())
		}
	}
}

// Responders that live on revocation lists give all answers the list's thisUpdate.
func TestOfTwoAnswersOfOneDateTheOneMadeLaterIsNewer(t *testing.T) {
	for _, test := range []struct {
		name           string
		this, produced time.Duration // of the good answer, from the revoked one's
		want           Reason
	}{
		{"the same date, made before", 0, -4 * time.Hour, OCSPRevoked},
		{"the same date, made in the same second", 0, 0, OCSPRevoked},
		{"the same date, made after", 0, time.Second, 0},
		{"a later date", time.Second, time.Second, 0},
		{"a later date, made before", time.Second, -time.Hour, 0},
		{"an earlier date, made after", -time.Second, time.Minute, OCSPRevoked},
	} {
		w := newOCSPWorld(t)
		responder, say := w.sayer()
		o, _, _ := w.start(OCSPOptions{Responder: responder.URL})
		this := w.now.Add(-6 * time.Hour)
		say(w.sayingAt(forgedRevoked(this), this, w.now.Add(-time.Hour)))
		now := pastIt(o.Check(ocspCtx, w.believe, w.now))
		say(w.sayingAt(forgedGood, this.Add(test.this), w.now.Add(-time.Hour).Add(test.produced)))
		if got := o.Check(ocspCtx, w.believe, now); got.Reason != test.want {
			t.Errorf("%s: %q, want reason %q", test.name, got.Text(), test.want)
		}
	}
}

func TestAnOldRevocationPlayedAgainLetsNothingOlderTakeItBack(t *testing.T) {
	w := newOCSPWorld(t)
	responder, say := w.sayer()
	o, _, _ := w.start(OCSPOptions{Responder: responder.URL})
	now := w.now
	for i, answer := range []struct {
		status []byte
		age    time.Duration
	}{
		{forgedRevoked(now), 0},
		{forgedRevoked(now), 3 * time.Hour}, // as it was told then: put back on the way
		{forgedGood, 2 * time.Hour},
	} {
		say(w.saying(answer.status, w.now.Add(-answer.age)))
		got := o.Check(ocspCtx, w.believe, now)
		if got.Reason != OCSPRevoked {
			t.Errorf("after answer %d it is %q", i+1, got.Text())
		}
		now = pastIt(got)
	}
}
