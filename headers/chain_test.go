package headers

import (
	"crypto/x509"
	"encoding/pem"
	"net/url"
	"strings"
	"testing"
)

func TestChainDecodesToAPEMFileLeafFirst(t *testing.T) {
	var chain []*x509.Certificate
	for _, cn := range []string{"leaf", "intermediate", "another"} {
		chain = append(chain, crafted{subject: name(attr(oidCN, 12, cn))}.parse(t))
	}
	for n := 1; n <= len(chain); n++ {
		value := valueOf(t, "ssl_client_chain", client(chain[:n]...))
		if strings.ContainsAny(value, "\r\n +/=") {
			t.Errorf("%d certificates: %q is not escaped as nginx does", n, value)
		}
		text, err := url.PathUnescape(value)
		if err != nil {
			t.Fatalf("%d certificates: %v", n, err)
		}
		rest := []byte(text)
		for i := range n {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil || string(block.Bytes) != string(chain[i].Raw) {
				t.Fatalf("%d certificates: the one at %d is not there: %q", n, i, text)
			}
		}
		if len(rest) != 0 {
			t.Errorf("%d certificates: %q follows", n, rest)
		}
	}
	if one, cert := valueOf(t, "ssl_client_chain", client(chain[0])), valueOf(t, "ssl_client_escaped_cert", client(chain...)); one != cert {
		t.Errorf("a chain of one is %q, the certificate %q", one, cert)
	}
}

func TestNoChainIsToldOfAnUnverifiedCertificate(t *testing.T) {
	facts := client(&x509.Certificate{Raw: []byte("x"), RawSubject: name()}, &x509.Certificate{Raw: []byte("y")})
	facts.Verify = "FAILED:self-signed certificate"
	if got := lines(t, template(t, "X-Chain=$ssl_client_chain"), facts); got != nil {
		t.Errorf("told of %q", got)
	}
}
