package proxy

import (
	"crypto/tls"
	"testing"
)

// liveRow is one change, and what it does to the clients.
type liveRow struct {
	name string
	liveSetting
	change func(w *liveWorld)
	// then is done after the sweeper has looked at the change; nil: nothing.
	then          func(w *liveWorld)
	victim, other turn // of the two clients
	outcast       turn // of a third, who was revoked all along; nil: that
	troubled      bool // the change is one that cannot be taken over
	noSession     bool // none of before may be resumed
}

// turn is what is doubted about a client before and after; nil: nothing.
type turn struct{ before, after *doubt }

// loses reports whether belief is lost that the application was told of.
func (c turn) loses() bool { return c.before == nil && c.after != nil }

var wasRevoked = &doubt{"revoked", "certificate revoked"}

// run makes the change under clients in every state.
func (row liveRow) run(t *testing.T) {
	w := newLiveWorld(t, row.liveSetting)
	w.byHand()
	var guests []*guest
	for _, v := range tlsVersions {
		guests = append(guests, w.enters(w.victim, v.version, row.victim), w.enters(w.other, v.version, row.other))
	}
	nobody := w.anonymous()
	w.outcastIsOut(row.outcast.before)

	w.sweepAt(0)
	row.change(w)
	w.sweepAt(0)
	if row.then != nil {
		row.then(w)
	}
	if got := len(w.Troubles()) > 0; got != row.troubled {
		t.Errorf("troubles: got %v, want some: %t", w.Troubles(), row.troubled)
	}
	losers := 0
	for _, g := range guests {
		if g.loses() {
			losers++
		}
	}
	waitFor(t, "the sweeper doubts whom it should", func() bool {
		w.sweepAt(0)
		return len(w.sweeper.doubted) == losers*(len(lastingKinds)+2)
	})
	w.sweepAt(lastSecond - jitter - 1)
	if n := w.Count(BeliefLost); n != 0 {
		t.Errorf("%d exchanges were cut before their second was over", n)
	}
	for _, g := range guests {
		g.finishes()
		resumed := g.returns()
		if want := g.after == nil && !row.noSession; resumed != want {
			t.Errorf("%s: resumed: got %t, want %t", g.who.cn, resumed, want)
		}
	}
	w.outcastIsOut(row.outcast.after)

	w.sweepAt(lastSecond)
	for _, g := range guests {
		if g.loses() {
			g.isCut()
		}
	}
	if got, want := int(w.Count(BeliefLost)), losers*len(lastingKinds); got != want {
		t.Errorf("%d exchanges were cut, want %d", got, want)
	}
	w.sweepAt(3 * lastSecond)
	for _, g := range guests {
		if !g.loses() {
			g.lives()
		}
	}
	if nobody != nil {
		nobody.moves()
		nobody.ends()
	}
}

// outcastIsOut wants a client refused that was revoked all along.
func (w *liveWorld) outcastIsOut(d *doubt) {
	w.t.Helper()
	if w.belief.lists == nil {
		return
	}
	if d == nil {
		d = wasRevoked
	}
	for _, v := range tlsVersions {
		w.turnsAway(clientOf(v.version, w.outcast.certificate), w.outcast, d)
	}
}

// anonymous is the tunnel of a client without a certificate; nil: it is not let in.
func (w *liveWorld) anonymous() *liveExchange {
	w.t.Helper()
	if w.config.VerifyClient == VerifyOn {
		return nil
	}
	c := w.dialWith(w.t, clientOf(tls.VersionTLS13, nil))
	w.asks(c, "", nil)
	return w.begins(c, "tunnel", w.hears("", nil))
}
