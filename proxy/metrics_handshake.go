package proxy

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"time"

	"mtls-sidecar/proxy/admin"
)

// handshakeResult is how a TLS handshake ended.
type handshakeResult uint8

const (
	handshakeOK handshakeResult = iota
	handshakeRefused
	handshakeNoCertificate
	handshakeAlert
	handshakeTimeout
	handshakeEOF
	handshakePlainHTTP
	handshakeNotProved
	handshakeBadCertificate
	handshakeOther
	handshakeResultCount
)

var handshakeLabels = [handshakeResultCount]string{handshakeOK: "ok", handshakeRefused: "refused", handshakeNoCertificate: "no_certificate",
	handshakeAlert: "alert", handshakeTimeout: "timeout", handshakeEOF: "eof", handshakePlainHTTP: "plain_http",
	handshakeNotProved: "not_proved", handshakeBadCertificate: "bad_certificate", handshakeOther: "failed"}

// Versions of TLS, as in tlsVersionLabels; none has been agreed on where the
// ClientHello has not come, or is of no use.
const (
	tlsNone = iota
	tls12
	tls13
	tlsVersionCount
)

var tlsVersionLabels = [tlsVersionCount]string{tlsNone: "", tls12: "1.2", tls13: "1.3"}

// handshake counts one.
func (m *metrics) handshake(c *conn, result handshakeResult) {
	version, resumed := tlsNone, false
	if c.tls != nil {
		state := c.tls.ConnectionState()
		resumed = state.DidResume
		switch state.Version {
		case tls.VersionTLS12:
			version = tls12
		case tls.VersionTLS13:
			version = tls13
		}
	}
	m.handshakes[result][version][index(resumed)].Add(1)
	if result == handshakeOK {
		m.handshakeDuration.Observe(time.Since(c.session.began))
	}
}

// handshakeFailed counts one that came to nothing, unless a shutdown ended it, or it
// had not begun for want of a PROXY header that can be believed.
func (m *metrics) handshakeFailed(c *conn, err error) {
	var header tls.RecordHeaderError
	var refused *refusedError
	var alert *net.OpError
	var proxied *headerError
	late := errors.Is(err, os.ErrDeadlineExceeded)
	foreign := errors.As(err, &header)
	switch {
	case errors.As(err, &proxied), foreign && looksLikeProxyHeader(header.RecordHeader[:]),
		c.shuttingDown() && (late || errors.Is(err, net.ErrClosed)):
	case foreign && looksLikeHTTP(header.RecordHeader[:]):
		m.handshake(c, handshakePlainHTTP)
	case errors.As(err, &refused):
		m.judged(refused.verdict)
		m.handshake(c, handshakeRefused)
	case err.Error() == errNoCertificateSent:
		m.handshake(c, handshakeNoCertificate)
	case late:
		m.handshake(c, handshakeTimeout)
	case gone(err):
		m.handshake(c, handshakeEOF)
	case errors.As(err, &alert) && alert.Op == "remote error":
		m.handshake(c, handshakeAlert)
	default:
		m.handshake(c, faultOf(err).result())
	}
}

func (f *handshakeFault) result() handshakeResult {
	switch f.event {
	case CertificateNotProved:
		return handshakeNotProved
	case CertificateTooLarge, CertificateUnparsable, CertificateKeyTooLarge, CertificateKeyUnsupported:
		return handshakeBadCertificate
	default:
		return handshakeOther
	}
}

// sampleHandshakes gives all series but those of what cannot be: done without a version.
func (m *metrics) sampleHandshakes(to *admin.Samples) {
	for result, label := range handshakeLabels {
		for version, versionLabel := range tlsVersionLabels {
			if handshakeResult(result) == handshakeOK && version == tlsNone {
				continue
			}
			for i, resumed := range [...]string{"false", "true"} {
				value := m.handshakes[result][version][i].Load()
				to.Value(admin.MetricHandshakes, float64(value), label, versionLabel, resumed)
			}
		}
	}
	to.Histogram(admin.MetricHandshakeDuration, &m.handshakeDuration)
}
