package proxy

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// dyingOn is an application that answers a connection's first request, and
// reads the second and closes after some bytes. Fresh connections do so with
// the first already where freshToo is set.
func dyingOn(n *numbering, last string, freshToo bool) exchangeFunc {
	return func(conn net.Conn, r *bufio.Reader, head string) bool {
		_, _, _ = appBody(r, head)
		connection, request := n.next(conn)
		if (connection == 1 && request == 2) || (connection > 1 && freshToo) {
			_, _ = io.WriteString(conn, last)
			return false
		}
		_, err := io.WriteString(conn, okAnswer)
		return err == nil
	}
}

// secondRequest makes a first exchange, so that the next goes out on a kept
// connection, and sends the request given.
func secondRequest(t *testing.T, app *backend, request string) *client {
	t.Helper()
	c := startSidecar(t, app.url).dial(t, nil)
	c.send(simpleGet)
	c.wantAnswer("GET", 200, "ok")
	app.seen(t)
	c.send(request)
	return c
}

func TestARequestThatMayBeRepeatedIsSentOnceMore(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		app := startBackend(t, dyingOn(&numbering{}, "", false))
		request := method + " /again HTTP/1.1\r\nHost: h\r\nX-Request-Id: r\r\n\r\n"
		c := secondRequest(t, app, request)
		if answer, _ := c.answer(method); answer.StatusCode != 200 {
			t.Errorf("%s: got %d, want 200 from the fresh connection", method, answer.StatusCode)
		}
		first, again := app.seen(t), app.seen(t)
		if first != again || !strings.HasPrefix(again, method+" /again ") {
			t.Errorf("%s: sent\n%s\nand then\n%s", method, first, again)
		}
	}
}

func TestARequestIsNeverSentTwiceThatMayNotBe(t *testing.T) {
	for what, test := range map[string]struct{ request, last string }{
		"POST":                              {post("x"), ""},
		"POST without a body":               {"POST / HTTP/1.1\r\nHost: h\r\n\r\n", ""},
		"DELETE":                            {"DELETE / HTTP/1.1\r\nHost: h\r\n\r\n", ""},
		"PUT":                               {"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", ""},
		"GET with a body":                   {"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", ""},
		"GET with a chunked body":           {"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ""},
		"an unknown method":                 {"FETCH / HTTP/1.1\r\nHost: h\r\n\r\n", ""},
		"a method in another case":          {"get / HTTP/1.1\r\nHost: h\r\n\r\n", ""},
		"GET that was answered with a byte": {simpleGet, "H"},
		"GET that was answered in part":     {simpleGet, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"},
		"GET that was answered badly":       {simpleGet, "what?\r\n\r\n"},
	} {
		app := startBackend(t, dyingOn(&numbering{}, test.last, false))
		c := secondRequest(t, app, test.request)
		if answer, _ := c.answer("GET"); answer.StatusCode != 502 {
			t.Errorf("%s: got %d, want 502", what, answer.StatusCode)
		}
		app.seen(t)
		app.sawNothing(t)
	}
}

func TestNothingIsRepeatedAfterAnInterimAnswer(t *testing.T) {
	for _, interim := range []string{"103 Early Hints", "100 Continue"} {
		app := startBackend(t, dyingOn(&numbering{}, "HTTP/1.1 "+interim+"\r\n\r\n", false))
		c := secondRequest(t, app, simpleGet)
		answer, _ := c.answer("GET")
		if answer.StatusCode == 103 {
			answer, _ = c.answer("GET")
		}
		if answer.StatusCode != 502 {
			t.Errorf("%s: got %d, want 502", interim, answer.StatusCode)
		}
		app.seen(t)
		app.sawNothing(t)
	}
}

func TestAFreshConnectionIsTriedOnce(t *testing.T) {
	app := startBackend(t, func(net.Conn, *bufio.Reader, string) bool { return false })
	c := startSidecar(t, app.url).dial(t, nil)
	c.send(simpleGet)
	c.wantRefusal("GET", 502)
	app.seen(t)
	app.sawNothing(t)
}

func TestARequestIsSentOnceMoreAndNoMore(t *testing.T) {
	app := startBackend(t, dyingOn(&numbering{}, "", true))
	c := secondRequest(t, app, simpleGet)
	c.wantRefusal("GET", 502)
	app.seen(t)
	app.seen(t)
	app.sawNothing(t)
}

// Where one kept connection was closed by the application, the others may have
// been, too: the second attempt goes out on a fresh one.
func TestARequestIsRepeatedOnAFreshConnection(t *testing.T) {
	var n numbering
	var both sync.WaitGroup
	both.Add(2)
	app := startBackend(t, func(conn net.Conn, _ *bufio.Reader, _ string) bool {
		connection, request := n.next(conn)
		switch {
		case connection <= 2 && request == 1:
			both.Done()
			both.Wait()
		case connection <= 2:
			return false
		}
		_, err := io.WriteString(conn, okAnswer)
		return err == nil
	})
	s := startSidecar(t, app.url)
	first, second := s.dial(t, nil), s.dial(t, nil)
	first.send(simpleGet)
	second.send(simpleGet)
	first.wantAnswer("GET", 200, "ok")
	second.wantAnswer("GET", 200, "ok")
	app.seen(t)
	app.seen(t)
	waitFor(t, "both connections are kept", func() bool { return s.pool.Idle() == 2 })
	c := s.dial(t, nil)
	c.send(simpleGet)
	c.wantAnswer("GET", 200, "ok")
	app.seen(t)
	app.seen(t)
	app.sawNothing(t)
}

func TestARequestIsNotRepeatedForAClientThatHasGone(t *testing.T) {
	var n numbering
	held, ended := make(chan struct{}, 1), make(chan struct{}, 1)
	app := startBackend(t, func(conn net.Conn, r *bufio.Reader, _ string) bool {
		if _, request := n.next(conn); request == 1 {
			_, err := io.WriteString(conn, okAnswer)
			return err == nil
		}
		held <- struct{}{}
		_, _ = r.ReadByte() // until the sidecar gives up
		ended <- struct{}{}
		return false
	})
	s := startSidecar(t, app.url)
	c := s.dial(t, nil)
	c.send(simpleGet)
	c.wantAnswer("GET", 200, "ok")
	app.seen(t)
	c.send(simpleGet)
	await(t, "the second request", held)
	app.seen(t)
	c.Close()
	await(t, "the application is told to stop", ended)
	waitFor(t, "the connection is gone", func() bool { return s.open() == 0 })
	app.sawNothing(t)
}

func TestARequestIsNotRepeatedForAConnectionThatIsCut(t *testing.T) {
	var n numbering
	held := make(chan struct{}, 1)
	app := startBackend(t, func(conn net.Conn, r *bufio.Reader, _ string) bool {
		if _, request := n.next(conn); request == 1 {
			_, err := io.WriteString(conn, okAnswer)
			return err == nil
		}
		held <- struct{}{}
		_, _ = r.ReadByte()
		return false
	})
	s := startSidecar(t, app.url)
	c := s.dial(t, nil)
	c.send(simpleGet)
	c.wantAnswer("GET", 200, "ok")
	app.seen(t)
	c.send(simpleGet)
	await(t, "the second request", held)
	app.seen(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Shutdown(ctx)
	app.sawNothing(t)
}
