package upstream

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

func TestARequestThatWasNotSentLeavesTheConnectionAsItWas(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address)
	result := do(t, h, Request{Owner: "one", Head: get("/", "X: "+strings.Repeat("x", 1000))})
	c := app.greeted(http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: 1000})
	if d := wait(t, result); d.err == nil {
		t.Fatal("the head is not too large")
	}
	wantNobodys(t, h, 1)
	do(t, h, Request{Owner: "two", Head: get("/")})
	c.request()
}

func TestAConnectionWithACutStreamGoesToNobodyElse(t *testing.T) {
	for _, test := range []struct {
		what string
		r    Request
		play func(*framerConn, uint32)
		read bool
	}{
		{"no answer", Request{Head: get("/")}, nil, false},
		{"an answer that is not read", Request{Head: get("/")}, func(c *framerConn, id uint32) {
			c.headers(id, false, ":status: 200")
			c.data(id, false, "hi")
		}, false},
		{"an answer whose end is not read", Request{Head: get("/")}, func(c *framerConn, id uint32) {
			c.headers(id, false, ":status: 200")
			c.data(id, true, "hi")
		}, false},
		{"204 without an end", Request{Head: get("/")}, func(c *framerConn, id uint32) { c.headers(id, false, ":status: 204") }, false},
		{"an upload that is refused", upload(newStreamed()), func(c *framerConn, id uint32) { c.headers(id, true, ":status: 403") }, true},
		{"an upload that is answered before its end", upload(newStreamed()), func(c *framerConn, id uint32) { c.headers(id, true, ":status: 200") }, true},
		{"an upload that finds no room", Request{Head: head("POST", "/", "Content-Length: 2"), Body: strings.NewReader("hi")}, func(c *framerConn, id uint32) {
			c.headers(id, false, ":status: 200")
			c.data(id, true, "hi")
		}, true},
		{"an upload that finds no room, and a head alone", Request{Head: head("POST", "/", "Content-Length: 2"), Body: strings.NewReader("hi")}, func(c *framerConn, id uint32) {
			c.headers(id, true, ":status: 200")
		}, true},
		{"a reset by the application", Request{Head: get("/")}, func(c *framerConn, id uint32) { c.check(c.WriteRSTStream(id, http2.ErrCodeNo)) }, false},
		{"an answer that breaks the rules", Request{Head: get("/")}, func(c *framerConn, id uint32) { c.headers(id, false, "x: y") }, false},
	} {
		app := startFramerApp(t)
		h := newTestH2C(t, app.address, func(c *H2CConfig) { c.lingering = time.Hour })
		first := do(t, h, Request{Owner: "one", Head: get("/first")})
		c := app.greeted(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		kept := c.request().stream
		ctx, cancel := context.WithCancel(t.Context())
		test.r.Owner = "one"
		result := make(chan done, 1)
		go func() {
			a, err := h.Do(ctx, test.r)
			result <- done{a, err}
		}()
		stream := c.request().stream
		if test.play == nil {
			cancel()
		} else {
			test.play(c, stream)
		}
		if d := wait(t, result); d.err == nil {
			if test.read {
				read(t, d.answer)
			}
			d.answer.Close()
		}
		cancel()

		more := do(t, h, Request{Owner: "one", Head: get("/more")}) // may still share it
		for id, result := range map[uint32]<-chan done{kept: first, c.request().stream: more} {
			c.headers(id, true, ":status: 200")
			wait(t, result).answer.Close()
		}
		c.wantEnd()
		wantNobodys(t, h, 0)
		do(t, h, Request{Owner: "two", Head: get("/")})
		app.greeted().request()
	}
}

// wantEnd reads to the end of the connection, and says that it lives until then.
func (c *framerConn) wantEnd() {
	c.t.Helper()
	for {
		frame, err := c.ReadFrame()
		if ping, is := frame.(*http2.PingFrame); is && err == nil {
			_ = c.WritePing(true, ping.Data)
		}
		if err == io.EOF {
			return
		} else if err != nil {
			c.t.Fatalf("got %v, want the connection closed", err)
		}
	}
}

// net/http leaves such an upload where it is: nothing wakes it.
func TestAnUploadWithoutRoomWhoseAnswerHasEndedIsCut(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address, func(c *H2CConfig) { c.lingering = 20 * time.Millisecond })
	body := newStreamed()
	result := do(t, h, Request{Owner: "one", Head: head("POST", "/", "Content-Length: 2"), Body: body, Interrupt: body.interrupt})
	c := app.greeted(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	stream := c.request().stream
	body.say(t, "hi")
	c.headers(stream, true, ":status: 200")
	wait(t, result).answer.Close()
	c.wantEnd()
	wantNobodys(t, h, 0)
}

func TestAnAnswerThatIsClosedTwiceIsGivenBackOnce(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address)
	result := do(t, h, Request{Owner: "one", Head: get("/")})
	c := app.greeted()
	stream := c.request().stream
	other := do(t, h, Request{Owner: "one", Head: get("/other")})
	c.headers(c.request().stream, true, ":status: 200")
	c.headers(stream, true, ":status: 200")
	a := wait(t, result).answer
	a.Close()
	a.Close()
	wait(t, other).answer.Close()
	wantNobodys(t, h, 1)
}

func TestAnIdleConnectionThatTakesNoMoreIsClosed(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address, func(c *H2CConfig) { c.lingering = time.Hour })
	result := do(t, h, Request{Owner: "one", Head: get("/")})
	c := app.greeted()
	c.headers(c.request().stream, true, ":status: 200")
	wait(t, result).answer.Close()
	c.check(c.WriteGoAway(1, http2.ErrCodeNo, nil))
	waitFor(t, func() bool { return !reservable(h) })
	c.wantEnd()
	wantNobodys(t, h, 0)
}

// An application that does not answer the ping which comes with a reset does not
// keep its connection for it.
func TestAConnectionThatIsNotWantedIsClosedWithoutAWordOfTheApplication(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { _, err := h.Do(ctx, Request{Head: get("/")}); result <- err }()
	c := app.greeted()
	stream := c.request().stream
	cancel()
	c.reset(stream)
	wait(t, result)
	c.until("PING", func(f http2.Frame) bool { return f.Header().Type == http2.FramePing })
	if _, err := c.ReadFrame(); err != io.EOF {
		t.Errorf("got %v, want the connection closed", err)
	}
	wantNobodys(t, h, 0)
}
