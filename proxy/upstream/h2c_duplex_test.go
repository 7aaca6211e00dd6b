package upstream

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// streamed is a body whose pieces come one by one.
type streamed struct {
	pieces chan string
	until  chan struct{} // closed by interrupt
}

func newStreamed() *streamed {
	return &streamed{make(chan string), make(chan struct{})}
}

func (s *streamed) interrupt() { close(s.until) }

func (s *streamed) Read(p []byte) (int, error) {
	select {
	case piece, more := <-s.pieces:
		if !more {
			return 0, io.EOF
		}
		return copy(p, piece), nil
	case <-s.until:
		return 0, errInterrupted
	}
}

func (s *streamed) say(t *testing.T, piece string) {
	t.Helper()
	select {
	case s.pieces <- piece:
	case <-time.After(hang):
		t.Fatalf("nobody reads %q", piece)
	}
}

func upload(s *streamed) Request {
	return Request{Head: head("POST", "/", "Transfer-Encoding: chunked"), Body: s, Interrupt: s.interrupt}
}

func TestBothSidesTalkAtOnce(t *testing.T) {
	app := startFramerApp(t)
	body := newStreamed()
	result := do(t, newTestH2C(t, app.address), upload(body))
	c := app.greeted()
	stream := c.request().stream
	c.headers(stream, false, ":status: 200")
	a := wait(t, result).answer // nothing of the body has been read
	for _, word := range []string{"one", "two", "three"} {
		body.say(t, word)
		frame := c.until("DATA", func(f http2.Frame) bool { return f.Header().Type == http2.FrameData })
		c.data(stream, false, string(frame.(*http2.DataFrame).Data()))
		got := make([]byte, len(word))
		if _, err := io.ReadFull(a, got); err != nil || string(got) != word {
			t.Fatalf("got %q (%v), want %q", got, err, word)
		}
	}
	close(body.pieces)
	c.body()
	c.headers(stream, true, "grpc-status: 0")
	if got := read(t, a); got != "" || len(a.Trailer()) != 1 {
		t.Errorf("got %q and %d trailers", got, len(a.Trailer()))
	}
}

// An application that says no needs no body, in net/http's view: it stops
// reading one at a status above 299.
func TestARefusalStopsTheBodyAndIsReadToItsEnd(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address)
	body := newStreamed()
	result := do(t, h, upload(body))
	c := app.greeted()
	stream := c.request().stream
	body.say(t, "he")
	c.headers(stream, false, ":status: 401")
	a := wait(t, result).answer
	wait(t, body.until)
	c.data(stream, false, "who are ")
	c.data(stream, true, "you?")
	if got := read(t, a); got != "who are you?" {
		t.Errorf("got %q", got)
	}
	if code := c.reset(stream); code != http2.ErrCodeNo {
		t.Errorf("reset with %v", code)
	}
}

func TestAnEarlyEndIsReadToItsEndAndCloseStopsTheBody(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address)
	body := newStreamed()
	result := do(t, h, upload(body))
	c := app.greeted()
	stream := c.request().stream
	c.headers(stream, false, ":status: 200")
	c.data(stream, true, "enough")
	a := wait(t, result).answer
	if got := read(t, a); got != "enough" {
		t.Errorf("got %q", got)
	}
	body.say(t, "it is still read")
	a.Close()
	wait(t, body.until)
	c.reset(stream)
	wantUsable(t, h, c)
}

// wantUsable wants the next request on the same connection.
func wantUsable(t *testing.T, h *H2C, c *framerConn) {
	t.Helper()
	result := do(t, h, Request{Head: get("/next")})
	c.headers(c.request().stream, true, ":status: 200")
	if d := wait(t, result); d.err != nil {
		t.Errorf("the next request fails: %v", d.err)
	}
}

func TestTheEndOfTheContextEndsEverything(t *testing.T) {
	why := errors.New("the client has gone")
	blocked := http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}
	for _, test := range []struct {
		what     string
		settings []http2.Setting
		body     func(*streamed) Request
		answered bool
	}{
		{"no body", nil, nil, false},
		{"a body that waits", nil, upload, false},
		{"a body that nobody takes", []http2.Setting{blocked}, func(*streamed) Request {
			return Request{Head: head("POST", "/", "Content-Length: 2"), Body: strings.NewReader("hi")}
		}, false},
		{"no body, answered", nil, nil, true},
		{"a body that waits, answered", nil, upload, true},
		{"a body that nobody takes, answered", []http2.Setting{blocked}, func(*streamed) Request {
			return Request{Head: head("POST", "/", "Content-Length: 2"), Body: strings.NewReader("hi")}
		}, true},
	} {
		app := startFramerApp(t)
		h := newTestH2C(t, app.address)
		body := newStreamed()
		r := Request{Head: get("/")}
		if test.body != nil {
			r = test.body(body)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		result := make(chan done, 1)
		go func() {
			a, err := h.Do(ctx, r)
			result <- done{a, err}
		}()
		c := app.greeted(test.settings...)
		stream := c.request().stream
		var d done
		if test.answered {
			c.headers(stream, false, ":status: 200")
			d = wait(t, result)
			go func() {
				_, err := d.answer.Read(make([]byte, 1))
				result <- done{d.answer, err}
			}()
		}
		cancel(why)
		if code := c.reset(stream); code != http2.ErrCodeCancel {
			t.Errorf("%s: reset with %v", test.what, code)
		}
		if d = wait(t, result); d.err != why {
			t.Errorf("%s: got %v, want the cause", test.what, d.err)
		}
		if d.answer != nil {
			d.answer.Close()
		}
		wantUsable(t, h, c)
	}
}

func TestTheEndOfTheContextEndsTheWaitForAConnection(t *testing.T) {
	app := startFramerApp(t)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	h := newTestH2C(t, app.address)
	go func() { _, err := h.Do(ctx, Request{Head: get("/")}); result <- err }()
	app.raw().readPreface() // and no greeting
	cancel()
	if err := wait(t, result); err != context.Canceled {
		t.Errorf("got %v", err)
	}
}

func TestCloseEndsAnOpenStreamAlone(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address)
	first := do(t, h, Request{Head: get("/first")})
	c := app.greeted()
	stream := c.request().stream
	c.headers(stream, false, ":status: 200")
	a := wait(t, first).answer
	c.data(stream, false, "unread")
	second := do(t, h, Request{Head: get("/second")})
	other := c.request().stream
	c.headers(other, false, ":status: 200")
	a.Close()
	a.Close()
	if code := c.reset(stream); code != http2.ErrCodeCancel {
		t.Errorf("reset with %v", code)
	}
	if n, err := a.Read(make([]byte, 1)); n > 0 || err == nil || err == io.EOF {
		t.Errorf("a closed answer gives %d bytes and %v", n, err)
	}
	c.data(other, true, "whole")
	if got := read(t, wait(t, second).answer); got != "whole" {
		t.Errorf("got %q", got)
	}
}

func TestAWholeExchangeEndsWithoutAReset(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address)
	var c *framerConn
	for i := range 20 {
		result := do(t, h, Request{Head: head("POST", "/", "Content-Length: 2"), Body: strings.NewReader("hi")})
		if i == 0 {
			c = app.greeted()
		}
		stream := c.request().stream
		c.body()
		c.headers(stream, false, ":status: 200")
		c.data(stream, true, "hello")
		a := wait(t, result).answer
		read(t, a)
		a.Close()
	}
	wantUsable(t, h, c)
	if c.resets > 0 {
		t.Errorf("%d whole exchanges were reset", c.resets)
	}
}

func TestTheApplicationsWindowIsHeeded(t *testing.T) {
	app := startFramerApp(t)
	result := do(t, newTestH2C(t, app.address), Request{Head: head("POST", "/", "Content-Length: 25"), Body: strings.NewReader("0123456789abcdefghijklmno")})
	c := app.greeted(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
	stream := c.request().stream
	got := ""
	for _, window := range []uint32{10, 10, 5} {
		for n := uint32(0); n < window; {
			data := c.until("DATA", func(f http2.Frame) bool { return f.Header().Type == http2.FrameData }).(*http2.DataFrame)
			n += uint32(len(data.Data()))
			got += string(data.Data())
			if n > window {
				t.Errorf("%d bytes into a window of %d", n, window)
			}
		}
		c.check(c.WriteWindowUpdate(stream, 10))
	}
	if got != "0123456789abcdefghijklmno" {
		t.Errorf("got %q", got)
	}
	c.headers(stream, true, ":status: 200")
	if d := wait(t, result); d.err != nil {
		t.Error(d.err)
	}
}

// What a slow reader costs is bounded, and others on the connection go on.
func TestAnAnswerIsNotAheadOfItsReaderByMoreThanTheWindow(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address)
	slow := do(t, h, Request{Head: get("/slow")})
	c := app.raw()
	c.readPreface()
	frame := c.until("SETTINGS", func(f http2.Frame) bool { return f.Header().Type == http2.FrameSettings })
	window, _ := frame.(*http2.SettingsFrame).Value(http2.SettingInitialWindowSize)
	if push, ok := frame.(*http2.SettingsFrame).Value(http2.SettingEnablePush); !ok || push != 0 || window != streamWindow {
		t.Errorf("the window is %d (want %d), push is %d", window, streamWindow, push)
	}
	c.check(c.WriteSettings())
	c.check(c.WriteSettingsAck())
	stream := c.request().stream
	c.headers(stream, false, ":status: 200")
	a := wait(t, slow).answer
	piece := strings.Repeat("x", 16<<10)
	for range window / uint32(len(piece)) {
		c.data(stream, false, piece)
	}
	wantUsable(t, h, c) // with the window of the other full
	got := make([]byte, 8<<10)
	if _, err := io.ReadFull(a, got); err != nil {
		t.Fatal(err)
	}
	c.until("WINDOW_UPDATE", func(f http2.Frame) bool {
		return f.Header().Type == http2.FrameWindowUpdate && f.Header().StreamID == stream
	})
	c.data(stream, true, "end")
	if rest := read(t, a); len(rest) != int(window)-len(got)+3 {
		t.Errorf("%d bytes were left", len(rest))
	}
}
