package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// newTLSConfig makes the configuration that every connection's is a copy of.
func newTLSConfig(config *Config, material *Material) *tls.Config {
	c := &tls.Config{
		Certificates: material.Certificates,
		MinVersion:   uint16(config.MinTLS),
		NextProtos:   protocols(config),
		ClientAuth:   clientAuth(config),
		// Records of one size: the answers are written in records already, and
		// the sidecar sits next to its clients' last hop.
		DynamicRecordSizingDisabled: true,
	}
	if len(material.Hints) > 0 {
		// The pool is never verified against: crypto/tls takes the names of the
		// CertificateRequest from it, in the order of addition.
		c.ClientCAs = x509.NewCertPool()
		for _, subject := range material.Hints {
			c.ClientCAs.AddCert(&x509.Certificate{Raw: subject, RawSubject: subject})
		}
	}
	return c
}

// protocols are offered in nginx's order. curl -0 offers http/1.0 alone.
func protocols(config *Config) []string {
	if config.HTTP2 {
		return []string{"h2", "http/1.1", "http/1.0"}
	}
	return []string{"http/1.1", "http/1.0"}
}

// clientAuth never lets crypto/tls judge a certificate: it only asks for one.
func clientAuth(config *Config) tls.ClientAuthType {
	switch {
	case config.VerifyClient == VerifyOff:
		return tls.NoClientCert
	case config.VerifyClient == VerifyOn && config.RejectWith == RejectAlert:
		return tls.RequireAnyClientCert // gives the alert certificate_required
	default:
		return tls.RequestClientCert
	}
}

// take goes on with a new connection, or turns it away.
func (s *Server) take(socket net.Conn) {
	c := newConn(s, socket, remoteIP(socket))
	_ = socket.SetDeadline(time.Now().Add(s.config.HandshakeTimeout.Duration))
	if ok, news := s.conns.add(c); !ok {
		if s.conns.limit > 0 {
			s.events.count(ConnectionLimit)
		}
		if news {
			s.log.Warn("turning connections away: MTLS_MAX_CONNECTIONS are open",
				addressField(c.remote), zap.Int("max_connections", s.conns.limit))
		}
		socket.Close()
		return
	}
	c.hint = uint32(s.accepted.Add(1))
	go s.handshake(c)
}

// handshake runs on a goroutine of its own and hands the finished connection to
// a fresh one: the deep stack of a handshake would otherwise be kept for as
// long as the connection lives.
func (s *Server) handshake(c *conn) {
	socket := c.socket
	err := s.learnSource(c)
	if err == nil {
		c.tls = tls.Server(&c.wire, c.session.config())
		err = c.tls.Handshake()
	}
	if err != nil {
		s.metrics.handshakeFailed(c, err)
		s.handshakeFailed(c, err)
		socket.Close()
		s.conns.remove(c)
		return
	}
	s.metrics.handshake(c, handshakeOK)
	s.memory.handshake()
	go c.serve()
}

// handshakeFailed logs a failure by its kind. What never spoke TLS (a TCP
// probe, a port scan) is worth a debug line only.
func (s *Server) handshakeFailed(c *conn, err error) {
	var header tls.RecordHeaderError
	var refused *refusedError
	var alert *net.OpError
	var proxied *headerError
	remote := addressField(c.remote)
	if errors.Is(err, os.ErrDeadlineExceeded) && !c.shuttingDown() {
		s.events.count(HandshakeTimeout)
	}
	switch {
	case c.shuttingDown() && (errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed)):
		s.log.Debug("handshake ended by the shutdown", remote)
	case errors.As(err, &proxied):
		s.headerFailed(c, proxied)
	case errors.As(err, &header) && looksLikeProxyHeader(header.RecordHeader[:]):
		s.strayHeader(c)
	case errors.As(err, &header) && looksLikeHTTP(header.RecordHeader[:]):
		s.refuse(denial{message: "plain HTTP on the TLS port", reason: plainHTTP.reason, status: plainHTTP.status, conn: c})
		c.answerPlainHTTP()
	case errors.As(err, &refused):
		// No subject: the client has not proved that the certificate is its own.
		reason := refused.verdict.Reason
		s.refuse(denial{message: "refused in the handshake", reason: reason.String(), text: reason.Text(), conn: c})
	case err.Error() == errNoCertificateSent && s.tls.Load().ClientAuth == tls.RequireAnyClientCert:
		s.refuse(denial{message: "refused in the handshake", reason: noCertificate.reason, text: noCertificate.title, conn: c})
	case !c.session.hello && (gone(err) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &header)):
		s.log.Debug("closed before a TLS handshake began", remote, faultField(err))
	case gone(err) && s.balancerItself(c):
		s.log.Debug("a balancer's check ended within the TLS handshake", remote, faultField(err))
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.refuse(denial{message: "handshake not finished within MTLS_HANDSHAKE_TIMEOUT", reason: "handshake_timeout", conn: c})
	case errors.As(err, &alert) && alert.Op == "remote error":
		s.events.count(HandshakeFailed)
		s.refuse(denial{message: "the client ended the handshake", reason: "alert", text: brief(err.Error()), conn: c})
	default:
		s.logFault(c, err)
	}
}

// gone reports whether a peer closed or reset its connection.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// looksLikeHTTP tells a request line's method from other bytes that are not TLS.
func looksLikeHTTP(start []byte) bool {
	for _, b := range start {
		switch {
		case b >= 'A' && b <= 'Z', b >= 'a' && b <= 'z':
		case b == ' ' || b == '/' || b == '*':
			return true
		default:
			return false
		}
	}
	return true
}

// remoteIP is the peer's address without its port, as nginx's $remote_addr:
// unix: is who connects over a unix socket.
func remoteIP(socket net.Conn) string {
	switch addr := socket.RemoteAddr().(type) {
	case *net.TCPAddr:
		return addr.AddrPort().Addr().Unmap().WithZone("").String()
	case *net.UnixAddr:
		return "unix:"
	default:
		return addr.String()
	}
}
