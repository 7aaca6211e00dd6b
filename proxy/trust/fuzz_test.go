package trust

import (
	"bytes"
	"crypto/x509"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// FuzzVerify changes one byte of a believed leaf. Whatever crypto/x509 still
// parses must not be believed, unless nothing was changed.
func FuzzVerify(f *testing.F) {
	root, err := pki.NewRoot(pki.Options{})
	must(f, root, err)
	leaf, err := root.Issue(pki.Options{DNSNames: []string{"a.example"}})
	must(f, leaf, err)
	snap, now := NewSnapshot(certs(root), strict()), time.Now()
	if v := snap.Verify(certs(leaf.Leaf), now); v.Status != Success {
		f.Fatalf("unchanged it is %q", v.Text())
	}
	good := leaf.Certificate[0]
	for at := range good {
		f.Add(uint16(at), byte(1))
	}
	f.Add(uint16(0), byte(0))
	f.Fuzz(func(t *testing.T, at uint16, change byte) {
		der := bytes.Clone(good)
		der[int(at)%len(der)] ^= change
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return
		}
		v := snap.Verify([]*x509.Certificate{c}, now)
		if believed, unchanged := v.Status == Success, bytes.Equal(der, good); believed != unchanged {
			t.Errorf("byte %d changed by %#x: %q", int(at)%len(der), change, v.Text())
		}
	})
}

// FuzzCertificate reads any certificate that crypto/x509 parses, by itself and as a
// CA: no panic, no success unless it is its own trusted root, the same answer twice.
func FuzzCertificate(f *testing.F) {
	root, err := pki.NewRoot(pki.Options{PermittedDNS: []string{"a.example"}})
	must(f, root, err)
	leaf, err := root.Issue(pki.Options{DNSNames: []string{"a.example"}, Emails: []string{"x@a.example"}})
	must(f, leaf, err)
	f.Add(root.Cert.Raw)
	f.Add(leaf.Certificate[0])
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return
		}
		now := c.NotBefore
		chain := []*x509.Certificate{leaf.Leaf, c}
		for _, snap := range []*Snapshot{NewSnapshot(nil, strict()), NewSnapshot([]*x509.Certificate{c}, strict())} {
			first, second := snap.Verify(chain, now), snap.Verify(chain, now)
			if first.Status != second.Status || first.Reason != second.Reason {
				t.Errorf("first %q, then %q", first.Text(), second.Text())
			}
			if first.Status == Success && (len(snap.CAs()) == 0 || !bytes.Equal(c.RawSubjectPublicKeyInfo, root.Cert.RawSubjectPublicKeyInfo)) {
				t.Errorf("a leaf was believed under a CA that did not sign it")
			}
		}
		Hints([]*x509.Certificate{c})
	})
}

// FuzzReadCAs gives any bytes as a CA file: certificates or an error that tells a
// remedy, never both, never neither, never a panic.
func FuzzReadCAs(f *testing.F) {
	root, err := pki.NewRoot(pki.Options{})
	must(f, root, err)
	bundle := pki.CertPEM(root.Cert, root.Cert)
	key, err := pki.KeyPEM(root.Key)
	must(f, key, err)
	for _, seed := range [][]byte{
		nil, bundle, bundle[:len(bundle)-30], root.Cert.Raw, key, append(key, bundle...),
		[]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), []byte("-----BEGIN"), []byte("hello"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := parseBundle(data)
		if (err == nil) != (len(found.certs) > 0) {
			t.Errorf("%d certificates with error %v", len(found.certs), err)
		}
		if fault, ok := err.(*BundleError); err != nil && (!ok || fault.Fault == "" || fault.Remedy == "") {
			t.Errorf("the error does not tell fault and remedy: %v", err)
		}
		if begins := bytes.Count(data, []byte("-----BEGIN")); err == nil && begins > 0 && len(found.certs) > begins {
			t.Errorf("%d certificates out of %d blocks", len(found.certs), begins)
		}
	})
}
