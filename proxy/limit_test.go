package proxy

import (
	"crypto/tls"
	"net"
	"testing"
	"time"
)

func TestNoMoreConnectionsThanTheLimit(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_MAX_CONNECTIONS=2")
	first, second := s.dial(t, nil), s.dial(t, nil)
	try := func() error {
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: hang}, "tcp", s.addr, clientConfig(nil))
		if err == nil {
			conn.Close()
		}
		return err
	}
	if try() == nil {
		t.Error("a third connection was accepted")
	}
	for _, c := range []*client{first, second} {
		c.send(simpleGet)
		c.wantAnswer("GET", 200, "ok")
	}
	first.Close()
	waitFor(t, "there is room again", func() bool { return try() == nil })
}

// A client may say nothing at all on a connection: that is a place, too.
func TestConnectionsInTheirHandshakeCount(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_MAX_CONNECTIONS=1")
	mute, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	waitFor(t, "the connection is counted", func() bool { return s.open() == 1 })
	other, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	_ = other.SetDeadline(time.Now().Add(hang))
	if n, err := other.Read(make([]byte, 1)); err == nil {
		t.Errorf("got %d bytes, want the connection closed", n)
	}
	if open := s.open(); open != 1 {
		t.Errorf("%d connections are open, want 1", open)
	}
}
