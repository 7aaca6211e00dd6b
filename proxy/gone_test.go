package proxy

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// departures are the ways in which a client goes away.
var departures = map[string]func(*client){
	"FIN": func(c *client) { c.tail.Close() },
	"RST": func(c *client) {
		_ = c.tail.Conn.(*net.TCPConn).SetLinger(0)
		c.tail.Close()
	},
	"close_notify": func(c *client) { _ = c.CloseWrite() },
}

// thinking reads a request, says so much of an answer, and then only waits for
// the end of its connection, which it reports.
func thinking(said string, asked chan<- struct{}, ended chan<- error) exchangeFunc {
	return func(conn net.Conn, r *bufio.Reader, head string) bool {
		if !strings.Contains(head, " /think ") {
			_, err := io.WriteString(conn, okAnswer)
			return err == nil
		}
		_, _, _ = appBody(r, head)
		_, _ = io.WriteString(conn, said)
		asked <- struct{}{}
		_, err := r.ReadByte()
		ended <- err
		return false
	}
}

func TestTheApplicationIsToldWhenItsClientHasGone(t *testing.T) {
	const (
		head   = "POST /think HTTP/1.1\r\nHost: h\r\n"
		events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: x\n\n"
	)
	requests := map[string][]string{ // what is sent at once, and what after the application has the head
		"none":              {"GET /think HTTP/1.1\r\nHost: h\r\n\r\n"},
		"a body":            {head + "Content-Length: 4\r\n\r\nbody"},
		"a body afterwards": {head + "Content-Length: 4\r\n\r\n", "body"},
		"chunks afterwards": {head + "Transfer-Encoding: chunked\r\n\r\n", "4\r\nbody\r\n0\r\n\r\n"},
	}
	for how, leave := range departures {
		for moment, said := range map[string]string{"before the head": "", "after a 103": "HTTP/1.1 103 Early Hints\r\n\r\n", "in a silent body": events} {
			t.Run(how+" "+moment, func(t *testing.T) {
				t.Parallel()
				asked, ended := make(chan struct{}, len(requests)), make(chan error, len(requests))
				app := startBackend(t, thinking(said, asked, ended))
				s := startSidecar(t, app.url)
				for _, parts := range requests { // they wait together: each takes the sidecar's patience
					c := s.dial(t, nil)
					c.send(parts[0])
					app.seen(t)
					c.send(parts[1:]...)
					await(t, "the application has the request", asked)
					if strings.HasPrefix(said, "HTTP/1.1 200") {
						if answer, err := http.ReadResponse(c.r, nil); err != nil || answer.StatusCode != 200 {
							t.Fatalf("the head of the answer: %v", err)
						}
					}
					leave(c)
				}
				for range requests {
					if err := await(t, "the application's connection ends", ended); err == nil {
						t.Error("the application got a byte, want the end")
					}
				}
				waitFor(t, "no connection is left", func() bool { return s.open() == 0 })
				if n := s.pool.Idle(); n != 0 {
					t.Errorf("%d connections were kept for others, with an answer to come", n)
				}
				next := s.dial(t, nil)
				next.send(simpleGet)
				next.wantAnswer("GET", 200, "ok")
			})
		}
	}
}

// A client that has sent ahead is watched all the same.
func TestAClientThatGoesAfterItHasSentAheadIsMissed(t *testing.T) {
	for how, leave := range departures {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			asked, ended := make(chan struct{}, 1), make(chan error, 1)
			app := startBackend(t, thinking("", asked, ended))
			s := startSidecar(t, app.url)
			c := s.dial(t, nil)
			c.send("GET /think HTTP/1.1\r\nHost: h\r\n\r\n")
			await(t, "the application thinks", asked)
			<-time.After(patience * 5 / 4) // by now, most likely, the sidecar watches the client
			c.send("GET / HTTP/1.1\r\n")
			c.send("Host: ")
			leave(c)
			await(t, "the application's connection ends", ended)
			waitFor(t, "no connection is left", func() bool { return s.open() == 0 })
			app.seen(t)
			app.sawNothing(t)
		})
	}
}

// pondering answers with the body it got; on /think not before its release.
func pondering(asked chan<- struct{}, release <-chan struct{}) exchangeFunc {
	return func(conn net.Conn, r *bufio.Reader, head string) bool {
		body, _, _ := appBody(r, head)
		if strings.Contains(head, " /think ") {
			asked <- struct{}{}
			<-release
		}
		_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"+string(append(body, "-----"...)[:5]))
		return err == nil
	}
}

// What comes from a client while the application thinks is its next request, or
// a part of it, and none of it is lost.
func TestARequestSentWhileTheApplicationThinksIsServedAfterwards(t *testing.T) {
	long := strings.Repeat("v", 20<<10)
	for what, parts := range map[string][2]string{
		"nothing yet":        {"", post("AAAAA")},
		"half a head":        {"POST / HTTP/1.1\r\nHo", "st: h\r\nContent-Length: 5\r\n\r\nAAAAA"},
		"half a body":        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nAA", "AAA"},
		"half a chunk":       {chunkedPost("", "5\r\nAA"), "AAA\r\n0\r\n\r\n"},
		"all":                {post("AAAAA"), ""},
		"more than a buffer": {post("AAAAA") + "GET / HTTP/1.1\r\nHost: h\r\nX-Long: " + long, "\r\n\r\n"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			asked, release := make(chan struct{}, 1), make(chan struct{})
			app := startBackend(t, pondering(asked, release))
			c := startSidecar(t, app.url).dial(t, nil)
			c.send("GET /think HTTP/1.1\r\nHost: h\r\n\r\n")
			await(t, "the application thinks", asked)
			<-time.After(patience * 5 / 4) // by now, most likely, the sidecar watches the client
			c.send(parts[0])
			close(release)
			c.wantAnswer("GET", 200, "-----")
			c.send(parts[1])
			c.wantAnswer("POST", 200, "AAAAA")
			if what == "more than a buffer" {
				c.wantAnswer("GET", 200, "-----")
			}
		})
	}
}

func TestAShutdownWaitsForAnApplicationThatThinks(t *testing.T) {
	asked, release := make(chan struct{}, 1), make(chan struct{})
	app := startBackend(t, pondering(asked, release))
	s := startSidecar(t, app.url)
	c := s.dial(t, nil)
	c.send("GET /think HTTP/1.1\r\nHost: h\r\n\r\n")
	await(t, "the application thinks", asked)
	<-time.After(patience * 3 / 2)
	cut := shutDown(context.Background(), s)
	waitDraining(t, s)
	close(release)
	if answer := c.wantAnswer("GET", 200, "-----"); !answer.Close {
		t.Error("the last answer lacks Connection: close")
	}
	c.wantEnd()
	c.Close()
	if n := await(t, "the sidecar has stopped", cut); n != 0 {
		t.Errorf("%d requests were cut, want none", n)
	}
}

// A kept connection that is in use has no answer yet: nobody else may get it.
func TestTheAnswerToAClientThatHasGoneReachesNobodyElse(t *testing.T) {
	asked, ended := make(chan struct{}, 1), make(chan error, 1)
	app := startBackend(t, thinking("", asked, ended))
	s := startSidecar(t, app.url)
	first := s.dial(t, nil)
	first.send(simpleGet)
	first.wantAnswer("GET", 200, "ok") // now a connection is kept
	waitFor(t, "the connection is kept", func() bool { return s.pool.Idle() == 1 })
	first.send("GET /think HTTP/1.1\r\nHost: h\r\n\r\n")
	await(t, "the application thinks", asked)
	first.Close()
	second := s.dial(t, nil)
	for range 20 {
		second.send(simpleGet)
		second.wantAnswer("GET", 200, "ok")
	}
	await(t, "the application's connection ends", ended)
}
