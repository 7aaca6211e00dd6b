package proxy

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"mtls-sidecar/proxy/trust"
)

// watchEnds tells when a CA's revocation list has ended and no newer one is there:
// the files are as they were, so nobody else would, and with MTLS_CRL_POLICY=strict it
// refuses every client of that CA. It looks at now, every MTLS_RELOAD_INTERVAL.
func (s *Server) watchEnds(now time.Time) {
	stand := map[string]bool{}
	for _, list := range s.ended(now) {
		name := fmt.Sprintf("%s%s (%s)", endedList, shortened(dn(list.RawIssuer), maxLoggedName), list.Source)
		stand[name] = true
		err := fmt.Errorf("%s: its list has ended at %s (nextUpdate); have the CA publish a new one and deliver it",
			list.Source, list.NextUpdate.UTC().Format(time.RFC3339))
		if s.troubles.begin(name, err) {
			fields := append(listFields(list), zap.String("source", list.Source), zap.String("policy", string(s.config.CRLPolicy)),
				zap.Time("counts_until", list.NextUpdate.Add(s.config.CRLGrace.Duration).UTC()))
			s.log.Warn("a revocation list has ended, and there is no newer one", fields...)
		}
	}
	for _, trouble := range s.Troubles() {
		if strings.HasPrefix(trouble.Name, endedList) && !stand[trouble.Name] {
			s.mended(zap.String("files", trouble.Name))
		}
	}
}

// endedList begins the names of such troubles.
const endedList = "revocation list of "

// ended are the lists that have, of CAs that are trusted or whose lists there still are.
func (s *Server) ended(now time.Time) []*trust.CRL {
	b := &s.belief
	b.mu.Lock()
	defer b.mu.Unlock()
	sources := slices.Clone(b.material.CRLs)
	for _, lists := range b.fetched {
		sources = append(sources, lists...)
	}
	ended := slices.DeleteFunc(b.lists.Ended(now), func(list *trust.CRL) bool {
		return !slices.ContainsFunc(b.material.CAs, func(ca *x509.Certificate) bool { return bytes.Equal(ca.RawSubject, list.RawIssuer) }) &&
			!slices.ContainsFunc(sources, func(read *trust.CRL) bool { return read.Digest == list.Digest })
	})
	return ended[:min(len(ended), maxTold)]
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
		s.mended(zap.String("files", name))
		return
	}
	if s.troubles.begin(name, errors.New(strings.Join(lacks, "\n"))) {
		for _, lack := range lacks {
			s.log.Warn(lack)
		}
	}
}
