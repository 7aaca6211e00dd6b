package proxy

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

func TestAListThatEndsInForceIsTold(t *testing.T) {
	p := newReloadPKI(t)
	folder := folderFor(t)
	list := filepath.Join(folder, "first.crl")
	put(t, filepath.Join(folder, "ca.crt"), pki.CertPEM(p.cas[0].Cert))
	put(t, list, p.list(p.cas[0], 1, p.revoked))
	s := newSidecar(t, startTeller(t).url, "MTLS_CLIENT_CA_FILE="+filepath.Join(folder, "ca.crt"), "MTLS_CRL="+list,
		"MTLS_CRL_GRACE=2h", "MTLS_RELOAD_INTERVAL=1h")
	s.start(t)

	now := time.Now()
	end := s.belief.inForce()[0].NextUpdate
	for _, step := range []struct {
		when     string
		at       time.Time
		troubles int
		logged   int
	}{
		{"now", now, 0, 0},
		{"just before its end", end.Add(-time.Second), 0, 0},
		{"at its end", end, 1, 1},
		{"later", end.Add(time.Hour), 1, 1},
	} {
		s.watchEnds(step.at)
		if got := s.Troubles(); len(got) != step.troubles || step.troubles > 0 && !strings.Contains(got[0].Fault, list) {
			t.Errorf("%s: got the troubles %v, want %d that name the file", step.when, got, step.troubles)
		}
		if got := len(s.logged("a revocation list has ended, and there is no newer one")); got != step.logged {
			t.Errorf("%s: it was logged %d times, want %d", step.when, got, step.logged)
		}
	}
	until := s.logged("a revocation list has ended, and there is no newer one")[0].ContextMap()["counts_until"]
	if got, ok := until.(time.Time); !ok || !got.Equal(end.Add(2*time.Hour)) {
		t.Errorf("it counts until %v, want two hours after %v", until, end)
	}

	put(t, list, p.list(p.cas[0], 2, p.revoked))
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	s.watchEnds(now)
	if got := s.Troubles(); len(got) != 0 {
		t.Errorf("with a newer list there are still troubles: %v", got)
	}
}
