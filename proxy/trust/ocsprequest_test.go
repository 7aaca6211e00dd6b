package trust

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/crypto/ocsp"

	"mtls-sidecar/proxy/pki"
)

func ext(list ...pkix.Extension) []pkix.Extension { return list }

func TestAQuestionNamesTheCertificate(t *testing.T) {
	w := newOCSPWorld(t)
	request, err := ocsp.ParseRequest(w.question().request)
	must(t, request, err)
	want := forgedCertID(w.client, w.inter.Cert)
	if got := forgedCertIDOf(request.IssuerNameHash, request.IssuerKeyHash, w.client); string(got) != string(want) || request.HashAlgorithm != crypto.SHA1 {
		t.Errorf("got CertID %x with %v, want %x with SHA-1", got, request.HashAlgorithm, want)
	}
	if request.SerialNumber.Cmp(w.client.SerialNumber) != 0 {
		t.Errorf("got serial %v, want %v", request.SerialNumber, w.client.SerialNumber)
	}
}

func TestCertificatesAreToldApartByIssuerAndSerial(t *testing.T) {
	w := newOCSPWorld(t)
	same := pki.Options{Serial: big.NewInt(7)}
	one := w.leaf(w.inter, same)
	seen := map[ocspID]string{}
	for name, link := range map[string]ocspLink{
		"one":            {one, w.inter.Cert},
		"another serial": {w.leaf(w.inter, pki.Options{Serial: big.NewInt(8)}), w.inter.Cert},
		"negative":       {&x509.Certificate{SerialNumber: big.NewInt(-7)}, w.inter.Cert},
		"another CA":     {w.leaf(w.root, same), w.root.Cert},
		"namesake":       {one, w.ca(pki.Options{RawSubject: w.inter.Cert.RawSubject}).Cert},
	} {
		if other, ok := seen[link.id()]; ok {
			t.Errorf("%q is taken for %q", name, other)
		}
		seen[link.id()] = name
	}
	if (ocspLink{w.leafAgain(), w.inter.Cert}).id() != (ocspLink{w.client, w.inter.Cert}).id() {
		t.Errorf("a certificate parsed again is taken for another")
	}
}

func TestTheResponderIsTheOperatorsOrTheFirstHTTPOne(t *testing.T) {
	long := "http://a.example/" + strings.Repeat("a", maxOCSPURL)
	tests := []struct {
		name, operators string
		named           []string
		want, fault     string
	}{
		{"the operator's", "http://op.example/x", []string{"http://a.example"}, "http://op.example/x", ""},
		{"the certificate's", "", []string{"http://a.example"}, "http://a.example", ""},
		{"in capitals", "", []string{"HTTP://a.example/"}, "http://a.example/", ""},
		{"the first http one", "", []string{"https://s.example", "ldap://l.example", "http://a.example", "http://b.example"}, "http://a.example", ""},
		{"with a port", "", []string{"http://a.example:8080/ocsp"}, "http://a.example:8080/ocsp", ""},
		{"without a fragment", "", []string{"http://a.example/#x"}, "http://a.example/", ""},
		{"none", "", nil, "", "no http URL"},
		{"https alone", "", []string{"https://s.example"}, "", "no http URL"},
		{"https of the operator", "https://s.example", nil, "", "not an http URL"},
		{"a user", "", []string{"http://u:p@a.example"}, "", "user name"},
		{"no host", "", []string{"http:///x"}, "", "not an http URL"},
		{"a bad port", "", []string{"http://a.example:b/"}, "", "not an http URL"},
		{"too long", "", []string{long}, "", "not an http URL"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := responderURL(test.operators, &x509.Certificate{OCSPServer: test.named})
			switch {
			case test.fault != "":
				if err == nil || !strings.Contains(err.Error(), test.fault) || !strings.Contains(err.Error(), "; ") {
					t.Errorf("got error %v, want one with %q and a remedy", err, test.fault)
				}
			case err != nil:
				t.Errorf("refused: %v", err)
			case got.String() != test.want:
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestAQuestionGoesIntoTheURLWhereItFits(t *testing.T) {
	w := newOCSPWorld(t)
	for base, want := range map[string]string{
		"http://a.example":           "http://a.example/M",
		"http://a.example/":          "http://a.example/M",
		"http://a.example:80/x":      "http://a.example:80/x/M",
		"http://a.example/x%2Fy/%20": "http://a.example/x%2Fy/%20/M",
		"http://a.example/?x=y":      "", // there is no path to append to
		"http://a.example/?":         "",
	} {
		got, ok := w.question().getURL(mustURL(t, base))
		if ok != (want != "") || ok && !strings.HasPrefix(got.String(), want) {
			t.Errorf("%s: got %v, want %s...", base, got, want)
		}
		if ok {
			last := got.String()[strings.LastIndex(got.String(), "/")+1:]
			if strings.ContainsAny(last, "+=/") || len(last) > 255 {
				t.Errorf("%s: the question is not escaped: %s", base, last)
			}
			if again, err := url.Parse(got.String()); err != nil || again.String() != got.String() {
				t.Errorf("%s: %v is not itself when read again", base, got)
			}
		}
	}
	w.client = w.leaf(w.inter, pki.Options{Serial: new(big.Int).Lsh(big.NewInt(1), 1200)})
	if got, ok := w.question().getURL(mustURL(t, "http://a.example")); ok {
		t.Errorf("a question of %d bytes goes into the URL", len(got.Path))
	}
}

func TestATooLongQuestionIsPosted(t *testing.T) {
	w := newOCSPWorld(t)
	w.client = w.leaf(w.inter, pki.Options{Serial: new(big.Int).Lsh(big.NewInt(1), 1200)})
	w.believe = w.chain(w.client, w.inter.Cert)
	responder := w.responder(func() []byte { return w.forge().der(t) })
	o, _, _ := w.start(OCSPOptions{Responder: responder.URL})
	if got := o.Check(ocspCtx, w.believe, w.now); got.Status != Success {
		t.Errorf("got %q", got.Text())
	}
	if asked := responder.questions(); len(asked) != 1 || asked[0] != "POST /" {
		t.Errorf("asked %q", asked)
	}
}
