package proxy

import (
	"testing"
	"time"

	"mtls-sidecar/proxy/trust"
)

// settled is an exchange whose account is settled.
func settled(t testing.TB) *exchange {
	t.Helper()
	c := headConn(t, newSidecar(t, "http://127.0.0.1:1").Server)
	x := &c.exchange
	x.now = time.Now()
	x.account = account{began: x.now.Add(-300 * time.Microsecond), asked: x.now.Add(-280 * time.Microsecond), answered: x.now.Add(-20 * time.Microsecond),
		status: 200, verified: trust.Success, method: methodGet, parsed: true}
	return x
}

func TestMetricsOfARequestTakeNoMemory(t *testing.T) {
	x := settled(t)
	x.server.tally(x)
	if got := testing.AllocsPerRun(100, func() { x.server.tally(x) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
	name := []byte("X_SSL_Client_Verify")
	if got := testing.AllocsPerRun(100, func() { x.server.drop(name) }); got != 0 {
		t.Errorf("%v allocations for a stripped field", got)
	}
}

// BenchmarkTally is what metrics add to a request.
func BenchmarkTally(b *testing.B) {
	x := settled(b)
	b.ReportAllocs()
	for b.Loop() {
		x.server.tally(x)
	}
}

// BenchmarkScrape is /metrics of a sidecar at rest.
func BenchmarkScrape(b *testing.B) {
	s := newSidecar(b, "http://127.0.0.1:1")
	b.ReportAllocs()
	for b.Loop() {
		s.scrape(b)
	}
}
