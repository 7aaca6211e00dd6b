package trust

import (
	"bytes"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"mtls-sidecar/proxy/pki"
)

// FuzzOCSPAnswer judges any bytes as an answer. Whatever counts, the library
// accepts as well, tells the same state, has the whole CertID exactly once, and was
// not altered after it was signed.
func FuzzOCSPAnswer(f *testing.F) {
	root, err := pki.NewRoot(pki.Options{})
	must(f, root, err)
	leaf, err := root.Issue(pki.Options{})
	must(f, leaf, err)
	signer, err := root.Issue(pki.Options{EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}})
	must(f, signer, err)
	delegate, err := pki.AuthorityOf(signer)
	must(f, delegate, err)
	w := &ocspWorld{world: &world{now: time.Now().Truncate(time.Second), root: root, inter: root}, client: leaf.Leaf}
	question, err := newOCSPQuestion(ocspLink{leaf.Leaf, root.Cert})
	must(f, question, err)

	signed := map[string]bool{} // the data that somebody who may has signed
	seed := func(forged *forgery, signs bool) {
		der := forged.der(f)
		if signs {
			signed[string(signedData(der))] = true
		}
		f.Add(der)
	}
	seed(w.forge(), true)
	seed(w.forge().by(delegate, delegate.Cert), true)
	for _, change := range []func(*forgery){
		func(g *forgery) { g.singles[0].status = forgedRevoked(w.now) },
		func(g *forgery) { g.singles[0].status = forgedUnknown },
		func(g *forgery) { g.singles[0].next, g.extensions = time.Time{}, forgedExtension(false) },
		func(g *forgery) { g.singles = append(g.singles, g.singles[0]) },
		func(g *forgery) { g.singles[0].extensions = forgedExtension(true) },
		func(g *forgery) {
			g.singles[0].certID = forgedCertID(&x509.Certificate{SerialNumber: big.NewInt(5)}, root.Cert)
		},
	} {
		g := w.forge()
		change(g)
		seed(g, true)
	}
	client, err := pki.AuthorityOf(leaf)
	must(f, client, err)
	seed(w.forge().by(client, client.Cert), false)
	f.Add([]byte{0x30, 3, 0x0a, 1, 3})
	f.Add([]byte(nil))

	id := forgedCertID(leaf.Leaf, root.Cert)
	f.Fuzz(func(t *testing.T, der []byte) {
		answer, err := question.judge(der, OCSPOptions{MaxAge: time.Minute, MinRSABits: 2048}, w.now)
		if (answer == nil) == (err == nil) {
			t.Fatalf("answer %v with error %v", answer, err)
		}
		if err != nil {
			return
		}
		theirs, err := ocsp.ParseResponseForCert(der, leaf.Leaf, root.Cert)
		if err != nil {
			t.Fatalf("golang.org/x/crypto/ocsp refuses it: %v", err)
		}
		if got, want := answer.status(), [...]string{"good", "revoked", "unknown"}[theirs.Status]; got != want {
			t.Errorf("we say %s, the library %s", got, want)
		}
		if n := bytes.Count(theirs.TBSResponseData, id); n != 1 {
			t.Errorf("the CertID occurs %d times", n)
		}
		if !signed[string(theirs.TBSResponseData)] {
			t.Errorf("nobody has signed this: %x", theirs.TBSResponseData)
		}
		if !answer.until.After(w.now) || answer.until.After(w.now.Add(time.Minute)) {
			t.Errorf("it counts until %v", answer.until.Sub(w.now))
		}
	})
}

// signedData is the ResponseData of an answer that is well-formed.
func signedData(der []byte) []byte {
	response, err := ocsp.ParseResponseForCert(der, nil, nil)
	if err != nil { // one that is refused by everybody
		return nil
	}
	return response.TBSResponseData
}
