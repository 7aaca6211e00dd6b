package upstream

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// want looks at what an exchange came to. again is whether it may be sent once
// more with any method, and with a safe one.
func wantEnded(t *testing.T, what string, err error, again [2]bool) *H2CError {
	t.Helper()
	var ended *H2CError
	if !errors.As(err, &ended) {
		t.Fatalf("%s: got %v, want an H2CError", what, err)
	}
	if got := [2]bool{ended.Again(false), ended.Again(true)}; got != again {
		t.Errorf("%s: may be sent again: %v, want %v (%+v)", what, got, again, ended)
	}
	return ended
}

var (
	never  = [2]bool{false, false}
	ifSafe = [2]bool{false, true}
	always = [2]bool{true, true}
)

func TestAResetTellsItsCode(t *testing.T) {
	body := func() io.Reader { return strings.NewReader("hello") }
	waiting := func() io.Reader { return &interruptible{until: make(chan struct{})} }
	for _, code := range []http2.ErrCode{
		http2.ErrCodeNo, http2.ErrCodeProtocol, http2.ErrCodeInternal, http2.ErrCodeRefusedStream, http2.ErrCodeCancel,
		http2.ErrCodeEnhanceYourCalm, http2.ErrCodeHTTP11Required, 0xffff,
	} {
		refused := never
		if code == http2.ErrCodeRefusedStream {
			refused = always // RFC 9113 §8.7
		}
		for _, test := range []struct {
			what string
			body func() io.Reader
			play func(*framerConn, uint32)
			want [2]bool
		}{
			{"at once", nil, func(*framerConn, uint32) {}, refused},
			{"while the body waits", waiting, func(*framerConn, uint32) {}, refused},
			{"after the body", body, func(c *framerConn, _ uint32) { c.body() }, never},
			{"after an interim answer", nil, func(c *framerConn, id uint32) { c.headers(id, false, ":status: 103") }, refused},
			{"after the head", nil, func(c *framerConn, id uint32) { c.headers(id, false, ":status: 200") }, refused},
			{"in the body", nil, func(c *framerConn, id uint32) { c.headers(id, false, ":status: 200"); c.data(id, false, "hi") }, refused},
		} {
			app := startFramerApp(t)
			r := Request{Head: get("/")}
			if test.body != nil {
				r = Request{Head: head("POST", "/", "Transfer-Encoding: chunked"), Body: test.body()}
				if i, is := r.Body.(*interruptible); is {
					r.Interrupt = i.interrupt
				}
			}
			result := do(t, newTestH2C(t, app.address), r)
			c := app.greeted()
			stream := c.request().stream
			test.play(c, stream)
			c.check(c.WriteRSTStream(stream, code))
			d := wait(t, result)
			if d.err == nil {
				_, d.err = io.ReadAll(d.answer)
			}
			ended := wantEnded(t, test.what, d.err, test.want)
			if !ended.Reset || uint32(ended.Code) != uint32(code) || !strings.Contains(ended.Error(), ended.Code.String()) {
				t.Errorf("%s: got %v, want %v", test.what, ended, code)
			}
			if name := code.String(); code < 0xe && name != ended.Code.String() {
				t.Errorf("code %d is called %q, want %q", code, ended.Code, name)
			}
		}
	}
}

// interruptible is a body that waits until it is interrupted, or for ever.
type interruptible struct{ until chan struct{} }

var errInterrupted = errors.New("interrupted")

func (i *interruptible) Read([]byte) (int, error) {
	<-i.until
	return 0, errInterrupted
}

func (i *interruptible) interrupt() { close(i.until) }

func TestAResetAfterTheEndChangesNothing(t *testing.T) {
	app := startFramerApp(t)
	i := &interruptible{until: make(chan struct{})}
	result := do(t, newTestH2C(t, app.address), Request{Head: head("POST", "/", "Transfer-Encoding: chunked"), Body: i, Interrupt: i.interrupt})
	c := app.greeted()
	stream := c.request().stream
	c.headers(stream, false, ":status: 413")
	c.data(stream, true, "too large")
	c.check(c.WriteRSTStream(stream, http2.ErrCodeNo)) // RFC 9113 §8.1 has servers do so
	d := wait(t, result)
	if d.err != nil {
		t.Fatal(d.err)
	}
	if got := read(t, d.answer); got != "too large" {
		t.Errorf("got %q", got)
	}
}

func TestGoAwayTellsWhatWasNotProcessed(t *testing.T) {
	for _, test := range []struct {
		what      string
		code      http2.ErrCode
		last      func(stream uint32) uint32
		kept      bool // an answer has come on the connection before
		closes    bool
		bodyTaken bool
		want      [2]bool
	}{
		{"before the stream", http2.ErrCodeNo, func(uint32) uint32 { return 0 }, false, false, false, always},
		{"before the stream, kept", http2.ErrCodeNo, func(s uint32) uint32 { return s - 2 }, true, false, false, always},
		{"before the stream, with an error", http2.ErrCodeEnhanceYourCalm, func(uint32) uint32 { return 0 }, false, false, false, always},
		{"before a later stream, with an error", http2.ErrCodeInternal, func(s uint32) uint32 { return s - 2 }, true, false, false, always},
		{"before the stream, body taken", http2.ErrCodeNo, func(uint32) uint32 { return 0 }, false, false, true, never},
		{"of the stream, and closed", http2.ErrCodeNo, func(s uint32) uint32 { return s }, false, true, false, never},
		{"of the stream, and closed, kept", http2.ErrCodeNo, func(s uint32) uint32 { return s }, true, true, false, ifSafe},
	} {
		app := startFramerApp(t)
		h := newTestH2C(t, app.address)
		var c *framerConn
		if test.kept {
			result := do(t, h, Request{Head: get("/")})
			c = app.greeted()
			c.headers(c.request().stream, true, ":status: 200")
			wait(t, result)
		}
		r := Request{Head: get("/")}
		if test.bodyTaken {
			r = Request{Head: head("POST", "/", "Content-Length: 2"), Body: strings.NewReader("hi")}
		}
		result := do(t, h, r)
		if c == nil {
			c = app.greeted()
		}
		stream := c.request().stream
		if test.bodyTaken {
			c.body()
		}
		c.check(c.WriteGoAway(test.last(stream), test.code, nil))
		if test.closes {
			c.Close()
		}
		wantEnded(t, test.what, wait(t, result).err, test.want)

		result = do(t, h, Request{Head: get("/")})
		c = app.greeted() // a new connection
		c.headers(c.request().stream, true, ":status: 200")
		if d := wait(t, result); d.err != nil {
			t.Errorf("%s: the next request fails: %v", test.what, d.err)
		}
	}
}

func TestGoAwayLeavesARunningStreamAlone(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address)
	result := do(t, h, Request{Head: get("/")})
	old := app.greeted()
	stream := old.request().stream
	old.headers(stream, false, ":status: 200")
	old.check(old.WriteGoAway(stream, http2.ErrCodeNo, nil))
	waitFor(t, func() bool { return !reservable(h) })
	other := do(t, h, Request{Head: get("/")})
	fresh := app.greeted()
	fresh.headers(fresh.request().stream, true, ":status: 200")
	if d := wait(t, other); d.err != nil {
		t.Error(d.err)
	}
	old.data(stream, true, "all of it")
	if got := read(t, wait(t, result).answer); got != "all of it" {
		t.Errorf("got %q", got)
	}
}

func TestAConnectionThatEndsIsToldFromOneThatWasKept(t *testing.T) {
	for _, kept := range []bool{false, true} {
		for _, body := range []string{"", "hi"} {
			app := startFramerApp(t)
			h := newTestH2C(t, app.address)
			result := do(t, h, Request{Head: get("/")})
			c := app.greeted()
			stream := c.request().stream
			if kept {
				c.headers(stream, true, ":status: 200")
				wait(t, result)
				r := Request{Head: get("/")}
				if body != "" {
					r = Request{Head: head("PUT", "/", "Content-Length: 2"), Body: strings.NewReader(body)}
				}
				result = do(t, h, r)
				c.request()
				if body != "" {
					c.body()
				}
			}
			c.Close()
			want := never
			if kept && body == "" {
				want = ifSafe
			}
			wantEnded(t, "closed", wait(t, result).err, want)
		}
	}
}

func TestADeadConnectionIsNoticedByAPing(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address, func(c *H2CConfig) { c.quietPing, c.pingTimeout = 20*time.Millisecond, 20*time.Millisecond })
	result := do(t, h, Request{Head: get("/")})
	c := app.greeted()
	c.request()
	c.until("PING", func(f http2.Frame) bool { return f.Header().Type == http2.FramePing })
	wantEnded(t, "no answer to a ping", wait(t, result).err, never)
}

func TestAWriteThatCannotGoOnEndsTheConnection(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address, func(c *H2CConfig) { c.WriteTimeout = 50 * time.Millisecond })
	result := do(t, h, Request{Head: get("/")})
	c := app.greeted(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
	c.check(c.WriteWindowUpdate(0, 1<<30))
	c.headers(c.request().stream, true, ":status: 200")
	wait(t, result)
	result = do(t, h, Request{Head: head("POST", "/", "Transfer-Encoding: chunked"), Body: zeros{}})
	// Nothing is read from here on, and the socket's buffers fill up.
	if ended := wantEnded(t, "nothing is read", wait(t, result).err, never); ended.Lost {
		t.Error("a timeout is taken for the application's end of the connection")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
