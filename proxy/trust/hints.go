package trust

import "crypto/x509"

// Hints are the CA names to offer to clients in the CertificateRequest: the DER
// subjects of cas in their order, each name once (names that OpenSSL calls
// equal count as one), as nginx sends them.
func Hints(cas []*x509.Certificate) [][]byte {
	var names [][]byte
	seen := make(map[string]bool, len(cas))
	for _, c := range cas {
		if key := canonicalName(c.RawSubject); !seen[key] {
			seen[key] = true
			names = append(names, c.RawSubject)
		}
	}
	return names
}
