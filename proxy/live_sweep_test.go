package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"testing"
	"time"

	"mtls-sidecar/headers"
	"mtls-sidecar/proxy/pki"
)

// The sweeper, one sweep at a time.

// startLive is a world with revocation lists, swept by hand.
func startLive(t *testing.T, setting liveSetting) *liveWorld {
	t.Helper()
	setting.books = newGoRegistrar
	w := newLiveWorld(t, setting)
	w.byHand()
	return w
}

// opens begins an exchange on a connection of its own.
func (w *liveWorld) opens(who *pkiClient, kind string) *liveExchange {
	w.t.Helper()
	return w.begins(w.dial(w.t, who.certificate), kind, w.hears(who.cn, nil))
}

// hasCut compares the number of exchanges cut so far.
func (w *liveWorld) hasCut(when string, want uint64) {
	w.t.Helper()
	deadline := time.Now().Add(hang)
	for w.Count(BeliefLost) < want && time.Now().Before(deadline) {
		<-time.After(time.Millisecond) // it is counted after the cut that the client has seen
	}
	if got := w.Count(BeliefLost); got != want {
		w.t.Errorf("%s: %d exchanges have been cut, want %d", when, got, want)
	}
}

func TestWhoIsBelievedAgainWithinTheSecondIsNotCut(t *testing.T) {
	w := startLive(t, liveSetting{})
	x := w.opens(w.victim, "tunnel")
	for _, step := range []struct {
		at      time.Duration
		trusted *liveCA
	}{{0, w.strangers}, {900 * time.Millisecond, w.root}, {950 * time.Millisecond, w.strangers}, {1900 * time.Millisecond, w.strangers}} {
		w.trusts(step.trusted)
		w.reloads()
		w.sweepAt(step.at)
		w.hasCut(step.at.String(), 0)
		x.moves()
	}
	w.sweepAt(1950 * time.Millisecond)
	x.isCut()
	w.hasCut("a second after the second loss", 1)
}

func TestACutIsLoggedWithItsReasonOnce(t *testing.T) {
	w := startLive(t, liveSetting{withLists: true})
	x := w.opens(w.victim, "download")
	revokes(w)
	for at := range 5 {
		w.sweepAt(time.Duration(at) * time.Second)
	}
	x.isCut()
	logged := w.logged("cut what was in flight: the client is no longer believed")
	if len(logged) != 1 {
		t.Fatalf("%d lines, want 1", len(logged))
	}
	got := logged[0].ContextMap()
	for key, want := range map[string]any{"client.address": "127.0.0.1", "error.type": "revoked", "error.message": "certificate revoked",
		"tls.client.subject": "CN=victim", "tls.client.serial_number": headers.Serial(w.victim.certificate.Leaf.SerialNumber)} {
		if got[key] != want {
			t.Errorf("%s: got %v, want %v", key, got[key], want)
		}
	}
	if x.endsConnections() {
		waitFor(t, "the connection is gone", func() bool { return w.open() == 0 })
	}
}

func TestAnIdleConnectionIsNotCutButRefusedWhenItAsks(t *testing.T) {
	w := startLive(t, liveSetting{withLists: true})
	c := w.dial(t, w.victim.certificate)
	w.asks(c, "victim", nil)
	waitFor(t, "the connection is idle", func() bool { return !w.isBusy(c) })
	revokes(w)
	for at := range 5 {
		w.sweepAt(time.Duration(at) * time.Second)
	}
	w.hasCut("while idle", 0)
	w.asks(c, "victim", wasRevoked)
}

// Who was told that a certificate is invalid need not be told again.
func TestAnExchangeThatBeganWithoutBeliefGoesOn(t *testing.T) {
	for _, mode := range []string{"MTLS_INVALID_CERT=failed", "MTLS_INVALID_CERT=none"} {
		w := startLive(t, liveSetting{withLists: true, entries: []string{mode}})
		c := w.dial(t, w.victim.certificate)
		x := w.begins(c, "download", w.hears("victim", nil))
		revokes(w)
		w.sweepAt(0)
		x.ends() // what was told as SUCCESS
		x = w.begins(c, "download", w.hears("victim", wasRevoked))
		w.sweepAt(time.Second)
		w.sweepAt(time.Hour)
		x.ends()
		w.hasCut(mode, 0)
	}
}

// The sidecar is then in the middle of a write that may never end.
func TestWhereTheOtherSideDoesNotReadTheExchangeIsCutToo(t *testing.T) {
	w := startLive(t, liveSetting{withLists: true, entries: []string{"MTLS_SEND_TIMEOUT=1h", "MTLS_UPSTREAM_TIMEOUT=1h"}})
	reader, writer := w.dial(t, w.victim.certificate), w.dial(t, w.victim.certificate)
	flood, deaf := w.next("flood"), w.next("deaf")
	reader.send(get(flood))
	writer.send("POST " + deaf + " HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n")
	full := make(chan error, 1)
	go func() {
		for {
			if _, err := writer.Write(make([]byte, 1<<20)); err != nil {
				full <- err
				return
			}
		}
	}()
	waitFor(t, "both are under way", func() bool { return w.app.head(flood) != "" && w.app.head(deaf) != "" })
	revokes(w)
	w.sweepAt(0)
	w.sweepAt(time.Second)
	w.hasCut("a second after the loss", 2)
	reader.wantCut()
	if err := await(t, "the end of the upload", full); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the client's write ended with %v", err)
	}
	await(t, "the end of the flood", w.app.stage(flood).over)
	if reader.endsConnections() {
		waitFor(t, "the connections are gone", func() bool { return w.open() == 0 })
	}
}

func TestSeveralLossesAreEachGivenTheirSecond(t *testing.T) {
	w := startLive(t, liveSetting{withLists: true})
	first, second := w.opens(w.victim, "events"), w.opens(w.other, "events")
	revokes(w)
	w.sweepAt(0)
	w.inter.marks(w.other.certificate.Leaf, revoked)
	w.puts("crl/inter.crl", w.inter.publishes())
	w.reloads()
	w.sweepAt(500 * time.Millisecond)
	second.moves()
	w.sweepAt(time.Second)
	first.isCut()
	second.moves()
	w.hasCut("a second after the first loss", 1)
	w.sweepAt(1500 * time.Millisecond)
	second.isCut()
}

// While a shutdown waits for what is in flight, belief counts all the same.
func TestWhoLosesBeliefDuringAShutdownIsCut(t *testing.T) {
	w := startLive(t, liveSetting{withLists: true})
	lost, kept := w.opens(w.victim, "tunnel"), w.opens(w.other, "download")
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	stopped := shutDown(ctx, w.sidecar)
	waitDraining(t, w.sidecar)
	revokes(w)
	w.sweepAt(0)
	w.sweepAt(time.Second)
	lost.isCut()
	kept.ends()
	if n := await(t, "the shutdown", stopped); n != 0 {
		t.Errorf("the shutdown cut %d", n)
	}
}

// A head that comes slowly is no exchange yet: its client is to learn why it is
// refused.
func TestASlowHeadIsAnsweredWithThePage(t *testing.T) {
	for _, test := range []struct {
		what string
		who  func(w *liveWorld) *pkiClient
		asks bool // a request before
	}{
		{"never believed", func(w *liveWorld) *pkiClient { return w.outcast }, false},
		{"believed as yet", func(w *liveWorld) *pkiClient { return w.victim }, true},
	} {
		t.Run(test.what, func(t *testing.T) {
			w := startLive(t, liveSetting{withLists: true})
			who := test.who(w)
			c := w.dial(t, who.certificate)
			if test.asks {
				w.asks(c, who.cn, nil)
			}
			waitFor(t, "the connection is idle", func() bool { return w.busyConns() == 0 })
			path := w.next("plain")
			c.send(get(path)[:20])
			waitFor(t, "the head has begun", func() bool { return w.busyConns() == 1 })
			revokes(w)
			w.sweepAt(0)
			w.sweepAt(time.Second)
			w.hasCut("before the head was there", 0)
			c.send(get(path)[20:])
			w.hearsOf(c, path, w.hears(who.cn, wasRevoked), wasRevoked)
		})
	}
}

// busyConns counts the connections on which a request has begun.
func (w *liveWorld) busyConns() (n int) {
	for _, c := range w.conns.identified() {
		if c.state.Load() == busy {
			n++
		}
	}
	return n
}

// connOf is the sidecar's end of a client's connection, if a request is in flight.
func (w *liveWorld) connOf(c *client) *conn {
	for _, other := range w.conns.identified() {
		if len(other.telling()) > 0 && other.socket != nil && other.socket.RemoteAddr().String() == c.LocalAddr().String() {
			return other
		}
	}
	return nil
}

func (w *liveWorld) isBusy(c *client) bool { return w.connOf(c) != nil }

// A connection's verdict lasts while it is idle, and the sweeper looks only at
// those that are not: it must know all the same when that verdict ends.
func TestAnExchangeOnAConnectionJudgedEarlierEndsWithItsCertificate(t *testing.T) {
	for _, test := range []struct {
		what  string
		sweep func(w *liveWorld, c *client) // after its first request
	}{
		{"before the first sweep", func(*liveWorld, *client) {}},
		{"between a reload and its sweep", func(w *liveWorld, c *client) {
			w.sweepAt(0)
			w.reloads()
			w.asks(c, "victim", nil)
		}},
		{"before another's certificate ended", func(w *liveWorld, _ *client) {
			early, err := w.inter.Issue(pki.Options{NotAfter: time.Now().Add(time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			early = pki.With(early, w.inter.Cert)
			w.begins(w.dial(t, &early), "tunnel", expectation{200, "SUCCESS", "CN=client"})
			w.sweepAt(0)
			w.clock.set(90 * time.Minute)
		}},
	} {
		t.Run(test.what, func(t *testing.T) {
			w := startLive(t, liveSetting{issued: pki.Options{NotAfter: time.Now().Add(2 * time.Hour)}})
			c := w.dial(t, w.victim.certificate)
			w.asks(c, "victim", nil)
			test.sweep(w, c)
			waitFor(t, "the connection is idle", func() bool { return !w.isBusy(c) })
			for at := range 3 {
				w.sweepAt(time.Duration(at) * time.Second)
			}
			before := w.Count(BeliefLost)
			x := w.begins(c, "tunnel", w.hears("victim", nil))
			w.sweepAt(3 * time.Second)
			x.moves()
			w.clock.set(3 * time.Hour)
			w.sweepAt(4 * time.Second)
			w.sweepAt(5 * time.Second)
			w.hasCut("a second after its certificate has expired", before+1)
		})
	}
}

func TestNothingJudgedByALaterTimeCountsOnceTheClockIsSetBack(t *testing.T) {
	w := startLive(t, liveSetting{entries: []string{"MTLS_INVALID_CERT=failed"},
		issued: pki.Options{NotBefore: time.Now().Add(time.Hour)}, arranged: func(w *liveWorld) { w.clock.set(2 * time.Hour) }})
	kept := w.dial(t, w.victim.certificate)
	w.asks(kept, "victim", nil)
	x := w.opens(w.victim, "tunnel")
	g := &guest{w: w, who: w.victim, version: tls.VersionTLS13, visitor: newVisitor(tls.VersionTLS13, w.victim.certificate)}
	g.visits(nil)
	w.sweepAt(0)
	w.clock.set(0)
	w.sweepAt(0)
	early := &doubt{"not_yet_valid", "certificate is not yet valid"}
	w.asks(kept, "victim", early)
	if g.visits(early) {
		t.Error("a session of the future was resumed")
	}
	w.sweepAt(time.Second)
	x.isCut()
}
