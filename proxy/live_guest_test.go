package proxy

import (
	"crypto/tls"
	"strings"
)

// lastingKinds are the kinds of exchanges that may go on for hours.
var lastingKinds = []string{"tunnel", "download", "upload", "events"}

// guest is a client in every state that a connection can be in, over one TLS
// version.
type guest struct {
	turn
	w       *liveWorld
	who     *pkiClient
	version uint16
	visitor *visitor // with a session to resume
	kept    *client  // idle, after a request
	flights []*liveExchange
	brief   *liveExchange // a download that will end in time
	held    *liveExchange // a request whose answer is awaited
	second  string        // the path of the one that was sent behind it
}

// enters opens all of a client's connections.
func (w *liveWorld) enters(who *pkiClient, version uint16, turn turn) *guest {
	w.t.Helper()
	g := &guest{turn: turn, w: w, who: who, version: version, visitor: newVisitor(version, who.certificate)}
	d := turn.before
	g.visits(d)
	if w.hears(who.cn, d).status != 200 {
		return g
	}
	g.kept = g.connects()
	w.asks(g.kept, who.cn, d)
	for _, kind := range lastingKinds {
		g.flights = append(g.flights, g.begins(kind, d))
	}
	g.brief = g.begins("download", d)
	g.held = g.begins("held", d)
	g.second = w.next("plain")
	if g.held.pipelines() {
		g.held.send(get(g.second))
	}
	return g
}

// connects without a session.
func (g *guest) connects() *client {
	g.w.t.Helper()
	return g.w.dialWith(g.w.t, clientOf(g.version, g.who.certificate))
}

// begins opens an exchange on a connection of its own. Those of a believed client's
// that last resume a session, every other one.
func (g *guest) begins(kind string, d *doubt) *liveExchange {
	g.w.t.Helper()
	config := clientOf(g.version, g.who.certificate)
	if len(g.flights)%2 == 1 && d == nil {
		config = g.visitor.config()
	}
	c := g.w.dialWith(g.w.t, config)
	if got, want := c.ConnectionState().DidResume, config.ClientSessionCache != nil; got != want {
		g.w.t.Errorf("%s: resumed: got %t, want %t", kind, got, want)
	}
	return g.w.begins(c, kind, g.w.hears(g.who.cn, d))
}

// begins opens an exchange and compares what the application is told.
func (w *liveWorld) begins(c *client, kind string, want expectation) *liveExchange {
	w.t.Helper()
	x := w.app.begins(c, kind, w.next(kind))
	if got, want := told(w.app.head(x.path)), toldAs(want.verified, want.dn); got != want {
		w.t.Errorf("%s: the application was told %s, want %s", x.path, got, want)
	}
	return x
}

// visits makes a connection with what the client remembers, and one request. It
// returns whether the session was resumed.
func (g *guest) visits(d *doubt) bool {
	g.w.t.Helper()
	before := g.visitor.sessions.count()
	c := g.w.dialWith(g.w.t, g.visitor.config())
	resumed := c.ConnectionState().DidResume
	g.w.asks(c, g.who.cn, d)
	if g.visitor.sessions.count() == before {
		g.w.t.Error("the server gave no session ticket")
	}
	c.Close()
	return resumed
}

// turnsAway wants a client refused that comes anew, by the page or in the handshake.
func (w *liveWorld) turnsAway(config *tls.Config, who *pkiClient, d *doubt) {
	w.t.Helper()
	if w.config.RejectWith != RejectAlert {
		w.asks(w.dialWith(w.t, config), who.cn, d)
		return
	}
	if err := w.handshakeOnly(w.t, config); err == nil || !strings.Contains(err.Error(), "bad certificate") {
		w.t.Errorf("%s: got %v, want the alert bad_certificate", who.cn, err)
	}
}

// finishes lets the exchanges end that may end in the second after the change, and
// asks again on their connections.
func (g *guest) finishes() {
	g.w.t.Helper()
	d := g.after
	if g.kept == nil {
		return
	}
	for _, x := range g.flights {
		x.moves()
	}
	g.held.ends()
	if !g.held.pipelines() {
		g.held.send(get(g.second))
	}
	g.w.hearsOf(g.held.client, g.second, g.w.hears(g.who.cn, d), d)
	g.brief.ends()
	g.w.asks(g.brief.client, g.who.cn, d)
	g.w.asks(g.kept, g.who.cn, d)
}

// returns comes back with new connections, one of them with the session of before.
// It returns whether that was resumed.
func (g *guest) returns() bool {
	g.w.t.Helper()
	d := g.after
	if d != nil && g.w.config.RejectWith == RejectAlert {
		g.w.turnsAway(clientOf(g.version, g.who.certificate), g.who, d)
		g.w.turnsAway(g.visitor.config(), g.who, d)
		return false
	}
	g.w.asks(g.connects(), g.who.cn, d)
	return g.visits(d)
}

// lives wants all that is in flight to go on, to a whole end.
func (g *guest) lives() {
	g.w.t.Helper()
	for _, x := range g.flights {
		x.moves()
		x.ends()
	}
}

// isCut wants all that is in flight broken off.
func (g *guest) isCut() {
	g.w.t.Helper()
	for _, x := range g.flights {
		x.isCut()
	}
}
