package upstream

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// streamed is a body whose pieces come one by one.
type streamed struct {
	pieces chan string
	until  chan struct{} // closed by interrupt
	asked  atomic.Int32  // how often
}

func newStreamed() *streamed {
	return &streamed{pieces: make(chan string), until: make(chan struct{})}
}

func (s *streamed) interrupt() { close(s.until) }

func (s *streamed) Read(p []byte) (int, error) {
	s.asked.Add(1)
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
	waitFor(t, func() bool { return body.asked.Load() == 2 })
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
	c := neighboured(t, h, app)
	body := newStreamed()
	result := do(t, h, upload(body))
	stream := c.request().stream
	c.headers(stream, false, ":status: 200")
	c.data(stream, true, "enough")
	a := wait(t, result).answer
	if got := read(t, a); got != "enough" {
		t.Errorf("got %q", got)
	}
	body.say(t, "it is still read")
	waitFor(t, func() bool { return body.asked.Load() == 2 })
	a.Close()
	wait(t, body.until)
	c.reset(stream)
	wantUsable(t, h, c)
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
		c := neighboured(t, h, app, test.settings...)
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

// What a caller has lent is its own again after Close.
func TestNothingReadsTheBodyAfterClose(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, answered := range []bool{true, false} {
		var reading, interrupts atomic.Int32
		until := make(chan struct{})
		r := Request{Head: head("POST", "/", "Transfer-Encoding: chunked")}
		r.Body = readerFunc(func([]byte) (int, error) {
			reading.Store(1)
			<-until
			<-time.After(20 * time.Millisecond) // an interrupted Read need not return at once
			reading.Store(2)
			return 0, errInterrupted
		})
		r.Interrupt = func() { interrupts.Add(1); close(until) }
		result := make(chan done, 1)
		go func() {
			a, err := h.Do(ctx, r)
			result <- done{a, err}
		}()
		c := app.greeted() // another one, after the first was cut
		if answered {
			c.headers(c.request().stream, false, ":status: 200")
			d := wait(t, result)
			waitFor(t, func() bool { return reading.Load() == 1 })
			d.answer.Close()
		} else {
			waitFor(t, func() bool { return reading.Load() == 1 })
			cancel()
			wait(t, result)
		}
		if reading.Load() != 2 || interrupts.Load() != 1 {
			t.Errorf("answered %t: a Read is still going on (%d) after %d interruptions", answered, reading.Load(), interrupts.Load())
		}
	}
}

func TestABodyThatIsNotWantedIsNotReadOn(t *testing.T) {
	u := h2cUpload{src: nobodyReads{t}, left: -1}
	u.still.L = &u.mu
	u.interrupt = func() { t.Error("nobody reads, and is interrupted all the same") }
	_ = u.Close()
	if n, err := u.Read(make([]byte, 1)); n != 0 || err != errUnwanted {
		t.Errorf("read %d bytes (%v)", n, err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
