package trust

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// world is a small PKI: a root, an intermediate below it, and a stranger's root.
type world struct {
	t                     *testing.T
	now                   time.Time
	root, inter, stranger *pki.Authority
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Now().Truncate(time.Second)}
	w.root = w.ca(pki.Options{})
	w.inter = w.sub(w.root, pki.Options{})
	w.stranger = w.ca(pki.Options{Subject: pkix.Name{CommonName: "Stranger Root"}})
	return w
}

// ca makes a root, sub an intermediate; both end the test when that fails.
func (w *world) ca(o pki.Options) *pki.Authority {
	w.t.Helper()
	a, err := pki.NewRoot(o)
	return must(w.t, a, err)
}

func (w *world) sub(issuer *pki.Authority, o pki.Options) *pki.Authority {
	w.t.Helper()
	a, err := issuer.Intermediate(o)
	return must(w.t, a, err)
}

// leaf makes a certificate issued by issuer, or self-signed when that is nil.
func (w *world) leaf(issuer *pki.Authority, o pki.Options) *x509.Certificate {
	w.t.Helper()
	return w.keyed(issuer, o).Leaf
}

func (w *world) keyed(issuer *pki.Authority, o pki.Options) tls.Certificate {
	w.t.Helper()
	var cert tls.Certificate
	var err error
	if issuer == nil {
		cert, err = pki.SelfSigned(o)
	} else {
		cert, err = issuer.Issue(o)
	}
	must(w.t, cert, err)
	if cert.Leaf == nil {
		w.t.Fatalf("crypto/x509 cannot parse the certificate")
	}
	return cert
}

// authority lets a leaf sign.
func (w *world) authority(cert tls.Certificate) *pki.Authority {
	w.t.Helper()
	a, err := pki.AuthorityOf(cert)
	return must(w.t, a, err)
}

func must[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	return must(t, key, err)
}

// certs collects certificates and the certificates of authorities.
func certs(list ...any) []*x509.Certificate {
	var out []*x509.Certificate
	for _, c := range list {
		switch c := c.(type) {
		case *x509.Certificate:
			out = append(out, c)
		case *pki.Authority:
			out = append(out, c.Cert)
		}
	}
	return out
}

// strict is the policy of the defaults: nginx's strength, any depth.
func strict() Policy { return Policy{MaxDepth: -1, MinRSABits: 2048} }
