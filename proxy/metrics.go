package proxy

import (
	"net/http"
	"sync/atomic"
	"time"

	"mtls-sidecar/headers"
	"mtls-sidecar/proxy/admin"
	"mtls-sidecar/proxy/trust"
)

// metrics is what is counted for /metrics beyond the events. What every request
// adds to is found by arithmetic: no map, no lock, no memory. The families are
// described in admin/metricstable.go; metrics_scrape.go puts the values together.
type metrics struct {
	handler http.Handler

	codes     codes
	requests  []atomic.Uint64 // see series
	durations [codeClasses]admin.Histogram
	upstream  admin.Histogram // until the application's answer
	faults    [upstreamFaultCount]atomic.Uint64
	retries   atomic.Uint64

	handshakes        [handshakeResultCount][tlsVersionCount][2]atomic.Uint64 // resumed or not
	handshakeDuration admin.Histogram

	verdicts     [statusCount]atomic.Uint64 // of those that failed, the reasons are below
	failed       []atomic.Uint64            // by trust.Reason, then any other
	reverified   [2]atomic.Uint64           // held, lost
	refusals     []atomic.Uint64            // by refusalReasons, then any other
	refusalIndex map[string]int
	stripped     []atomic.Uint64 // by strippedNames
	// strippedNames are Stripper.Names, then any other.
	strippedNames []string

	reloads  [fileSetCount][2]atomic.Uint64 // success, failure
	reloaded [fileSetCount]atomic.Int64     // Unix milliseconds of the last success
	fetches  [fetchResultCount]atomic.Uint64
	answers  [ocspResultCount]atomic.Uint64

	linesLost atomic.Pointer[func() uint64]
}

// newMetrics makes the counters, all at zero, and what answers with them.
func (s *Server) newMetrics() (*metrics, error) {
	m := &metrics{codes: newCodes(), refusalIndex: map[string]int{}}
	m.requests = make([]atomic.Uint64, int(methodCount)*protocolCount*statusCount*len(m.codes.labels))
	m.failed = make([]atomic.Uint64, len(trustReasons())+1)
	for i, reason := range refusalReasons() {
		m.refusalIndex[reason] = i
	}
	m.refusals = make([]atomic.Uint64, len(m.refusalIndex)+1)
	m.strippedNames = append(s.stripper.Names(), otherLabel)
	m.stripped = make([]atomic.Uint64, len(m.strippedNames))
	now := s.wall(time.Now()).UnixMilli()
	for i := range m.reloaded {
		m.reloaded[i].Store(now)
	}
	var err error
	m.handler, err = admin.MetricsHandler(s.sample, s.log)
	return m, err
}

// Metrics answers with the state of all metrics in Prometheus' text form, or
// OpenMetrics' where it is asked for.
func (s *Server) Metrics() http.Handler { return s.metrics.handler }

// CountLost has metrics tell how many log lines found no room; see Logging.Dropped.
func (s *Server) CountLost(lost func() uint64) { s.metrics.linesLost.Store(&lost) }

// tally counts a request whose account is settled.
func (s *Server) tally(x *exchange) {
	m, a := s.metrics, &x.account
	m.requests[m.series(x)].Add(1)
	if a.fault != noFault {
		m.faults[a.fault].Add(1)
	}
	if !a.asked.IsZero() && !a.answered.IsZero() {
		m.upstream.Observe(a.answered.Sub(a.asked))
	}
	if a.status > http.StatusSwitchingProtocols {
		m.durations[a.status/100-1].Observe(x.took())
	}
}

// refused counts a refusal by its reason, in the word that page and log give.
func (m *metrics) refused(reason string) {
	if m == nil {
		return // a part of the sidecar by itself
	}
	i, ok := m.refusalIndex[reason]
	if !ok {
		i = len(m.refusals) - 1
	}
	m.refusals[i].Add(1)
}

// drop reports whether a client's field must not reach the application, and counts
// it then.
func (s *Server) drop(name []byte) bool {
	if !s.stripper.Drop(name) {
		return false
	}
	s.metrics.stripped[s.metrics.strippedIndex(s.stripper, name)].Add(1)
	return true
}

// strippedIndex is that of a dropped field's name in strippedNames.
func (m *metrics) strippedIndex(stripper *headers.Stripper, name []byte) int {
	if i := stripper.NameIndex(name); i >= 0 {
		return i
	}
	return len(m.strippedNames) - 1
}

// judged counts a judgement.
func (m *metrics) judged(v trust.Verdict) {
	m.verdicts[v.Status].Add(1)
	if v.Status == trust.Failed {
		m.failed[min(int(v.Reason), len(m.failed)-1)].Add(1)
	}
}

// judgedAgain counts the judgement of a client that had been judged before on the
// same connection. It is lost when it was believed, and is no longer.
func (m *metrics) judgedAgain(believed, believes bool) {
	m.reverified[index(believed && !believes)].Add(1)
}

// read counts files that were read. A kind that is not configured has none.
func (m *metrics) read(kind int, err error, now time.Time) {
	m.reloads[kind][index(err != nil)].Add(1)
	if err == nil {
		m.reloaded[kind].Store(now.UnixMilli())
	}
}

// index is 1 for true, as in a table.
func index(is bool) int {
	if is {
		return 1
	}
	return 0
}
