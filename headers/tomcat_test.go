package headers

import (
	"crypto/tls"
	"testing"
)

// The bits are those of "openssl ciphers -v": Enc=AESGCM(128), Enc=CHACHA20/POLY1305(256), Enc=3DES(168), of which 112 count
// (RFC 5246 has them as DES-EDE; SP 800-57 part 1 §5.6.1 gives their strength).
func TestTomcatsKeySizeIsTheCiphers(t *testing.T) {
	for suite, want := range map[uint16]string{
		tls.TLS_AES_128_GCM_SHA256:                        "128",
		tls.TLS_AES_256_GCM_SHA384:                        "256",
		tls.TLS_CHACHA20_POLY1305_SHA256:                  "256",
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:       "128",
		tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:         "256",
		tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256:   "256",
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "256",
		tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA:            "256",
		tls.TLS_RSA_WITH_AES_128_CBC_SHA256:               "128",
		tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA:                 "112",
		0xfafa:                                            "",
	} {
		got, err := tomcatKeySize(nil, &Facts{TLS: &tls.ConnectionState{CipherSuite: suite}})
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v; want %q", tls.CipherSuiteName(suite), got, err, want)
		}
	}
	for _, suite := range tls.CipherSuites() {
		if got, _ := tomcatKeySize(nil, &Facts{TLS: &tls.ConnectionState{CipherSuite: suite.ID}}); len(got) == 0 {
			t.Errorf("%s has no size", suite.Name)
		}
	}
	if got, _ := tomcatKeySize(nil, &Facts{}); len(got) != 0 {
		t.Errorf("without a connection: %q", got)
	}
}
