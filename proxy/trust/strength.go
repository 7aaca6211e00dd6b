package trust

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
)

const (
	// minECBits is OpenSSL's security level 2: 112 bits, half the curve's size.
	minECBits = 224
	// maxRSABits is what crypto/tls accepts from a peer. Larger keys, which only an
	// untrusted certificate could bring here, would make one signature
	// check cost seconds.
	maxRSABits = 8192
)

// weakKey reports a key below what the policy and OpenSSL's level 2 demand.
func (p Policy) weakKey(c *certificate) bool {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() < p.MinRSABits
	case *ecdsa.PublicKey:
		return key.Curve.Params().BitSize < minECBits
	}
	return false // Ed25519, or of a kind that is refused (overlooked.go)
}

// checkAuthorities asks for strong keys above the leaf, and strong digests
// below the top of the path: OpenSSL's check_auth_level.
func (s *Snapshot) checkAuthorities(p *path, found *faults) {
	for i, c := range p.certs {
		if i > 0 && s.policy.weakKey(c) {
			found.add(WeakCAKey, c)
		}
		if i < len(p.certs)-1 && weakDigest(c.SignatureAlgorithm) {
			found.add(WeakDigest, c)
		}
	}
}

func weakDigest(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return true
	}
	return false
}

// oversized reports a key that is not to be computed with.
func oversized(c *certificate) bool {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	return ok && !c.trusted && key.N.BitLen() > maxRSABits
}
