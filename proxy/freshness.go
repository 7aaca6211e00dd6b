package proxy

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"mtls-sidecar/proxy/trust"
)

// watchEnds tells when a CA's revocation list has ended and no newer one is there:
// the files are as they were, so nobody else would, and with MTLS_CRL_POLICY=strict it
// refuses every client of that CA. It looks at now, every MTLS_RELOAD_INTERVAL.
func (s *Server) watchEnds(now time.Time) {
	last := map[string]*trust.CRL{} // by issuer: the one that ends last
	for _, list := range s.belief.inForce() {
		if was := last[string(list.RawIssuer)]; was == nil || list.NextUpdate.After(was.NextUpdate) {
			last[string(list.RawIssuer)] = list
		}
	}
	for _, list := range last {
		name := "revocation list of " + shortened(dn(list.RawIssuer), maxLoggedName)
		if now.Before(list.NextUpdate) {
			s.mended("files", name)
			continue
		}
		err := fmt.Errorf("%s: its list has ended at %s (nextUpdate); have the CA publish a new one and deliver it",
			list.Source, list.NextUpdate.UTC().Format(time.RFC3339))
		if s.troubles.begin(name, err) {
			fields := append(listFields(list), zap.String("source", list.Source), zap.String("policy", string(s.config.CRLPolicy)),
				zap.Time("counts_until", list.NextUpdate.Add(s.config.CRLGrace.Duration).UTC()))
			s.log.Warn("a revocation list has ended, and there is no newer one", fields...)
		}
	}
}

// Unlisted tells which client CAs have no list although the policy demands one:
// nobody whom such a CA has certified is let in.
func (m *Material) Unlisted(config *Config, lists *trust.CRLs) []string {
	if lists == nil || config.CRLPolicy == CRLAvailable {
		return nil
	}
	whom := "nobody below it"
	if config.CRLPolicy == CRLLeaf {
		whom = "no client that it has issued a certificate itself"
	}
	var lacks []string
	for _, ca := range m.CAs {
		below := &x509.Certificate{RawIssuer: ca.RawSubject}
		if ca.IsCA && len(lists.For(below)) == 0 {
			lacks = append(lacks, fmt.Sprintf("MTLS_CRL: holds no list of the CA %s, so %s is let in (MTLS_CRL_POLICY=%s); add its list, or set MTLS_CRL_POLICY=available",
				shortened(Subject(ca), maxLoggedName), whom, config.CRLPolicy))
		}
	}
	return lacks
}

// watchUnlisted tells of CAs without a list.
func (s *Server) watchUnlisted() {
	const name = "client CAs without a revocation list"
	b := &s.belief
	b.mu.Lock()
	lacks := b.material.Unlisted(s.config, b.lists)
	b.mu.Unlock()
	if len(lacks) == 0 {
		s.mended("files", name)
		return
	}
	if s.troubles.begin(name, errors.New(strings.Join(lacks, "\n"))) {
		for _, lack := range lacks {
			s.log.Warn(lack)
		}
	}
}
