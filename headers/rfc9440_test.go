package headers

import (
	"crypto/x509"
	"testing"
)

// RFC 8941 §3.1 separates a list's members by a comma and a space; foobar is Zm9vYmFy (RFC 4648 §10).
func TestTheChainOfRFC9440IsAListWithoutTheLeaf(t *testing.T) {
	leaf, one, two := &x509.Certificate{Raw: []byte("f")}, &x509.Certificate{Raw: []byte("foobar")}, &x509.Certificate{Raw: []byte("fo")}
	cases := []struct {
		chain []*x509.Certificate
		want  string
	}{
		{[]*x509.Certificate{leaf}, ""},
		{[]*x509.Certificate{leaf, one}, ":Zm9vYmFy:"},
		{[]*x509.Certificate{leaf, one, two}, ":Zm9vYmFy:, :Zm8=:"},
	}
	for _, c := range cases {
		facts := client(c.chain...)
		if got, err := rfc9440Chain(nil, &facts); err != nil || string(got) != c.want {
			t.Errorf("%d certificates: got %q, %v; want %q", len(c.chain), got, err, c.want)
		}
	}
}

// HAProxy has no separator in ssl_c_chain_der: "foobar" and "fo" are one base64.
func TestTheChainForKeycloakIsOneBase64(t *testing.T) {
	facts := client(&x509.Certificate{Raw: []byte("f")}, &x509.Certificate{Raw: []byte("foobar")}, &x509.Certificate{Raw: []byte("fo")})
	if got, err := keycloakHAProxyChain(nil, &facts); err != nil || string(got) != "Zm9vYmFyZm8=" {
		t.Errorf("got %q, %v", got, err)
	}
}
