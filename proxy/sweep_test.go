package proxy

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// A request looks at the clock, and may be kept from going on until its
// certificate has ended and the sweeper has looked.
func TestARequestThatLookedAtTheClockJustBeforeTheEndIsCutAllTheSame(t *testing.T) {
	w := startLive(t, liveSetting{issued: pki.Options{NotAfter: time.Now().Add(2 * time.Hour)}})
	c := w.dial(t, w.victim.certificate)
	w.asks(c, "victim", nil)
	w.sweepAt(0)
	sole := w.conns.identified()[0]
	waitFor(t, "the connection is idle", func() bool { return sole.state.Load() == idle })
	end := time.Unix(0, sole.until.Load())
	w.clock.set(time.Until(end) + 10*time.Millisecond)
	w.sweepAt(time.Second)

	sole.told.Store(true) // as relay does
	sole.judge(end.Add(-time.Microsecond))
	if sole.memo.answer.tell != "SUCCESS" {
		t.Fatalf("the request was told %q", sole.memo.answer.tell)
	}
	w.clock.set(time.Until(end) + 5*time.Second)
	w.sweepAt(3 * time.Second)
	if len(w.sweeper.doubted) != 1 {
		t.Errorf("nobody is in doubt: the sweeper has forgotten the connection")
	}
	sole.told.Store(false)
}

// What was asked of a CA may be forgotten before it ends; it counts all the same for
// whoever was admitted by it.
func TestAnAnswerThatWasForgottenIsNotAskedForAnewBeforeItsEnd(t *testing.T) {
	w := startLive(t, liveSetting{withOCSP: true})
	x := w.opens(w.victim, "tunnel")
	forgetful := w.ocsp
	w.ocsp = w.newOCSP(w.answered)
	t.Cleanup(forgetful.Close)
	asked := w.questions.Load()
	w.store.Renew()
	w.sweepAt(0)
	w.sweepAt(time.Second)
	if got := w.questions.Load(); got != asked {
		t.Errorf("%d questions were asked, want none", got-asked)
	}
	x.moves()
}

func TestAStartAndAShutdownAtOnceAreNoRace(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for range 50 {
		s := newSidecar(t, "http://127.0.0.1:1")
		var both sync.WaitGroup
		both.Go(func() { _ = s.Start(context.Background()) })
		both.Go(func() { s.Shutdown(ended) })
		both.Wait()
	}
}

func TestAReloadWithoutAChangeOfBeliefForgetsNoVerdict(t *testing.T) {
	p := newReloadPKI(t)
	s := startSidecar(t, "http://127.0.0.1:1", "MTLS_CLIENT_CA_FILE="+inFolder(t, "ca.crt", pki.CertPEM(p.cas[0].Cert)), "MTLS_RELOAD_INTERVAL=1h")
	before := s.store.Current()
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if s.store.Current() != before {
		t.Errorf("another snapshot was published: every client's signatures are checked again")
	}
}

func TestTwoURLsThatDifferInTheirUsersHaveTroublesOfTheirOwn(t *testing.T) {
	p := newReloadPKI(t)
	list := startListServer(t, http.StatusInternalServerError, p.list(p.cas[0], 1))
	as := func(user string) string { return strings.Replace(list.URL, "http://", "http://"+user+"@", 1) }
	s := urlWorld(t, p, as("one:hunter2")+","+as("two:hunter2"))
	defer s.shutsDown(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_ = s.starting(ctx)
	waitFor(t, "both troubles", func() bool { return len(s.Troubles()) == 2 })
	for _, trouble := range s.Troubles() {
		if strings.Contains(trouble.Name, "hunter2") {
			t.Errorf("the trouble tells the password: %s", trouble.Name)
		}
	}
}
