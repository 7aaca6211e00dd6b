package upstream

import (
	"errors"
	"mtls-sidecar/proxy/http1"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

func TestInterimAnswersComeInOrderBeforeTheFinalOne(t *testing.T) {
	app := startFramerApp(t)
	var got []string
	result := do(t, newTestH2C(t, app.address), Request{Head: get("/"), Interim: func(head []byte) error {
		var parsed http1.Response
		if err := parsed.Parse(head, []byte("GET"), http1.Limits{}); err != nil {
			t.Error(err)
		}
		got = append(got, string(head))
		return nil
	}})
	c := app.greeted()
	stream := c.request().stream
	c.headers(stream, false, ":status: 100")
	c.headers(stream, false, ":status: 103", "link: </a>", "link: </b>")
	c.headers(stream, false, ":status: 103", "link: </c>")
	c.headers(stream, true, ":status: 200")
	if d := wait(t, result); d.err != nil {
		t.Fatal(d.err)
	}
	want := "HTTP/1.1 100 Continue\r\n\r\n|HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n|HTTP/1.1 103 Early Hints\r\nLink: </c>\r\n\r\n"
	if strings.Join(got, "|") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestASlowTakerOfInterimAnswersHoldsUpNobodyElse(t *testing.T) {
	for _, fails := range []error{nil, errors.New("the client has gone")} {
		app := startFramerApp(t)
		h := newTestH2C(t, app.address)
		taking, goOn := make(chan bool, 1), make(chan bool)
		slow := do(t, h, Request{Head: get("/slow"), Interim: func([]byte) error {
			taking <- true
			<-goOn
			return fails
		}})
		c := app.greeted()
		first := c.request().stream
		c.headers(first, false, ":status: 103")
		wait(t, taking)
		c.headers(first, true, ":status: 200")
		other := do(t, h, Request{Head: get("/other")})
		c.headers(c.request().stream, true, ":status: 200")
		if d := wait(t, other); d.err != nil {
			t.Error(d.err)
		}
		select {
		case <-slow:
			t.Error("the final answer is there before the interim one is taken")
		default:
		}
		close(goOn)
		if d := wait(t, slow); d.err != fails {
			t.Errorf("got %v, want %v", d.err, fails)
		}
	}
}

func TestAnErrorOfInterimEndsTheExchange(t *testing.T) {
	app := startFramerApp(t)
	gone := errors.New("the client has gone")
	result := do(t, newTestH2C(t, app.address), Request{Head: get("/"), Interim: func([]byte) error { return gone }})
	c := app.greeted()
	stream := c.request().stream
	c.headers(stream, false, ":status: 103")
	if code := c.reset(stream); code != http2.ErrCodeCancel {
		t.Errorf("reset with %v", code)
	}
	if d := wait(t, result); d.err != gone {
		t.Errorf("got %v", d.err)
	}
}

func TestAFloodOfInterimAnswersIsNotKept(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address)
	c := neighboured(t, h, app)
	goOn := make(chan bool)
	result := do(t, h, Request{Head: get("/"), Interim: func([]byte) error { <-goOn; return nil }})
	stream := c.request().stream
	for range 40 {
		c.headers(stream, false, ":status: 103", "x: "+strings.Repeat("x", 1<<10))
	}
	c.reset(stream)
	close(goOn)
	if d := wait(t, result); !errors.Is(d.err, errInterimFlood) {
		t.Errorf("got %v", d.err)
	}
}

func TestManyInterimAnswersPassIfTheyAreTaken(t *testing.T) {
	app := startFramerApp(t)
	taken := make(chan bool)
	result := do(t, newTestH2C(t, app.address), Request{Head: get("/"), Interim: func([]byte) error { taken <- true; return nil }})
	c := app.greeted()
	stream := c.request().stream
	for range 40 { // more than a head may have, together
		c.headers(stream, false, ":status: 103", "x: "+strings.Repeat("x", 1<<10))
		wait(t, taken)
	}
	c.headers(stream, true, ":status: 200")
	if d := wait(t, result); d.err != nil {
		t.Error(d.err)
	}
}

func TestNoInterimAnswerComesAfterTheExchangeHasFailed(t *testing.T) {
	var i h2cInterim
	sent, goOn := make(chan bool, 10), make(chan bool)
	i.start(func([]byte) error { sent <- true; <-goOn; return nil }, 1<<10, nil)
	got := func() {
		if err := i.got(103, nil); err != nil {
			t.Error(err)
		}
	}
	got()
	wait(t, sent)
	got() // waits behind the first
	settled := make(chan bool)
	go func() { i.settle(true); close(settled) }()
	waitFor(t, func() bool { i.mu.Lock(); defer i.mu.Unlock(); return i.over })
	got() // too late
	close(goOn)
	wait(t, settled)
	if n := len(sent); n > 0 {
		t.Errorf("%d more were sent", n)
	}
}
