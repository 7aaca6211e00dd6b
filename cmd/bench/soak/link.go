package soak

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// patience bounds every exchange; whatever reaches it is a fault.
const patience = 30 * time.Second

// link is a client's connection.
type link struct {
	*tls.Conn
	tcp  *net.TCPConn
	in   *bufio.Reader
	who  *person
	over bool // no further request may be sent on it
}

func (l *link) close() { _ = l.Conn.Close() }

// reset ends it as a client does that is gone: unread bytes are lost, and so is what was sent.
func (l *link) reset() {
	_ = l.tcp.SetLinger(0)
	_ = l.tcp.Close()
}

// manner is how somebody connects.
type manner struct {
	version   uint16                 // of TLS; 0: the newest
	sessions  tls.ClientSessionCache // nil: nothing is resumed
	protocols []string
	narrow    bool // small buffers, so that what is not read stays with the sidecar
}

// dial connects and shakes hands, which must work for everybody: who is not believed is
// told so in HTTP.
func (w *worker) dial(ctx context.Context, who *person, how manner) (*link, error) {
	dialer := net.Dialer{Timeout: patience}
	begun := time.Now()
	raw, err := dialer.DialContext(ctx, "tcp", w.address)
	if err != nil {
		return nil, err
	}
	tcp, is := raw.(*net.TCPConn)
	if !is {
		return nil, errors.New("a TCP connection that is none")
	}
	if how.narrow {
		_ = tcp.SetReadBuffer(128 << 10) // less than a few loopback segments would crawl
	}
	_ = tcp.SetDeadline(time.Now().Add(patience))
	conn := tls.Client(tcp, w.config(who, how))
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = tcp.Close()
		if ctx.Err() == nil {
			w.faults.add(failed, &request{client: w.kind}, "%s could not shake hands: %v", who.name, err)
		} else {
			w.interrupted() // the sidecar may have been done with it
		}
		return nil, err
	}
	w.handshakes(conn.ConnectionState().DidResume)
	if err := w.servers.shown(conn.ConnectionState(), w.truth.between(begun, time.Now())); err != nil {
		w.faults.add(wrongVerdict, &request{client: w.kind}, "%v", err)
	}
	return &link{Conn: conn, tcp: tcp, in: bufio.NewReaderSize(conn, 16<<10), who: who}, nil
}

func (w *worker) config(who *person, how manner) *tls.Config {
	return &tls.Config{
		ServerName: "localhost", InsecureSkipVerify: true, // shown compares the certificate itself
		MaxVersion: how.version, ClientSessionCache: how.sessions, NextProtos: how.protocols,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if who.certificate == nil {
				return &tls.Certificate{}, nil
			}
			return who.certificate, nil
		},
	}
}

// shown judges the certificate that the sidecar showed: one that was in force meanwhile. A
// resumed session has that of its full handshake.
func (s *servers) shown(state tls.ConnectionState, meanwhile []state) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	shown := state.PeerCertificates[0].Raw
	if state.DidResume {
		for _, leaf := range s.leaves {
			if bytes.Equal(leaf, shown) {
				return nil
			}
		}
		return errors.New("a resumed session with a certificate that never was the server's")
	}
	var due []int
	for _, one := range meanwhile {
		if bytes.Equal(s.leaves[one.server], shown) {
			return nil
		}
		due = append(due, one.server)
	}
	return fmt.Errorf("the server's certificate has serial %x, and due was one of the numbers %d", state.PeerCertificates[0].SerialNumber, due)
}
