package proxy

import (
	"errors"
	"os"
	"strings"

	"go.uber.org/zap"
)

// learnSource takes the client's address from the PROXY header that a peer in
// MTLS_PROXY_PROTOCOL_FROM must begin with. Nobody else's is looked for: to the
// TLS handshake it is no TLS, and ends the connection. It is the socket's own
// peer that is looked at, whatever a header says.
func (s *Server) learnSource(c *conn) error {
	if !s.config.ProxyProtocolFrom.has(c.socket.RemoteAddr()) {
		return nil
	}
	source, err := readSource(c.socket)
	if err != nil {
		return err
	}
	balancer := c.remote
	if source.IsValid() {
		c.remote = source.String()
	}
	s.log.Debug("PROXY header", addressField(c.remote), zap.String("balancer", balancer), zap.Bool("tells_address", source.IsValid()))
	return nil
}

// balancerItself reports whether the one who tells addresses has told none, or
// its own: a health check, which may end as soon as it has seen enough of the
// handshake (HAProxy's check-ssl resets the connection).
func (s *Server) balancerItself(c *conn) bool {
	return s.config.ProxyProtocolFrom.has(c.socket.RemoteAddr()) && c.remote == remoteIP(c.socket)
}

// headerFailed logs a connection of a trusted peer that does not begin with a
// header that can be believed.
func (s *Server) headerFailed(c *conn, err *headerError) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.refuse(denial{message: "PROXY header not finished within MTLS_HANDSHAKE_TIMEOUT", reason: "proxy_header_timeout", text: brief(err.Error()), conn: c})
		return
	}
	s.events.count(err.event)
	reason := "proxy_header_bad"
	if err.event == ProxyHeaderMissing {
		reason = "proxy_header_missing"
	}
	s.refuse(denial{message: "PROXY header refused", reason: reason, text: brief(err.Error()), conn: c})
}

// strayHeader logs a PROXY header where TLS should begin: from a peer that is
// not believed, or a second one from a peer that is.
func (s *Server) strayHeader(c *conn) {
	if s.config.ProxyProtocolFrom.has(c.socket.RemoteAddr()) {
		s.headerFailed(c, &headerError{ProxyHeaderBad, errors.New("a second PROXY header follows the first; have the balancer relay one and send none of its own, or the other way round")})
		return
	}
	s.events.count(ProxyHeaderUnexpected)
	s.refuse(denial{message: "PROXY header refused", reason: "proxy_header_unexpected", conn: c})
}

// looksLikeProxyHeader tells the PROXY protocol's two signatures, by their
// first bytes, from others that are not TLS.
func looksLikeProxyHeader(start []byte) bool {
	return strings.HasPrefix(signatureV1, string(start)) || strings.HasPrefix(signatureV2, string(start))
}
