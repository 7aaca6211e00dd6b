package upstream

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// neighboured gives a connection on which an exchange of the owner nil goes on
// to the end of the test.
func neighboured(t *testing.T, h *H2C, app *framerApp, settings ...http2.Setting) *framerConn {
	t.Helper()
	do(t, h, Request{Head: get("/neighbour")})
	c := app.greeted(settings...)
	c.request()
	return c
}

// wantUsable wants the next request of the owner nil on the connection.
func wantUsable(t *testing.T, h *H2C, c *framerConn) {
	t.Helper()
	result := do(t, h, Request{Head: get("/next")})
	c.headers(c.request().stream, true, ":status: 200")
	if d := wait(t, result); d.err != nil {
		t.Errorf("the next request fails: %v", d.err)
	}
}

// wantNobodys wants an H2C that knows no owner any more, and so many connections.
func wantNobodys(t *testing.T, h *H2C, idle int) {
	t.Helper()
	waitFor(t, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		for e := h.idle.Front(); e != nil; e = e.Next() {
			if owner := e.Value.(*h2cConn).owner; owner != nil {
				t.Errorf("a connection is %v's, and nobody's", owner)
			}
		}
		return len(h.groups) == 0 && h.idle.Len() == idle && len(h.conns) == idle
	})
}

func TestAConnectionThatIsIdleIsHandedOn(t *testing.T) {
	post := func() Request {
		return Request{Head: head("POST", "/", "Transfer-Encoding: chunked"), Body: strings.NewReader("hi")}
	}
	ended := func(fields ...string) func(*framerConn, uint32) {
		return func(c *framerConn, id uint32) { c.headers(id, true, fields...) }
	}
	content := func(c *framerConn, id uint32) { c.headers(id, false, ":status: 200"); c.data(id, true, "hi") }
	for _, test := range []struct {
		what    string
		r       Request
		play    func(*framerConn, uint32)
		reads   bool // the body of the answer
		uploads bool
	}{
		{"an answer with content", Request{Head: get("/")}, content, true, false},
		{"an answer with trailers", Request{Head: get("/")}, func(c *framerConn, id uint32) {
			c.headers(id, false, ":status: 200")
			c.data(id, false, "hi")
			c.headers(id, true, "grpc-status: 0")
		}, true, false},
		{"an upload", post(), content, true, true},
		{"an upload that is refused once it is there", post(), ended(":status: 403"), true, true},
		{"an upload, and a head alone", post(), ended(":status: 200", "grpc-status: 5"), false, true},
		{"a head alone", Request{Head: get("/")}, ended(":status: 200"), false, false},
		{"no content by its length", Request{Head: get("/")}, ended(":status: 200", "content-length: 0"), true, false},
		{"HEAD", Request{Head: head("HEAD", "/")}, ended(":status: 200", "content-length: 9"), false, false},
		{"204", Request{Head: get("/")}, ended(":status: 204"), false, false},
		{"304 with a length", Request{Head: get("/")}, ended(":status: 304", "content-length: 9"), false, false},
		{"304 with a length of 0", Request{Head: get("/")}, ended(":status: 304", "content-length: 0"), false, false},
	} {
		app := startFramerApp(t)
		h := newTestH2C(t, app.address)
		test.r.Owner = "one"
		result := do(t, h, test.r)
		c := app.greeted()
		stream := c.request().stream
		if test.uploads {
			c.body()
		}
		test.play(c, stream)
		d := wait(t, result)
		if d.err != nil {
			t.Fatalf("%s: %v", test.what, d.err)
		}
		if test.reads {
			read(t, d.answer)
		}
		d.answer.Close()
		d.answer.Close()
		wantNobodys(t, h, 1)
		result = do(t, h, Request{Owner: "two", Head: get("/")})
		c.headers(c.request().stream, true, ":status: 200")
		if d := wait(t, result); d.err != nil {
			t.Errorf("%s: the next owner's request: %v", test.what, d.err)
		}
	}
}

func TestBurstsOfManyOwnersMakeOneConnectionEach(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address)
	results := map[int][]<-chan done{}
	for i := range 20 {
		results[i%5] = append(results[i%5], do(t, h, Request{Owner: i % 5, Head: get(fmt.Sprintf("/%d", i%5))}))
	}
	waitFor(t, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		waiters := 0
		for _, g := range h.groups {
			waiters += g.dialing.waiters
		}
		return waiters == 20
	})
	for range 5 {
		c := app.greeted()
		owner := ""
		for i := range 4 {
			r := c.request()
			if i > 0 && r.value(":path") != owner {
				t.Errorf("%s is with %s", r.value(":path"), owner)
			}
			owner = r.value(":path")
			c.headers(r.stream, true, ":status: 200")
		}
	}
	for _, of := range results {
		for _, result := range of {
			if d := wait(t, result); d.err != nil {
				t.Error(d.err)
			} else {
				d.answer.Close()
			}
		}
	}
	wantNobodys(t, h, 5)
}

func TestAnOwnerThatIsGoneLeavesNothingBehind(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address, func(c *H2CConfig) { c.ConnectTimeout = hang })
	gone, cancel := context.WithCancel(t.Context())
	results := make(chan error, 3)
	for range 3 {
		go func() { _, err := h.Do(gone, Request{Owner: "gone", Head: get("/")}); results <- err }()
	}
	c := app.raw()
	c.readPreface()
	waitFor(t, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.groups["gone"].dialing.waiters == 3
	})
	cancel()
	for range 3 {
		wait(t, results)
	}
	c.check(c.WriteSettings()) // too late for them
	wantNobodys(t, h, 1)
	result := do(t, h, Request{Owner: "next", Head: get("/")})
	c.headers(c.request().stream, true, ":status: 200")
	wait(t, result).answer.Close()
	wantNobodys(t, h, 1)
	result = do(t, h, Request{Owner: "next", Head: get("/")})
	c.headers(c.request().stream, true, ":status: 200")
	d := wait(t, result)
	c.Close()
	waitFor(t, func() bool { return connections(h) == 0 })
	d.answer.Close()
	wantNobodys(t, h, 0)

	do(t, h, Request{Owner: "refused", Head: get("/")})
	app.raw().Close()
	wantNobodys(t, h, 0)
}

func TestABurstThatAConnectionCannotTakeGivesBackWhatItWasPromised(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address)
	var results []<-chan done
	for range 3 {
		results = append(results, do(t, h, Request{Owner: "one", Head: get("/")}))
	}
	waitFor(t, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.groups["one"] != nil && h.groups["one"].dialing.waiters == 3
	})
	var answers []func() // given once all three are there: an answered stream is free for the next
	for range 3 {
		c := app.greeted(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
		stream := c.request().stream
		answers = append(answers, func() { c.headers(stream, true, ":status: 200") })
	}
	for _, answer := range answers {
		answer()
	}
	for _, result := range results {
		wait(t, result).answer.Close()
	}
	wantNobodys(t, h, 3)
}

// The connection may be there when the request that waited for it gives up.
func TestWhatAGoneOwnerWasPromisedIsGivenBack(t *testing.T) {
	h := newTestH2C(t, startH2CServer(t, nil))
	c, err := h.conn(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	c.Release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.await(ctx, &h2cDial{owner: "one", done: make(chan struct{}), waiters: 1, conn: c}); err != context.Canceled {
		t.Errorf("got %v", err)
	}
	wantNobodys(t, h, 1)
}

func TestADialThatComesTooLateIsOneOfMaxIdle(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address, func(c *H2CConfig) { c.MaxIdle = 1 })
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() { _, err := h.Do(ctx, Request{Owner: "gone", Head: get("/")}); gone <- err }()
	late := app.raw()
	late.readPreface()
	cancel()
	wait(t, gone)
	result := do(t, h, Request{Owner: "one", Head: get("/")})
	c := app.greeted()
	c.headers(c.request().stream, true, ":status: 200")
	wait(t, result).answer.Close()
	late.check(late.WriteSettings())
	late.wantEnd()
	wantNobodys(t, h, 1)
}

func TestNoMoreThanMaxIdleConnectionsAreNobodys(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address, func(c *H2CConfig) { c.MaxIdle = 2 })
	var results []<-chan done
	var conns []*framerConn
	for owner := range 3 {
		results = append(results, do(t, h, Request{Owner: owner, Head: get("/")}))
		conns = append(conns, app.greeted())
		conns[owner].headers(conns[owner].request().stream, true, ":status: 200")
	}
	for _, result := range results {
		wait(t, result).answer.Close()
	}
	conns[2].wantEnd()
	wantNobodys(t, h, 2)
	do(t, h, Request{Owner: "next", Head: get("/")})
	conns[1].request() // the last that was used
}
