package proxy

import (
	"bufio"
	"context"
	"io"
	"math"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// Requests that end otherwise than with a whole answer, and those that take more
// than one try.

func TestMetricsOfAnAnswerThatIsNotWhole(t *testing.T) {
	const half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
	for _, test := range []struct {
		name string
		app  exchangeFunc
		want []string
	}{
		{"cut short", func(conn net.Conn, _ *bufio.Reader, _ string) bool {
			_, _ = io.WriteString(conn, half)
			return false
		}, []string{appFailed("cut_short")}},
		{"stalled", func(conn net.Conn, r *bufio.Reader, _ string) bool {
			_, _ = io.WriteString(conn, half)
			_, _ = r.ReadByte()
			return false
		}, []string{appFailed("timeout"), limit("MTLS_UPSTREAM_TIMEOUT")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startSidecar(t, startBackend(t, test.app).url, "MTLS_UPSTREAM_TIMEOUT=100ms")
			before := s.scrape(t)
			c := s.dial(t, nil)
			c.send(simpleGet)
			_, _ = c.rest()
			s.counted(t, before, slices.Concat(arrived("NONE", noReason), test.want,
				[]string{request("GET", "200", "NONE"), lasted("2xx"), appAnswered})...)
		})
	}
}

func TestMetricsOfAClientThatHasGone(t *testing.T) {
	app := startBackend(t, mute)
	s := startSidecar(t, app.url)
	before := s.scrape(t)
	c := s.dial(t, nil)
	c.send(simpleGet)
	app.seen(t)
	if got := s.scrape(t); got["http_requests_in_flight"] != 1 || got[`connections{state="active"}`] != 1 {
		t.Errorf("with a request in flight:\n%s", got)
	}
	c.Close()
	s.counted(t, before, append(arrived("NONE", noReason), request("GET", "none", "NONE"), "client_gone_total")...)
	waitFor(t, "nobody is there any more", func() bool {
		got := s.scrape(t)
		return got["http_requests_in_flight"] == 0 && got[`connections{state="active"}`] == 0
	})
}

func TestMetricsOfASecondTry(t *testing.T) {
	app := startBackend(t, dyingOn(&numbering{}, "", false))
	s := startSidecar(t, app.url)
	c := s.dial(t, nil)
	c.send(simpleGet)
	c.answer("GET")
	s.counted(t, series{}, append(arrived("NONE", noReason), request("GET", "200", "NONE"), lasted("2xx"), appAnswered)...)
	before := s.scrape(t)
	c.send(simpleGet)
	c.answer("GET")
	s.counted(t, before, request("GET", "200", "NONE"), lasted("2xx"), appAnswered, "upstream_retries_total")
}

func TestMetricsOfATunnel(t *testing.T) {
	s := startSidecar(t, startBackend(t, switching(echo)).url)
	before := s.scrape(t)
	c := s.upgraded(t)
	s.counted(t, before, append(arrived("SUCCESS", noReason), request("GET", "101", "SUCCESS"), appAnswered, "tunnels_opened_total")...)
	waitFor(t, "the tunnel is open", func() bool { return s.scrape(t)["tunnels"] == 1 })
	if got := s.scrape(t); got["http_requests_in_flight"] != 0 || got[`connections{state="active"}`] != 1 {
		t.Errorf("a tunnel is an active connection, and no request:\n%s", got)
	}
	before = s.scrape(t)
	c.Close()
	waitFor(t, "the tunnel is closed", func() bool { return s.scrape(t)["tunnels"] == 0 })
	s.counted(t, before) // nothing: it was counted when it was opened
}

func TestMetricsOfHTTP2(t *testing.T) {
	asked, ended := make(chan struct{}, 1), make(chan error, 1)
	s := startSidecar(t, startBackend(t, thinking("", asked, ended)).url)
	before := s.scrape(t)
	config := clientConfig(&testCA(t).client)
	config.NextProtos = []string{"h2"}
	c := s.dialWith(t, config)
	c.send("GET / HTTP/1.1\r\nHost: h\r\nverified: SUCCESS\r\n\r\n")
	c.wantAnswer("GET", 200, "ok")
	s.counted(t, before, append(arrived("SUCCESS", noReason), lasted("2xx"), appAnswered, strippedName("verified"),
		strings.Replace(request("GET", "200", "SUCCESS"), `"1.1"`, `"2"`, 1))...)
	if got := s.scrape(t); got[`connections{state="idle"}`] != 1 {
		t.Errorf("between two requests:\n%s", got)
	}
	before = s.scrape(t)
	c.send("GET /think HTTP/1.1\r\nHost: h\r\n\r\n")
	<-asked
	if got := s.scrape(t); got[`connections{state="active"}`] != 1 || got["http_requests_in_flight"] != 1 {
		t.Errorf("in a request:\n%s", got)
	}
	c.Close()
	<-ended
	s.counted(t, before, "client_gone_total", strings.Replace(request("GET", "none", "SUCCESS"), `"1.1"`, `"2"`, 1))

	// Every answer to a gRPC call has status 200: its refusal counts as what it is.
	s = startSidecar(t, "http://127.0.0.1:1")
	before = s.scrape(t)
	c = s.dialWith(t, config)
	c.send("GET / HTTP/1.1\r\nHost: h\r\nContent-Type: application/grpc\r\n\r\n")
	c.wantAnswer("GET", 200, "")
	s.counted(t, before, append(arrived("SUCCESS", noReason), lasted("5xx"), appFailed("refused"), refusedFor("upstream_down"),
		strings.Replace(request("GET", "502", "SUCCESS"), `"1.1"`, `"2"`, 1))...)
}

func TestMetricsOfConnectionsAndADrain(t *testing.T) {
	s := startSidecar(t, startBackend(t, answering(okAnswer)).url)
	s.accepted.Store(math.MaxUint32) // in years
	socket, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	c := s.dial(t, nil)
	c.send(simpleGet)
	c.wantAnswer("GET", 200, "ok")
	waitFor(t, "one is idle, one in its handshake", func() bool {
		got := s.scrape(t)
		return got[`connections{state="idle"}`] == 1 && got[`connections{state="handshake"}`] == 1 && got[`connections{state="active"}`] == 0
	})
	if got := s.scrape(t)[oneConnection]; got != 1<<32+1 {
		t.Errorf("%.0f connections in all, want two more than before", got)
	}
	drain := NewDrain()
	drained := make(chan int, 1)
	go func() { drained <- s.Drain(context.Background(), drain) }()
	if s.scrape(t)["draining"] != 0 {
		t.Error("draining before a drain has begun")
	}
	drain.Begin(hang)
	waitFor(t, "it drains", func() bool { return s.scrape(t)["draining"] == 1 })
	drain.Hurry()
	drain.Hurry()
	<-drained
}

func TestMetricsOfAnApplicationThatDoesNotAccept(t *testing.T) {
	s := startSidecar(t, "http://"+deafListener(t), "MTLS_UPSTREAM_CONNECT_TIMEOUT=50ms")
	before := s.scrape(t)
	c := s.dial(t, nil)
	c.send(simpleGet)
	c.wantRefusal("GET", 504)
	s.counted(t, before, append(arrived("NONE", noReason), request("GET", "504", "NONE"), lasted("5xx"), appFailed("timeout"),
		refusedFor("upstream_timeout"), limit("MTLS_UPSTREAM_CONNECT_TIMEOUT"))...)
}

func TestMetricsOfAnExchangeThatIsCut(t *testing.T) {
	w := startLive(t, liveSetting{withLists: true})
	x := w.opens(w.victim, "download")
	revokes(w)
	before := w.scrape(t)
	for at := range 5 {
		w.sweepAt(time.Duration(at) * time.Second)
	}
	x.isCut()
	w.counted(t, before, "exchanges_cut_total", request("GET", "200", "SUCCESS"), lasted("2xx"), appAnswered)
}

func TestMetricsOfHTTP2Abuse(t *testing.T) {
	s := startSidecar(t, startBackend(t, answering(okAnswer)).url)
	before := s.scrape(t)
	c := s.openWire(t, nil)
	c.send(frame(frameSettings, 0, 1, setting(settingPush, 0))) // RFC 9113 §6.5: of the connection alone
	c.listen()
	s.counted(t, before, oneConnection, oneHandshake, oneDuration, `http2_abuse_total{kind="protocol_error"}`)
}
