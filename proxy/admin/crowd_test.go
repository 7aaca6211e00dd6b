package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"
)

func TestNobodyCanHoldAllConnections(t *testing.T) {
	t.Parallel()
	options := everything()
	waiting := make(chan struct{}, 1)
	s := New(options)
	s.crowd.most = 4
	s.after = func(time.Duration) (<-chan time.Time, func() bool) {
		waiting <- struct{}{}
		return nil, func() bool { return true }
	}
	r := startOn(t, s, "tcp", "127.0.0.1:0")
	hook := dial(t, r.addr) // which waits for the end of the drain
	if _, err := io.WriteString(hook, "GET /drained HTTP/1.1\r\nHost: pod\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-waiting
	var idle []net.Conn
	for range 10 {
		idle = append(idle, dial(t, r.addr))
	}
	for i, conn := range idle[:7] {
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !isReset(err) {
			t.Errorf("connection %d: %v, want it closed", i, err)
		}
	}
	for i, conn := range idle[7:] {
		if status, _ := exchange(t, conn, "GET /livez HTTP/1.1\r\nHost: pod\r\n\r\n"); status != 200 {
			t.Errorf("connection %d: %d, want 200", 7+i, status)
		}
	}
	if err := hook.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := hook.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("who waits for the drain got %v, want to wait on", err)
	}
}

func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(guard)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// guestConn is a connection from somewhere.
type guestConn struct {
	net.Conn
	from   string
	closed bool
}

func (c *guestConn) RemoteAddr() net.Addr { a, _ := net.ResolveTCPAddr("tcp", c.from); return a }
func (c *guestConn) Close() error         { c.closed = true; return nil }

func TestWhoHasMostConnectionsLosesOne(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from   []string
		active []int
		victim int
	}{
		"The oldest of the greediest":    {[]string{"10.0.0.1:1", "10.0.0.2:1", "10.0.0.2:2", "10.0.0.3:1"}, nil, 1},
		"An idle one first":              {[]string{"10.0.0.2:1", "10.0.0.2:2", "10.0.0.1:1", "10.0.0.3:1"}, []int{0}, 1},
		"One that is served, if it must": {[]string{"10.0.0.1:1", "10.0.0.2:1", "10.0.0.2:2", "10.0.0.3:1"}, []int{1, 2}, 1},
		"A network of IPv6 is one":       {[]string{"[fd00::1]:1", "[fd00:0:0:1::1]:1", "[fd00:0:0:1::2]:1", "10.0.0.3:1"}, nil, 1},
		"The oldest where all are equal": {[]string{"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1"}, nil, 0},
		"A mapped address is the same":   {[]string{"10.0.0.1:1", "10.0.0.2:1", "[::ffff:10.0.0.2]:2", "10.0.0.3:1"}, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			crowd := crowd{most: 3}
			var all []*guestConn
			for i, from := range c.from {
				conn := &guestConn{from: from}
				all = append(all, conn)
				if i == len(c.from)-1 {
					for _, active := range c.active {
						crowd.observe(all[active], http.StateActive)
					}
				}
				crowd.observe(conn, http.StateNew)
			}
			for i, conn := range all {
				if conn.closed != (i == c.victim) {
					t.Errorf("connection %d from %s: closed %v", i, conn.from, conn.closed)
				}
			}
			crowd.observe(all[3], http.StateClosed)
			if more := (&guestConn{from: "10.0.0.9:1"}); true {
				crowd.observe(more, http.StateNew)
				if more.closed || len(crowd.guests) != 3 {
					t.Errorf("there is room again, and the next one was closed: %v, %d are counted", more.closed, len(crowd.guests))
				}
			}
		})
	}
}

func TestClosingLetsAnswersUnderWayGoOutAndWaitsForNobodyElse(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan struct{}), make(chan struct{})
	s := start(t, Options{Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-goOn
		fmt.Fprint(w, "whole")
	})})
	silent := dial(t, s.addr)
	answers := make(chan got, 1)
	go func() { defer close(answers); answers <- s.get(t, "/metrics") }()
	<-begun
	closed := make(chan error, 1)
	go func() { closed <- s.Close(context.Background()) }()
	// The silent one is closed while the other is still being served.
	if _, err := silent.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !isReset(err) {
		t.Errorf("a connection on which nothing came: %v, want it closed", err)
	}
	close(goOn)
	(<-answers).expect(t, 200, "whole")
	if err := <-closed; err != nil {
		t.Errorf("closing: %v", err)
	}
}

func TestNobodyHasMoreThanItsShareOfTheConnections(t *testing.T) {
	t.Parallel()
	crowd := crowd{most: 8, each: 2}
	var all []*guestConn
	for _, from := range []string{"10.0.0.1:1", "10.0.0.2:1", "10.0.0.2:2", "10.0.0.3:1", "10.0.0.2:3"} {
		all = append(all, &guestConn{from: from})
		crowd.observe(all[len(all)-1], http.StateNew)
	}
	for i, conn := range all {
		if conn.closed != (i == 1) {
			t.Errorf("connection %d from %s: closed %v", i, conn.from, conn.closed)
		}
	}
}

func TestLeavingClosesWhatHasSentNothing(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	silent, asking, late := &guestConn{from: "10.0.0.1:1"}, &guestConn{from: "10.0.0.1:2"}, &guestConn{from: "10.0.0.1:3"}
	s.crowd.observe(silent, http.StateNew)
	s.crowd.observe(asking, http.StateNew)
	s.crowd.observe(asking, http.StateActive)
	s.crowd.leave()
	s.crowd.observe(late, http.StateNew)
	if !silent.closed || asking.closed || !late.closed {
		t.Errorf("closed: silent %v, asking %v, late %v; want true, false, true", silent.closed, asking.closed, late.closed)
	}
}

func TestClosingCutsWhatDoesNotEndInTime(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	s := New(Options{Metrics: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	})})
	r := startOn(t, s, "tcp", "127.0.0.1:0")
	conn := dial(t, r.addr)
	if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: pod\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-begun
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Close(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("closing: %v, want that the time was over", err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !isReset(err) {
		t.Errorf("what did not end in time: %v, want it cut", err)
	}
}
