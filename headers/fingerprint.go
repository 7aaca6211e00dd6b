package headers

import (
	"crypto/sha1" // nginx's $ssl_client_fingerprint
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
)

func appendFingerprint(dst []byte, c *x509.Certificate) []byte {
	sum := sha1.Sum(c.Raw)
	return hex.AppendEncode(dst, sum[:])
}

func appendFingerprint256(dst []byte, c *x509.Certificate) []byte {
	sum := sha256.Sum256(c.Raw)
	return hex.AppendEncode(dst, sum[:])
}

// appendKeyFingerprint hashes the SubjectPublicKeyInfo, which stays the same when a certificate is renewed for the same key.
func appendKeyFingerprint(dst []byte, c *x509.Certificate) []byte {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return hex.AppendEncode(dst, sum[:])
}
