package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// reservable reports whether a connection has a stream to give.
func reservable(h *H2C) bool {
	h.mu.Lock()
	c := h.reserve(nil)
	h.mu.Unlock()
	if c != nil {
		c.Release()
		h.release(c, true)
	}
	return c != nil
}

func connections(h *H2C) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// first is the connection of the owner nil that is filled first.
func first(h *H2C) *h2cConn {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.groups[nil].conns[0]
}

func TestStreamsShareAConnectionUpToTheApplicationsLimit(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address)
	limit := http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 2}
	var results []<-chan done
	var conns []*framerConn
	var streams []uint32
	for i := range 5 {
		results = append(results, do(t, h, Request{Head: get("/")}))
		if i%2 == 0 {
			conns = append(conns, app.greeted(limit))
		}
		streams = append(streams, conns[i/2].request().stream)
	}
	for i, result := range results {
		conns[i/2].headers(streams[i], true, ":status: 200")
		if d := wait(t, result); d.err != nil {
			t.Error(d.err)
		}
	}
	if n := connections(h); n != 3 || h.room != 2 {
		t.Errorf("%d connections for %d streams each, want 3 for 2", n, h.room)
	}
	// The first is filled first, and the others grow old.
	waitFor(t, func() bool { return first(h).InFlight() == 0 })
	result := do(t, h, Request{Head: get("/")})
	conns[0].headers(conns[0].request().stream, true, ":status: 200")
	if d := wait(t, result); d.err != nil {
		t.Error(d.err)
	}
}

func TestABurstWaitsForOneConnection(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address)
	var results []<-chan done
	for range 20 {
		results = append(results, do(t, h, Request{Head: get("/")}))
	}
	waitFor(t, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.groups[nil] != nil && h.groups[nil].dialing.waiters == 20
	})
	c := app.greeted()
	for range 20 {
		c.headers(c.request().stream, true, ":status: 200")
	}
	for _, result := range results {
		if d := wait(t, result); d.err != nil {
			t.Error(d.err)
		}
	}
	if n := connections(h); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestABurstThatOneConnectionCannotTakeOpensMoreAtOnce(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address)
	h.room = 2 // as connections before have taught
	var results []<-chan done
	for range 5 {
		results = append(results, do(t, h, Request{Head: get("/")}))
	}
	conns := []*framerConn{app.raw(), app.raw(), app.raw()} // none is greeted yet
	for _, c := range conns {
		c.readPreface()
		c.check(c.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 2}))
	}
	for _, c := range conns {
		go func() {
			for {
				frame, err := c.ReadFrame()
				if err != nil {
					return
				}
				if headers, is := frame.(*http2.MetaHeadersFrame); is {
					c.headers(headers.StreamID, true, ":status: 200")
				}
			}
		}()
	}
	for _, result := range results {
		if d := wait(t, result); d.err != nil {
			t.Error(d.err)
		}
	}
}

func TestAnApplicationThatAllowsNoStreamIsAnError(t *testing.T) {
	app := startFramerApp(t)
	result := do(t, newTestH2C(t, app.address), Request{Head: get("/")})
	app.greeted(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 0})
	if d := wait(t, result); !errors.Is(d.err, errNoStreams) {
		t.Errorf("got %v", d.err)
	}
}

func TestAConnectionThatHasEndedIsNotUsedAgain(t *testing.T) {
	for what, end := range map[string]func(*framerConn){
		"closed":   func(c *framerConn) { c.Close() },
		"goaway":   func(c *framerConn) { c.check(c.WriteGoAway(1<<31-1, http2.ErrCodeNo, nil)) },
		"nonsense": func(c *framerConn) { c.data(1<<20+1, true, "x") },
		"no stream": func(c *framerConn) {
			c.check(c.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 0}))
		},
	} {
		app := startFramerApp(t)
		h := newTestH2C(t, app.address)
		result := do(t, h, Request{Head: get("/")})
		c := app.greeted()
		c.headers(c.request().stream, true, ":status: 200")
		wait(t, result)
		end(c)
		waitFor(t, func() bool { return !reservable(h) })
		result = do(t, h, Request{Head: get("/")})
		c = app.greeted()
		c.headers(c.request().stream, true, ":status: 200")
		if d := wait(t, result); d.err != nil {
			t.Errorf("%s: %v", what, d.err)
		}
	}
}

// A connection may end between the moment it is chosen and the moment it is
// written to: nothing is lost then.
func TestAConnectionThatEndsAsItIsChosenIsReplaced(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address)
	result := do(t, h, Request{Head: get("/")})
	c := app.greeted()
	c.headers(c.request().stream, true, ":status: 200")
	wait(t, result)
	waitFor(t, func() bool { return first(h).InFlight() == 0 })

	a := &Answer{h2c: h}
	a.ctx, a.cancel = context.WithCancelCause(t.Context())
	req, err := h.newRequest(a, &Request{Head: head("POST", "/", "Content-Length: 2"), Body: &pieces{left: []string{"hi"}, end: io.EOF}})
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := h.conn(a.ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.check(c.WriteGoAway(1, http2.ErrCodeNo, nil))
	waitFor(t, func() bool { return !reservable(h) })
	_, err = chosen.RoundTrip(req)
	if err == nil || !neverSent(err) {
		t.Fatalf("got %v, want it to be known that nothing was sent", err)
	}
	sent := make(chan error, 1)
	go func() { sent <- h.send(a, nil, req) }()
	c = app.greeted()
	stream := c.request().stream
	if content, _, _ := c.body(); content != "hi" {
		t.Errorf("the body arrives as %q", content)
	}
	c.headers(stream, true, ":status: 200")
	if err := wait(t, sent); err != nil {
		t.Error(err)
	}
	a.Close()
}

func TestAnIdleConnectionIsClosed(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address, func(c *H2CConfig) { c.IdleTimeout = 30 * time.Millisecond })
	result := do(t, h, Request{Head: get("/")})
	c := app.greeted()
	c.headers(c.request().stream, true, ":status: 200")
	wait(t, result)
	for {
		if _, err := c.ReadFrame(); err != nil {
			if err != io.EOF {
				t.Errorf("got %v, want the connection closed", err)
			}
			break
		}
	}
	waitFor(t, func() bool { return !reservable(h) && connections(h) == 0 })
}

func TestCloseEndsWhatIsInFlight(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address)
	answered, waiting := do(t, h, Request{Head: get("/")}), do(t, h, Request{Head: get("/")})
	c := app.greeted()
	first := c.request()
	c.request()
	c.headers(first.stream, false, ":status: 200")
	var d done
	select { // whichever came first
	case d = <-answered:
	case d = <-waiting:
		waiting = answered
	case <-time.After(hang):
		t.Fatal("no answer")
	}
	h.Close()
	if _, err := d.answer.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("an answer ends with %v", err)
	}
	if d := wait(t, waiting); !errors.Is(d.err, net.ErrClosed) {
		t.Errorf("an exchange ends with %v", d.err)
	}
	if _, err := h.Do(t.Context(), Request{Head: get("/")}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a new exchange ends with %v", err)
	}
	h.Close()
}

func TestCloseEndsADial(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address, func(c *H2CConfig) { c.ConnectTimeout = time.Hour })
	result := do(t, h, Request{Head: get("/")})
	c := app.raw()
	c.readPreface() // and no word more
	h.Close()
	if d := wait(t, result); !errors.Is(d.err, net.ErrClosed) {
		t.Errorf("got %v", d.err)
	}
}

func TestADialThatFailsForCloseSaysSo(t *testing.T) {
	app := startFramerApp(t)
	dialled, goOn := make(chan bool), make(chan bool)
	h := newTestH2C(t, app.address, func(c *H2CConfig) {
		c.Dialed = func() error {
			dialled <- true
			<-goOn
			return errInterrupted
		}
	})
	result := do(t, h, Request{Head: get("/")})
	wait(t, dialled)
	closed := make(chan bool)
	go func() { h.Close(); close(closed) }()
	<-h.life.Done()
	close(goOn)
	wait(t, closed)
	if d := wait(t, result); d.err != net.ErrClosed {
		t.Errorf("got %v", d.err)
	}
}
