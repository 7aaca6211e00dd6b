//go:build !race

package proxy

import (
	"io"
	"testing"
)

// A race build allocates in places of its own.

func TestALoggedRequestCostsNoAllocation(t *testing.T) {
	bare := allocations(t, newFixedClient(t, bareTLS(t, smallAnswer), curlGet, len(smallAnswer)).exchange)
	s := newSidecar(t, fixedBackend(t, smallAnswer), "MTLS_ACCESS_LOG=all")
	logging := newLogging(s.config, io.Discard)
	s.Server.log = logging.Logger
	s.start(t)
	got := allocations(t, newFixedClient(t, s, curlGet, smallRelayed).exchange)
	logging.Close()
	if got > bare+0.05 {
		t.Errorf("%.2f allocations per request, where bare crypto/tls makes %.2f", got, bare)
	}
}
