package headers

import (
	"crypto/tls"
	"strings"
)

// tomcatKeySize appends Apache's SSL_CIPHER_USEKEYSIZE, the bits of the cipher's key that count, as OpenSSL's
// SSL_CIPHER_get_bits has them: 112 for triple DES. SSLValve makes jakarta.servlet.request.key_size of it.
func tomcatKeySize(dst []byte, f *Facts) ([]byte, error) {
	if f.TLS == nil {
		return dst, nil
	}
	switch suite := tls.CipherSuiteName(f.TLS.CipherSuite); {
	case strings.Contains(suite, "_256_"), strings.Contains(suite, "_CHACHA20_"):
		return append(dst, "256"...), nil
	case strings.Contains(suite, "_128_"):
		return append(dst, "128"...), nil
	case strings.Contains(suite, "_3DES_"):
		return append(dst, "112"...), nil
	default:
		return dst, nil
	}
}
