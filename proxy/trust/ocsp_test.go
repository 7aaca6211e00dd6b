package trust

import (
	"context"
	"crypto/x509"
	"net/http"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// ocspCtx never ends.
var ocspCtx = context.Background()

// states answers for the client and the intermediate by their serials.
type states map[*x509.Certificate][]byte

// answering starts a responder for both; who is not in states gets an error.
func (w *ocspWorld) answering(s states) *ocspResponder {
	ids := map[string][]byte{}
	for cert, status := range s {
		issuer := w.inter
		if cert == w.inter.Cert {
			issuer = w.root
		}
		f := w.forgeFor(cert, issuer)
		f.singles[0].status = status
		question, err := newOCSPQuestion(ocspLink{cert, issuer.Cert})
		must(w.t, question, err)
		get, _ := question.getURL(mustURL(w.t, "http://x"))
		ids[get.EscapedPath()] = f.der(w.t)
	}
	return startOCSPResponder(w.t, func(r *http.Request) (int, string, []byte) {
		if der := ids[r.URL.EscapedPath()]; der != nil {
			return http.StatusOK, "application/ocsp-response", der
		}
		return http.StatusNotFound, "text/plain", nil
	})
}

func TestTheVerdictIsThatOfTheWorstCertificate(t *testing.T) {
	w := newOCSPWorld(t)
	client, inter := w.client, w.inter.Cert
	revoked := forgedRevoked(w.now)
	tests := []struct {
		name    string
		states  states
		leaf    bool // ask about the leaf only
		allow   bool
		want    string
		culprit *x509.Certificate
	}{
		{"both good", states{client: forgedGood, inter: forgedGood}, false, false, "SUCCESS", nil},
		{"leaf revoked", states{client: revoked, inter: forgedGood}, false, false, "FAILED:certificate revoked", client},
		{"CA revoked", states{client: forgedGood, inter: revoked}, false, false, "FAILED:certificate revoked", inter},
		{"CA revoked, asked about the leaf", states{client: forgedGood, inter: revoked}, true, false, "SUCCESS", nil},
		{"both revoked", states{client: revoked, inter: revoked}, false, false, "FAILED:certificate revoked", client},
		{"leaf unknown", states{client: forgedUnknown, inter: forgedGood}, false, false, "FAILED:certificate status unknown", client},
		{"leaf unknown, failures allowed", states{client: forgedUnknown, inter: forgedGood}, false, true, "FAILED:certificate status unknown", client},
		{"leaf unknown, CA revoked", states{client: forgedUnknown, inter: revoked}, false, false, "FAILED:certificate revoked", inter},
		{"leaf failed, CA good", states{inter: forgedGood}, false, false, "FAILED:certificate status request failed", client},
		{"leaf failed, CA revoked", states{inter: revoked}, false, false, "FAILED:certificate revoked", inter},
		{"leaf failed, CA unknown", states{inter: forgedUnknown}, false, false, "FAILED:certificate status unknown", inter},
		{"both failed", states{}, false, false, "FAILED:certificate status request failed", client},
		{"both failed, allowed", states{}, false, true, "SUCCESS", nil},
		{"leaf failed, allowed, CA revoked", states{inter: revoked}, false, true, "FAILED:certificate revoked", inter},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			responder := w.answering(test.states)
			o, _, _ := w.start(OCSPOptions{WholeChain: !test.leaf, Responder: responder.URL, AllowFailure: test.allow})
			if _, known := o.Peek(w.believe, w.now); known {
				t.Errorf("something is known before anybody was asked")
			}
			got := o.Check(ocspCtx, w.believe, w.now)
			if got.Text() != test.want || got.Culprit != test.culprit {
				t.Errorf("got %q about %v, want %q about %v", got.Text(), subjectOf(got.Culprit), test.want, subjectOf(test.culprit))
			}
			if !got.Holds(w.now) || got.Until.IsZero() || got.Until.After(w.now.Add(11*time.Minute)) {
				t.Errorf("it holds until %v", got.Until.Sub(w.now))
			}
			peeked, known := o.Peek(w.believe, w.now)
			if !known || peeked.Text() != got.Text() || peeked.Culprit != got.Culprit {
				t.Errorf("Peek says %q about %v, known %v", peeked.Text(), subjectOf(peeked.Culprit), known)
			}
		})
	}
}

func subjectOf(c *x509.Certificate) string {
	if c == nil {
		return "nobody"
	}
	return c.Subject.String()
}

func TestUntilIsTheEarliestEnd(t *testing.T) {
	w := newOCSPWorld(t)
	responder := w.responder(func() []byte { return w.forge().der(t) })
	o, _, _ := w.start(OCSPOptions{Responder: responder.URL, MaxAge: time.Minute})
	before := time.Now()
	got := o.Check(ocspCtx, w.believe, w.now)
	if took := time.Since(before); got.Until.Before(w.now.Add(time.Minute)) || got.Until.After(w.now.Add(time.Minute+took)) {
		t.Errorf("it holds for %v, want a minute from the answer's arrival", got.Until.Sub(w.now))
	}
	sooner := w.believe
	sooner.Until = w.now.Add(time.Second)
	if got := o.Check(ocspCtx, sooner, w.now); !got.Until.Equal(sooner.Until) {
		t.Errorf("it holds until %v, want the chain's own end", got.Until)
	}
	ever := w.believe
	ever.Until = time.Time{}
	if got := o.Check(ocspCtx, ever, w.now); got.Until.IsZero() {
		t.Errorf("it holds for ever")
	}
	if n := len(responder.questions()); n != 1 {
		t.Errorf("%d questions were asked, want 1", n)
	}
}

func TestWhoIsNotBelievedIsNotAskedAbout(t *testing.T) {
	w := newOCSPWorld(t)
	responder := w.responder(func() []byte { return w.forge().der(t) })
	o, _, _ := w.start(OCSPOptions{Responder: responder.URL, WholeChain: true})
	for _, v := range []Verdict{{}, {Status: Failed, Reason: Expired, Chain: w.believe.Chain, Culprit: w.client}} {
		if got := o.Check(ocspCtx, v, w.now); got.Status != v.Status || got.Reason != v.Reason || got.Culprit != v.Culprit {
			t.Errorf("%q became %q", v.Text(), got.Text())
		}
		if _, known := o.Peek(v, w.now); !known {
			t.Errorf("%q is not known", v.Text())
		}
	}
	if asked := responder.questions(); len(asked) > 0 {
		t.Errorf("%q was asked", asked)
	}
}

// nginx asks about every certificate but the root, so not about a chain of one.
func TestARootIsNotAskedAbout(t *testing.T) {
	w := newOCSPWorld(t)
	own := w.leaf(nil, pki.Options{})
	v := NewSnapshot(certs(own), strict()).Verify(certs(own), w.now)
	if v.Status != Success {
		t.Fatalf("the root itself is %q", v.Text())
	}
	responder := w.responder(func() []byte { return nil })
	for _, whole := range []bool{false, true} {
		o, _, _ := w.start(OCSPOptions{Responder: responder.URL, WholeChain: whole})
		if got := o.Check(ocspCtx, v, w.now); got.Status != Success || !got.Until.Equal(v.Until) {
			t.Errorf("whole chain %v: got %q until %v", whole, got.Text(), got.Until)
		}
		if got, known := o.Peek(v, w.now); !known || got.Status != Success {
			t.Errorf("whole chain %v: Peek says %q, %v", whole, got.Text(), known)
		}
	}
	if asked := responder.questions(); len(asked) > 0 {
		t.Errorf("%q was asked", asked)
	}
}

func TestACertificateWithoutResponderIsAFailure(t *testing.T) {
	w := newOCSPWorld(t) // whose client names none
	o, _, reports := w.start(OCSPOptions{})
	if got := o.Check(ocspCtx, w.believe, w.now); got.Reason != OCSPFailed || got.Culprit != w.client {
		t.Errorf("got %q", got.Text())
	}
	if r := await(t, reports, "the report"); r.Err == nil || r.URL != "" || r.Certificate != w.client || r.Status != "" {
		t.Errorf("the report is %+v", r)
	}
	allowing, _, _ := w.start(OCSPOptions{AllowFailure: true})
	if got := allowing.Check(ocspCtx, w.believe, w.now); got.Status != Success || got.Until.After(w.now.Add(maxOCSPBackOff)) {
		t.Errorf("allowed: got %q until %v", got.Text(), got.Until)
	}
}

func TestPeekNeitherAsksNorKeepsAnswersFresh(t *testing.T) {
	w := newOCSPWorld(t)
	responder := w.responder(func() []byte { return w.forge().der(t) })
	o, clock, reports := w.start(OCSPOptions{Responder: responder.URL})
	if v, known := o.Peek(w.believe, w.now); known || v.Status != Success {
		t.Errorf("got %q, known %v", v.Text(), known)
	}
	o.Check(ocspCtx, w.believe, w.now)
	await(t, reports, "the answer")
	await(t, clock.set, "the timer")
	clock.ring(t)
	await(t, reports, "the renewal for who has waited")
	await(t, clock.set, "the timer")
	if v, known := o.Peek(w.believe, w.now); !known || v.Status != Success {
		t.Errorf("got %q, known %v", v.Text(), known)
	}
	clock.ring(t)
	o.mu.Lock()
	flying := o.flying
	o.mu.Unlock()
	if asked := responder.questions(); len(asked) != 2 || flying != 0 {
		t.Errorf("asked %q, %d on their way; want two questions", asked, flying)
	}
}

func TestAKnownRevocationIsToldBeforeTheRestIsKnown(t *testing.T) {
	w := newOCSPWorld(t)
	responder := w.answering(states{w.client: forgedRevoked(w.now)})
	leaf, _, _ := w.start(OCSPOptions{Responder: responder.URL})
	leaf.Check(ocspCtx, w.believe, w.now)
	leaf.options.WholeChain = true // nothing else is known of the intermediate
	if got, known := leaf.Peek(w.believe, w.now); !known || got.Reason != OCSPRevoked {
		t.Errorf("Peek says %q, known %v", got.Text(), known)
	}
	if got := leaf.Check(ocspCtx, w.believe, w.now); got.Reason != OCSPRevoked {
		t.Errorf("Check says %q", got.Text())
	}
	if asked := responder.questions(); len(asked) != 1 {
		t.Errorf("asked %q, want one question", asked)
	}
}

func TestTheDefaultsAreThoseOfTheConfiguration(t *testing.T) {
	o := NewOCSP(OCSPOptions{})
	defer o.Close()
	if o.options.Timeout != 3*time.Second || o.options.MaxAge != 10*time.Minute || o.options.MinRSABits != 2048 {
		t.Errorf("got %v, %v, %d bits", o.options.Timeout, o.options.MaxAge, o.options.MinRSABits)
	}
	rung := make(chan struct{}, 1)
	o.after(0, func() { rung <- struct{}{} })
	await(t, rung, "a real timer")
}
