package proxy

import (
	"crypto/x509/pkix"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// Whoever can put a list beside the CA's own in a file must not be able to hide it
// from those who look.
func TestAListThatNobodyHasProvedIsToldAsWaiting(t *testing.T) {
	stranger, err := pki.NewRoot(pki.Options{Subject: pkix.Name{CommonName: "Strange CA"}})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, ca := range map[string]*pki.Authority{"own.crl": testCA(t).ca, "strange.crl": stranger} {
		der, err := ca.CRL(1)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), der, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := startSidecar(t, "http://127.0.0.1:1", "MTLS_CRL="+folder)
	a, url := s.openAdmin(t, NewDrain())
	a.Attach(s.Server)
	states := map[string]string{}
	for _, list := range a.status().RevocationLists {
		states[filepath.Base(list.Source)] = string(list.State)
	}
	if len(states) != 2 || states["own.crl"] != "current" || states["strange.crl"] != "waiting" {
		t.Errorf("got %v", states)
	}
	if _, text := askPort(t, url+"/metrics"); !strings.Contains(text, `mtls_crl_entries{`) || !strings.Contains(text, "own.crl") || strings.Contains(text, "strange.crl") {
		t.Error("the metrics tell of the list of a CA that nobody knows, or not of the other")
	}
}
