package proxy

import (
	"sync/atomic"
	"time"

	"mtls-sidecar/proxy/admin"
)

// sample gives the values of all metrics now.
func (s *Server) sample(to *admin.Samples) {
	s.sampleSettings(to)
	s.sampleConnections(to)
	s.metrics.sampleHandshakes(to)
	s.metrics.sampleRequests(to)
	s.sampleRefusals(to)
	s.sampleEvents(to)
	s.sampleCertificates(to)
	s.sampleLists(to)
	s.sampleReloads(to)
	s.sampleLosses(to)
}

func (s *Server) sampleSettings(to *admin.Samples) {
	build, c := ReadBuild(), s.config
	to.Value(admin.MetricBuildInfo, 1, build.Version, build.Go, build.Revision)
	to.Value(admin.MetricConfigInfo, 1, string(c.VerifyClient), string(c.InvalidCert), string(c.RejectWith), string(c.CRLPolicy),
		string(c.OCSP), string(c.UpstreamExposed), c.DrainDelay.String(), c.DrainTimeout.String())
	to.Value(admin.MetricDraining, admin.Bool(s.draining.Load()))
	addresses, _ := s.Exposed()
	to.Value(admin.MetricUpstreamExposed, admin.Bool(len(addresses) > 0))
	to.Value(admin.MetricTroubles, float64(len(s.Troubles())))
}

// kindLabels name the sets of files.
var kindLabels = [fileSetCount]string{serverFiles: "server", authorityFiles: "ca", crlFiles: "crl", ticketFiles: "tickets"}

func (s *Server) sampleReloads(to *admin.Samples) {
	m := s.metrics
	for kind, label := range kindLabels {
		for i, result := range [...]string{"success", "failure"} {
			to.Value(admin.MetricReloads, float64(m.reloads[kind][i].Load()), label, result)
		}
		to.Value(admin.MetricReloadLastSuccess, admin.Timestamp(time.UnixMilli(m.reloaded[kind].Load())), label)
	}
	sampleResults(to, admin.MetricCRLFetches, m.fetches[:], fetchLabels[:])
	sampleResults(to, admin.MetricOCSPRequests, m.answers[:], ocspLabels[:])
}

func sampleResults(to *admin.Samples, metric admin.Metric, values []atomic.Uint64, labels []string) {
	for i, label := range labels {
		to.Value(metric, float64(values[i].Load()), label)
	}
}

func (s *Server) sampleLosses(to *admin.Samples) {
	var full uint64
	if lost := s.metrics.linesLost.Load(); lost != nil {
		full = (*lost)()
	}
	to.Value(admin.MetricLogLinesDropped, float64(s.LeftOut()), "rate")
	to.Value(admin.MetricLogLinesDropped, float64(full), "full")
}

// What may come of asking a URL for a revocation list, as in fetchLabels.
const (
	fetchOK = iota
	fetchUnchanged
	fetchFailed
	fetchRefused
	fetchResultCount
)

var fetchLabels = [fetchResultCount]string{fetchOK: "ok", fetchUnchanged: "unchanged", fetchFailed: "failed", fetchRefused: "refused"}

// ocspLabels are trust.OCSPReport's words, and one for no answer.
var ocspLabels = [...]string{"good", "revoked", "unknown", "failed"}

const (
	ocspResultCount = len(ocspLabels)
	ocspFailed      = ocspResultCount - 1
)

// ocspAnswered counts what a responder said, or an error.
func (m *metrics) ocspAnswered(status string, err error) {
	result := ocspFailed
	for i, label := range ocspLabels {
		if err == nil && label == status {
			result = i
		}
	}
	m.answers[result].Add(1)
}
