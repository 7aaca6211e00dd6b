package proxy

import (
	"context"
	"crypto/x509"
	"net"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"mtls-sidecar/proxy/trust"
)

// newOCSP makes what asks the clients' CAs, and tells report of each answer. It is nil with
// MTLS_OCSP=off.
func (s *Server) newOCSP(report func(trust.OCSPReport)) *trust.OCSP {
	if s.config.OCSP == OCSPOff {
		return nil
	}
	return trust.NewOCSP(trust.OCSPOptions{
		WholeChain:   s.config.OCSP == OCSPOn,
		Responder:    string(s.config.OCSPResponder),
		Timeout:      s.config.OCSPTimeout.Duration,
		MaxAge:       s.config.OCSPMaxAge.Duration,
		AllowFailure: s.config.OCSPFail == OCSPAllow,
		MinRSABits:   int(s.config.MinRSABits),
		Revoked: func(responder, issuer *x509.Certificate, now time.Time) bool {
			return s.store.Current().RevokesResponder(responder, issuer, now)
		},
		Refused: s.config.isUpstream,
		Changed: s.store.Renew,
		Report:  report,
	})
}

// isUpstream keeps certificates from making the sidecar ask the application on
// their behalf.
func (c *Config) isUpstream(addr netip.Addr) bool {
	if c.UpstreamURL.Network != "tcp" {
		return false
	}
	host, _, err := net.SplitHostPort(c.UpstreamURL.Address)
	if err != nil {
		return false
	}
	if own, err := netip.ParseAddr(host); err == nil {
		return own.Unmap() == addr.Unmap()
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.OCSPTimeout.Duration)
	defer cancel()
	owns, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return true // it cannot be told apart
	}
	for _, own := range owns {
		if own.Unmap() == addr.Unmap() {
			return true
		}
	}
	return false
}

// answered logs what a responder said.
func (s *Server) answered(report trust.OCSPReport) {
	s.metrics.ocspAnswered(report.Status, report.Err)
	fields := []zap.Field{zap.String("responder", report.URL), zap.Dict("certificate", certificateFields(report.Certificate)...)}
	if report.Err != nil {
		s.events.count(OCSPFetchFailed)
		s.log.Warn("no OCSP answer", append(fields, faultField(report.Err))...)
		return
	}
	fields = append(fields, zap.String("status", report.Status))
	s.log.Debug("OCSP answer", append(fields, freshnessFields(report.ThisUpdate, report.NextUpdate)...)...)
}

// askCAs adds to a verdict what the CAs say of the certificates. It waits for the
// first answer about one.
func (s *Server) askCAs(v trust.Verdict, now time.Time) trust.Verdict {
	if s.ocsp == nil || v.Status != trust.Success {
		return v
	}
	return s.ocsp.Check(s.life, v, now)
}

// recall adds to a verdict what is known already of what the CAs say. It never waits;
// known is false when nothing is.
func (s *Server) recall(v trust.Verdict, now time.Time) (verdict trust.Verdict, known bool) {
	if s.ocsp == nil || v.Status != trust.Success {
		return v, true
	}
	return s.ocsp.Peek(v, now)
}
