package proxy

import (
	"bufio"
	"crypto/x509/pkix"
	"io"
	"net"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// endless answers with a body that no client will take whole.
func endless(conn net.Conn, _ *bufio.Reader, _ string) bool {
	if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return false
	}
	for piece := strings.Repeat("x", 64<<10); ; {
		if _, err := io.WriteString(conn, piece); err != nil {
			return false
		}
	}
}

// mute reads on and never answers.
func mute(_ net.Conn, r *bufio.Reader, _ string) bool {
	_, _ = io.Copy(io.Discard, r)
	return false
}

const websocketGet = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

func TestEachLimitThatIsReachedIsCounted(t *testing.T) {
	switching := answering("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	for _, test := range []struct {
		event Event
		entry string
		app   exchangeFunc
		send  string
	}{
		{IdleTimeout, "MTLS_IDLE_TIMEOUT=50ms", answering(okAnswer), ""},
		{HeaderTimeout, "MTLS_HEADER_TIMEOUT=50ms", answering(okAnswer), "GET / HTTP/1.1\r\nHo"},
		{HeadTooLarge, "MTLS_MAX_HEADER_BYTES=1KiB", answering(okAnswer), "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 1<<10) + "\r\n\r\n"},
		{TargetTooLong, "MTLS_MAX_HEADER_BYTES=64KiB", answering(okAnswer), "GET /" + strings.Repeat("x", maxTarget) + " HTTP/1.1\r\nHost: h\r\n\r\n"},
		{BodyTooLarge, "MTLS_MAX_BODY_BYTES=1KiB", answering(okAnswer), "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1025\r\n\r\n"},
		{BodyTimeout, "MTLS_BODY_TIMEOUT=50ms", mute, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nx"},
		{SendTimeout, "MTLS_SEND_TIMEOUT=50ms", endless, simpleGet},
		{UpstreamTimeout, "MTLS_UPSTREAM_TIMEOUT=50ms", mute, simpleGet},
		{TunnelOpened, "MTLS_UPGRADE=websocket", switching, websocketGet},
		{TunnelIdle, "MTLS_TUNNEL_IDLE_TIMEOUT=50ms", switching, websocketGet},
	} {
		name, _, _ := strings.Cut(test.entry, "=")
		if modeOf(t) == overHTTP2 && (test.event == HeaderTimeout || test.event == TunnelOpened || test.event == TunnelIdle) {
			continue // HTTP/2 has no words for half a head, nor for Upgrade
		}
		t.Run(name, func(t *testing.T) {
			s := startSidecar(t, startBackend(t, test.app).url, test.entry)
			s.dial(t, nil).send(test.send)
			waitFor(t, "the event is counted", func() bool { return s.Count(test.event) == 1 })
		})
	}
}

func TestConnectionsThatAreTurnedAwayAreCounted(t *testing.T) {
	s := startSidecar(t, startBackend(t, answering(okAnswer)).url, "MTLS_MAX_CONNECTIONS=1")
	first := s.dial(t, nil)
	first.send(simpleGet)
	first.answer("GET") // it is inside
	second, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	waitFor(t, "the event is counted", func() bool { return s.Count(ConnectionLimit) == 1 })
}

func TestAHandshakeThatTakesTooLongIsCounted(t *testing.T) {
	s := startSidecar(t, startBackend(t, answering(okAnswer)).url, "MTLS_HANDSHAKE_TIMEOUT=50ms")
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	waitFor(t, "the event is counted", func() bool { return s.Count(HandshakeTimeout) == 1 })
}

func TestAClientThatGoesAwayIsCounted(t *testing.T) {
	app := startBackend(t, mute)
	s := startSidecar(t, app.url)
	c := s.dial(t, nil)
	c.send(simpleGet)
	app.seen(t)
	c.Close()
	waitFor(t, "the event is counted", func() bool { return s.Count(ClientGone) == 1 })
}

func TestACertificateThatSaysTooMuchIsRefusedAndCounted(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_MAX_IDENTITY_BYTES=256")
	c := s.dial(t, issue(t, pki.Options{Subject: pkix.Name{CommonName: strings.Repeat("x", 60), OrganizationalUnit: []string{
		strings.Repeat("a", 60), strings.Repeat("b", 60), strings.Repeat("c", 60), strings.Repeat("d", 60)}}}))
	c.send(simpleGet)
	c.wantRefusal("GET", 431)
	app.sawNothing(t)
	if got := s.Count(IdentityTooLarge); got != 1 {
		t.Errorf("counted %d times, want once", got)
	}
}
