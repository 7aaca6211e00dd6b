package trust

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

func TestEverybodyWaitsForTheSameQuestion(t *testing.T) {
	w := newOCSPWorld(t)
	release, asked := make(chan struct{}), make(chan struct{}, 100)
	responder := w.responder(func() []byte {
		asked <- struct{}{}
		<-release
		return w.forge().der(t)
	})
	o, _, _ := w.start(OCSPOptions{Responder: responder.URL})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			// Parsed anew, as each handshake does.
			chain := certs(w.leafAgain(), w.inter.Cert, w.root.Cert)
			if got := o.Check(ocspCtx, Verdict{Status: Success, Chain: chain}, w.now); got.Status != Success {
				t.Errorf("got %q", got.Text())
			}
		})
	}
	await(t, asked, "the question")
	close(release)
	all.Wait()
	if n := len(responder.questions()); n != 1 {
		t.Errorf("%d questions for one certificate, want 1", n)
	}
}

func TestAllCertificatesOfAChainAreAskedAboutAtOnce(t *testing.T) {
	w := newOCSPWorld(t)
	both := make(chan struct{}, 2)
	release := make(chan struct{})
	responder := startOCSPResponder(t, func(r *http.Request) (int, string, []byte) {
		both <- struct{}{}
		<-release
		return http.StatusNotFound, "", nil
	})
	o, _, _ := w.start(OCSPOptions{Responder: responder.URL, WholeChain: true})
	done := make(chan Verdict, 1)
	go func() { done <- o.Check(ocspCtx, w.believe, w.now) }()
	await(t, both, "the first question")
	await(t, both, "the second, before the first is answered")
	close(release)
	if got := await(t, done, "the verdict"); got.Culprit != w.client {
		t.Errorf("got %q about %v", got.Text(), subjectOf(got.Culprit))
	}
}

func TestFetchesAndWaitingCallersAreBounded(t *testing.T) {
	w := newOCSPWorld(t)
	release, asked := make(chan struct{}), make(chan struct{}, 2*maxOCSPFetches)
	responder := w.responder(func() []byte {
		asked <- struct{}{}
		<-release
		return nil
	})
	o, _, reports := w.start(OCSPOptions{Responder: responder.URL})
	var all sync.WaitGroup
	for range maxOCSPFetches + 1 {
		v := Verdict{Status: Success, Chain: certs(w.leaf(w.inter, pki.Options{Key: w.inter.Key}), w.inter, w.root)}
		all.Go(func() { o.Check(ocspCtx, v, w.now) })
	}
	for range maxOCSPFetches {
		await(t, asked, "as many questions as are allowed at once")
	}
	if n := o.queue.asking(); n != maxOCSPFetches || len(asked) > 0 {
		t.Errorf("%d questions use the network, %d more arrived; want %d", n, len(asked), maxOCSPFetches)
	}
	// One more caller than may wait is told at once.
	o.mu.Lock()
	waiting := o.waiting
	o.waiting = maxOCSPWaiting
	o.mu.Unlock()
	if got := o.Check(ocspCtx, w.believe, w.now); got.Reason != OCSPFailed || !got.Until.Equal(w.now.Add(minOCSPBackOff)) {
		t.Errorf("one too many: %q until %v", got.Text(), got.Until)
	}
	o.mu.Lock()
	o.waiting, o.flying = waiting, o.flying+maxOCSPWaiting
	o.mu.Unlock()
	if got := o.Check(ocspCtx, w.believe, w.now); got.Reason != OCSPFailed {
		t.Errorf("one question too many: %q", got.Text())
	}
	o.mu.Lock()
	o.flying -= maxOCSPWaiting
	o.mu.Unlock()
	close(release)
	for range maxOCSPFetches + 1 {
		await(t, reports, "an end")
	}
	all.Wait()
	if o.waiting != 0 || o.flying != 0 || len(o.load) != 0 || o.queue.asking() != 0 || len(o.queue.hosts) != 0 {
		t.Errorf("at the end %d wait, %d fly, the load is %v, %d use the network", o.waiting, o.flying, o.load, o.queue.asking())
	}
}

func TestWhoFindsNoSlotInTimeFails(t *testing.T) {
	w := newOCSPWorld(t)
	o, _, reports := w.start(OCSPOptions{Responder: "http://127.0.0.1:1", Timeout: time.Millisecond})
	for range maxOCSPFetches {
		turn, queued, err := o.queue.ask("")
		if must(t, turn, err); queued {
			t.Fatalf("the queue is full too early")
		}
	}
	if got := o.Check(ocspCtx, w.believe, w.now); got.Reason != OCSPFailed {
		t.Errorf("got %q", got.Text())
	}
	if r := await(t, reports, "the report"); r.Err == nil || !strings.Contains(r.Err.Error(), "too many") {
		t.Errorf("got %v", r.Err)
	}
}

func TestTheCacheForgetsWhatWasNotUsedForLongest(t *testing.T) {
	w := newOCSPWorld(t)
	responder, say := w.sayer()
	say(nil) // failures are remembered as well
	o, _, _ := w.start(OCSPOptions{Responder: responder.URL})
	o.cache.max = 2
	var chains []Verdict
	for range 3 {
		chains = append(chains, w.chain(w.leaf(w.inter, pki.Options{}), w.inter.Cert))
	}
	known := func(i int) bool {
		_, ok := o.Peek(chains[i], w.now)
		return ok
	}
	o.Check(ocspCtx, chains[0], w.now)
	o.Check(ocspCtx, chains[1], w.now)
	o.Check(ocspCtx, chains[0], w.now)
	o.Check(ocspCtx, chains[2], w.now)
	if !known(0) || known(1) || !known(2) || len(o.cache.entries) != 2 || o.cache.recent.Len() != 2 {
		t.Errorf("known are %v %v %v, %d entries", known(0), known(1), known(2), len(o.cache.entries))
	}
}

func TestAQuestionUnderWayIsNotForgotten(t *testing.T) {
	w := newOCSPWorld(t)
	release, asked := make(chan struct{}), make(chan struct{}, 2)
	responder := w.responder(func() []byte {
		asked <- struct{}{}
		<-release
		return w.forge().der(t)
	})
	o, _, reports := w.start(OCSPOptions{Responder: responder.URL})
	o.cache.max = 1
	done := make(chan Verdict, 2)
	go func() { done <- o.Check(ocspCtx, w.believe, w.now) }()
	await(t, asked, "the first question")
	other := w.chain(w.leaf(w.inter, pki.Options{}), w.inter.Cert)
	go func() { done <- o.Check(ocspCtx, other, w.now) }()
	await(t, asked, "the second question")
	close(release)
	for range 2 {
		await(t, done, "the verdicts")
		await(t, reports, "the ends")
	}
	if got, known := o.Peek(w.believe, w.now); !known || got.Status != Success {
		t.Errorf("the first is %q, known %v", got.Text(), known)
	}
}

// Whoever was found revoked need only keep quiet until so many others have come.
func TestARevocationIsNotForgottenForOthersSake(t *testing.T) {
	w := newOCSPWorld(t)
	r, say := w.sayer()
	o, _, _ := w.start(OCSPOptions{Responder: r.URL, AllowFailure: true})
	say(w.saying(forgedRevoked(w.now), w.now))
	if v := o.Check(ocspCtx, w.believe, w.now); v.Reason != OCSPRevoked {
		t.Fatalf("the verdict is %q", v.Text())
	}
	o.mu.Lock()
	for n := range 2 * maxOCSPEntries {
		o.cache.use(o.links(w.believe.Chain)[0], ocspID{byte(n), byte(n >> 8), 1})
	}
	if n := o.cache.recent.Len(); n > maxOCSPEntries+1 || n != len(o.cache.entries) {
		t.Errorf("%d entries are kept, and %d can be found", n, len(o.cache.entries))
	}
	o.mu.Unlock()
	say(nil)
	if v := o.Check(ocspCtx, w.believe, w.now.Add(minute)); v.Reason != OCSPRevoked {
		t.Errorf("a minute later, after many others and without an answer, the verdict is %q", v.Text())
	}
}
