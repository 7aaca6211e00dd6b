package proxy

import (
	"crypto/rand"
	"sync"
	"testing"
	"time"
)

// changesOfAnswers are those of what the CA's responder says. Its first answers
// count for MTLS_OCSP_MAX_AGE, ten minutes.
func changesOfAnswers() []liveRow {
	asks := func(entries ...string) liveSetting {
		return liveSetting{withOCSP: true, entries: append(entries, "MTLS_OCSP_TIMEOUT=1s")}
	}
	const later = 30 * time.Minute
	falls := func(w *liveWorld) {
		w.mute.Store(true)
		w.clock.set(later)
	}
	// The sweeper believes in an answer until it would be too late.
	inVain := func(w *liveWorld) {
		waitFor(w.t, "both clients have been asked about in vain", func() bool { return w.Count(OCSPFetchFailed) >= 2 })
		w.clock.set(later + 2*time.Second)
	}
	held, silent := asks("MTLS_INVALID_CERT=failed"), asks("MTLS_INVALID_CERT=failed")
	held.arranged = func(w *liveWorld) { w.inter.marks(w.victim.certificate.Leaf, onHold) }
	silent.arranged = func(w *liveWorld) { w.mute.Store(true) }
	revokes := func(w *liveWorld) {
		w.inter.marks(w.victim.certificate.Leaf, revoked)
		w.clock.set(later)
	}
	return []liveRow{
		{name: "revoked", liveSetting: asks(), change: revokes, victim: turn{after: doubtOCSPRevoked}},
		{name: "revoked, told as NONE", liveSetting: asks("MTLS_INVALID_CERT=none"), change: revokes, victim: turn{after: doubtOCSPRevoked}},
		{name: "revoked, with alert", liveSetting: asks("MTLS_REJECT_WITH=alert"), change: revokes, victim: turn{after: doubtOCSPRevoked}},
		{name: "a hold lifted", liveSetting: held, change: func(w *liveWorld) {
			// An answer of the same second would not be a newer one.
			then := time.Now().Unix()
			waitFor(w.t, "the next second", func() bool { return time.Now().Unix() > then })
			w.inter.marks(w.victim.certificate.Leaf, good)
			w.clock.set(later)
		}, victim: turn{before: doubtOCSPRevoked}},
		{name: "the responder fails", liveSetting: asks(), change: falls, then: inVain,
			victim: turn{after: doubtOCSPFailed}, other: turn{after: doubtOCSPFailed}},
		{name: "the responder fails, which is allowed", liveSetting: asks("MTLS_OCSP_FAIL=allow"), change: falls, then: inVain},
		{name: "the responder is there again", liveSetting: silent, change: func(w *liveWorld) {
			w.mute.Store(false)
			w.clock.set(later)
		}, victim: turn{before: doubtOCSPFailed}, other: turn{before: doubtOCSPFailed}},
	}
}

// CVE-2026-28755 was a proxy that let in over one protocol whom OCSP had revoked
// over another: here it is each kind of connection and exchange.
func TestWhatTheResponderSaysCountsInEveryStateOfAConnection(t *testing.T) {
	for _, row := range changesOfAnswers() {
		row.books = newGoRegistrar
		t.Run(row.name, row.run)
	}
}

func TestWhatOpensslAsTheResponderSaysCountsInEveryStateOfAConnection(t *testing.T) {
	openssl(t)
	for _, row := range changesOfAnswers() {
		row.books = newOpensslRegistrar
		t.Run(row.name, row.run)
	}
}

// doubts sweeps until the sweeper doubts so many connections.
func (w *liveWorld) doubts(what string, connections int) {
	w.t.Helper()
	waitFor(w.t, what, func() bool {
		w.sweepAt(0)
		return len(w.sweeper.doubted) == connections
	})
}

// A sweep finds that an answer has ended, and begins to ask. What comes of that
// counts as soon as it is known, however long it might have taken.
func TestARespondersFailureCountsAsSoonAsItIsKnown(t *testing.T) {
	w := startLive(t, liveSetting{withOCSP: true, entries: []string{"MTLS_OCSP_TIMEOUT=30s"},
		arranged: func(w *liveWorld) { w.still = time.Now() }})
	x := w.opens(w.victim, "tunnel")
	w.mute.Store(true)
	w.clock.set(30 * time.Minute)
	w.sweepAt(0)
	waitFor(t, "the question is answered in vain", func() bool { return w.Count(OCSPFetchFailed) == 1 })
	w.doubts("the client is doubted, though no time has passed", 1)
	x.moves()
	w.sweepAt(time.Second)
	x.isCut()
}

// Who is revoked stays so when the answer that said it ends.
func TestAShortAnswerIsEnoughToBeCut(t *testing.T) {
	w := startLive(t, liveSetting{withOCSP: true, entries: []string{"MTLS_OCSP_MAX_AGE=1s"}})
	x := w.opens(w.victim, "tunnel")
	w.inter.marks(w.victim.certificate.Leaf, revoked)
	w.clock.set(time.Minute)
	w.doubts("the client is doubted", 1)
	w.mute.Store(true)
	w.clock.set(2 * time.Minute)
	w.sweepAt(500 * time.Millisecond)
	x.moves()
	waitFor(t, "the exchange is cut", func() bool {
		w.sweepAt(time.Second)
		return w.Count(BeliefLost) == 1
	})
	x.isCut()
}

// Whoever was revoked does not come back by keeping the responder from answering.
func TestARespondersSilenceUnrevokesNobody(t *testing.T) {
	w := startLive(t, liveSetting{withOCSP: true, entries: []string{"MTLS_OCSP_FAIL=allow"},
		arranged: func(w *liveWorld) { w.inter.marks(w.victim.certificate.Leaf, revoked) }})
	w.asks(w.dial(t, w.victim.certificate), "victim", doubtOCSPRevoked)
	w.mute.Store(true)
	w.clock.set(30 * time.Minute)
	w.asks(w.dial(t, w.victim.certificate), "victim", doubtOCSPRevoked)
	w.asks(w.dial(t, w.other.certificate), "other", nil)
}

// A client may wait for the responder's first answer while something else changes.
func TestWhatChangesWhileAResponderIsAskedCounts(t *testing.T) {
	for _, mode := range []string{"MTLS_INVALID_CERT=reject", "MTLS_INVALID_CERT=failed"} {
		w := startLive(t, liveSetting{withOCSP: true, withLists: true, entries: []string{mode, "MTLS_OCSP_TIMEOUT=60s"}})
		release := sync.OnceFunc(func() { close(w.release) })
		t.Cleanup(release)
		w.slow.Store(true)
		c := w.dial(t, w.victim.certificate)
		path := w.next("plain")
		c.send(get(path))
		waitFor(t, "the responder is asked", func() bool { return w.questions.Load() > 0 })
		revokes(w)
		release()
		w.hearsOf(c, path, w.hears("victim", wasRevoked), wasRevoked)
	}
}

// An answer is renewed before it ends, and who is then revoked loses what he has.
func TestAnAnswerThatIsRenewedEarlyCountsAtOnce(t *testing.T) {
	w := startLive(t, liveSetting{withOCSP: true})
	kept, x := w.dial(t, w.victim.certificate), w.opens(w.victim, "tunnel")
	w.asks(kept, "victim", nil)
	w.inter.marks(w.victim.certificate.Leaf, revoked)
	w.sweepAt(0)
	w.clock.set(8 * time.Minute) // of ten; after three quarters whoever comes has it renewed
	before := w.store.Current()
	w.dial(t, w.victim.certificate).send(get(w.next("plain")))
	waitFor(t, "belief has changed", func() bool { return w.store.Current() != before })
	w.asks(kept, "victim", doubtOCSPRevoked)
	w.sweepAt(0)
	w.sweepAt(time.Second)
	x.isCut()
}

// Nobody new may have to pay for the tunnels that are asked about anew all at
// once, of one client or of many, while the responder takes its time.
func TestManyTunnelsWhoseAnswersEndKeepNobodyElseOut(t *testing.T) {
	w := startLive(t, liveSetting{withOCSP: true})
	x := w.opens(w.victim, "tunnel")
	tunnels := w.connOf(x.client).peer.Load()
	release := sync.OnceFunc(func() { close(w.release) })
	t.Cleanup(release)
	for i := range 3000 {
		c := newConn(w.Server, nil, "")
		c.peer.Store(tunnels)
		if i < 1500 {
			other := &peer{chain: tunnels.chain}
			_, _ = rand.Read(other.id[:])
			c.peer.Store(other)
		}
		c.told.Store(true)
		c.state.Store(busy)
		w.conns.add(c)
		defer w.conns.remove(c)
	}
	asked := w.questions.Load()
	w.slow.Store(true)
	w.clock.set(30 * time.Minute)
	w.sweepAt(0)
	waitFor(t, "the responder is asked", func() bool { return w.questions.Load() > asked })
	w.slow.Store(false)
	for range 3 {
		w.asks(w.dial(t, w.other.certificate), "other", nil)
	}
	release()
	x.moves()
}
