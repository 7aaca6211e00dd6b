package trust

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"mtls-sidecar/proxy/pki"
)

func TestNobodyWaitsForLongerThanHisContext(t *testing.T) {
	w := newOCSPWorld(t)
	release, asked := make(chan struct{}), make(chan struct{}, 1)
	responder := w.responder(func() []byte {
		asked <- struct{}{}
		<-release
		return w.forge().der(t)
	})
	o, _, reports := w.start(OCSPOptions{Responder: responder.URL})
	ctx, cancel := context.WithCancel(ocspCtx)
	verdicts := make(chan Verdict, 1)
	go func() { verdicts <- o.Check(ctx, w.believe, w.now) }()
	await(t, asked, "the question")
	cancel()
	if got := await(t, verdicts, "the verdict"); got.Reason != OCSPFailed || !got.Until.Equal(w.now.Add(minOCSPBackOff)) {
		t.Errorf("who went away got %q until %v", got.Text(), got.Until)
	}
	if _, known := o.Peek(w.believe, w.now); known {
		t.Errorf("a failure is remembered that was none")
	}
	close(release)
	await(t, reports, "the answer")
	if got := o.Check(ocspCtx, w.believe, w.now); got.Status != Success {
		t.Errorf("whoever asked next got %q", got.Text())
	}
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	w := newOCSPWorld(t)
	release, asked := make(chan struct{}), make(chan struct{}, 2)
	responder := w.responder(func() []byte {
		asked <- struct{}{}
		<-release
		return nil
	})
	o := NewOCSP(OCSPOptions{Responder: responder.URL, Timeout: ocspHang, Report: func(r OCSPReport) {
		t.Errorf("reported after Close: %v", r.Err)
	}})
	verdicts := make(chan Verdict, 1)
	go func() { verdicts <- o.Check(ocspCtx, w.believe, w.now) }()
	await(t, asked, "the question")
	o.Close()
	if o.flying != 0 {
		t.Errorf("Close did not wait for the question")
	}
	if got := await(t, verdicts, "the verdict"); got.Reason != OCSPFailed {
		t.Errorf("who waited got %q", got.Text())
	}
	close(release)
	responder.Close()
	later := w.chain(w.leaf(w.inter, pki.Options{}), w.inter.Cert)
	if got := o.Check(ocspCtx, later, w.now); got.Reason != OCSPFailed {
		t.Errorf("after Close somebody new is %q", got.Text())
	}
	if _, known := o.Peek(later, w.now); known {
		t.Errorf("after Close somebody new was asked about")
	}
	o.Close()
}

func TestCloseStopsRenewals(t *testing.T) {
	w := newOCSPWorld(t)
	responder := w.responder(func() []byte { return w.forge().der(t) })
	o, clock, _ := w.start(OCSPOptions{Responder: responder.URL})
	o.Check(ocspCtx, w.believe, w.now)
	await(t, clock.set, "the timer")
	o.Close()
	if !clock.list[0].stopped {
		t.Errorf("the timer was not stopped")
	}
	clock.list[0].ring()
	if n := len(responder.questions()); n != 1 {
		t.Errorf("%d questions, want 1", n)
	}
	if got := o.Check(ocspCtx, w.believe, w.now); got.Status != Success {
		t.Errorf("what is known became %q", got.Text())
	}
}
