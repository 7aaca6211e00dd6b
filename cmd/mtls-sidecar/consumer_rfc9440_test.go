package main_test

import (
	"encoding/base64"
	"strings"
	"testing"
)

// TestRFC9440IsReadByAParserOfStructuredFields: Client-Cert is one byte sequence, Client-Cert-Chain
// a list of them without the leaf, and there is none where there is nothing to say.
// What the parser made of them is compared by TestNodeReadsTheVeryCertificate.
func TestRFC9440IsReadByAParserOfStructuredFields(t *testing.T) {
	t.Parallel()
	node, c := startNode(t), newCrowd(t)
	r := nodeReader{"rfc9440", "rfc9440", true}
	car := c.car(t, node.port, r.dialects)

	_, a := r.read(t, car, &c.plain)
	if chain, sent := a.Headers["client-cert-chain"]; sent {
		t.Errorf("a chain of the leaf alone came as Client-Cert-Chain: %q, want no such header", chain)
	}
	_, a = r.read(t, car, &c.chained)
	for name, der := range map[string][]byte{"client-cert": c.chained.Certificate[0], "client-cert-chain": c.chained.Certificate[1]} {
		if want := ":" + base64.StdEncoding.EncodeToString(der) + ":"; a.Headers[name] != want {
			t.Errorf("%s: got %q, want %q", name, a.Headers[name], want)
		}
	}
	// RFC 9440 section 2.4: an intermediary removes both.
	lies := []string{"Client-Cert: :AAAA:", "Client-Cert-Chain: :AAAA:, :BBBB:", "Client-Cert-Chain: :CCCC:"}
	status, a := r.read(t, car, nil, lies...)
	r.denies(t, status, a)
	status, a = r.read(t, car, &c.plain, lies...)
	r.believes(t, status, a, c.plain)
	for name, value := range a.Headers {
		if strings.Contains(value, "AAAA:") || strings.Contains(value, "BBBB") || strings.Contains(value, "CCCC:") {
			t.Errorf("the application saw %s: %s", name, value)
		}
	}
}
