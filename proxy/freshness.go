package proxy

import (
	"fmt"
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
			s.mended(name)
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
