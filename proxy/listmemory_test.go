package proxy

import (
	"path/filepath"
	"runtime"
	"testing"
	"weak"

	"mtls-sidecar/proxy/pki"
	"mtls-sidecar/proxy/trust"
)

// A list may have 64 MiB, and be issued anew every few minutes: whatever lives
// as long as a connection must not keep those that are no longer in force.
func TestNoConnectionKeepsAListThatIsNoLongerInForce(t *testing.T) {
	p := newReloadPKI(t)
	ca := inFolder(t, "ca.crt", pki.CertPEM(p.cas[0].Cert))
	file := filepath.Join(folderFor(t), "first.crl")
	put(t, file, p.list(p.cas[0], 1, p.revoked))
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_CLIENT_CA_FILE="+ca, "MTLS_CRL="+file, "MTLS_RELOAD_INTERVAL=1h", "MTLS_IDLE_TIMEOUT=1h")
	c := s.dial(t, p.clients[0])
	c.asks(app, expectation{200, "SUCCESS", "CN=first"})
	first := weak.Make(s.belief.inForce()[0])
	put(t, file, p.list(p.cas[0], 2, p.revoked))
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the first list is collected", func() bool {
		runtime.GC()
		return first.Value() == nil
	})
	c.asks(app, expectation{200, "SUCCESS", "CN=first"})
}

func TestAListThatIsReadAgainIsHeldOnce(t *testing.T) {
	p := newReloadPKI(t)
	ca := inFolder(t, "ca.crt", pki.CertPEM(p.cas[0].Cert))
	list := inFolder(t, "first.crl", p.list(p.cas[0], 1, p.revoked))
	s := startSidecar(t, "http://127.0.0.1:1", "MTLS_CLIENT_CA_FILE="+ca, "MTLS_CRL="+list, "MTLS_RELOAD_INTERVAL=1h")
	for range 2 {
		if err := s.Reload(); err != nil {
			t.Fatal(err)
		}
		s.belief.mu.Lock()
		read, inForce := s.belief.material.CRLs, s.belief.lists.All()
		s.belief.mu.Unlock()
		if len(read) != 1 || len(inForce) != 1 || read[0] != inForce[0] {
			t.Errorf("the list that was read is held beside the one in force: %p, %p", soleList(read), soleList(inForce))
		}
	}
}

func soleList(lists []*trust.CRL) *trust.CRL {
	if len(lists) != 1 {
		return nil
	}
	return lists[0]
}
