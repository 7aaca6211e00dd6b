package trust

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"slices"
	"time"
)

// signer returns the certificate whose key has to have made the answer's
// signature: the issuer's, or that of a responder to whom this very issuer has
// delegated it (RFC 6960 §4.2.2.2). Nothing is computed with a key that
// only the answer vouches for.
func (q *ocspQuestion) signer(parts ocspParts, o OCSPOptions, now time.Time) (*x509.Certificate, error) {
	signer := q.issuer
	if len(parts.certificates) > 0 {
		enclosed, err := firstCertificate(parts.certificates)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(enclosed.RawSubjectPublicKeyInfo, q.issuer.RawSubjectPublicKeyInfo) {
			if err := q.delegated(enclosed, o, now); err != nil {
				return nil, err
			}
			signer = enclosed
		}
	}
	if !isResponder(parts.responder, signer) {
		return nil, unfit("names another signer than it has")
	}
	return signer, nil
}

// firstCertificate parses the first of the enclosed certificates. Only it can be
// the signer's, as golang.org/x/crypto/ocsp sees it too; what follows is of no
// use, since the signer must have been certified by the issuer itself.
func firstCertificate(list []byte) (*x509.Certificate, error) {
	if count(list) < 1 {
		return nil, unfit("has malformed certificates")
	}
	_, rest, _ := nextElement(list)
	enclosed, err := x509.ParseCertificate(list[:len(list)-len(rest)])
	if err != nil {
		return nil, unfit("has a certificate that cannot be parsed: %w", err)
	}
	return enclosed, nil
}

// delegated refuses a certificate that does not make its holder the issuer's
// responder.
func (q *ocspQuestion) delegated(responder *x509.Certificate, o OCSPOptions, now time.Time) error {
	issuer, c := newCertificate(q.issuer), newCertificate(responder)
	key, isRSA := responder.PublicKey.(*rsa.PublicKey)
	switch {
	case oversized(c), c.overlooked, c.malformed, len(c.UnhandledCriticalExtensions) > 0:
		return unfit("is signed with a certificate of a form that is refused")
	case !issuer.mayHaveIssued(c):
		return unfit("is signed by somebody whom the certificate's own CA has not certified")
	case !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return unfit("is signed with a certificate that is not for OCSP signing")
	case c.hasKeyUsage && c.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return unfit("is signed with a certificate whose key usage does not include digitalSignature")
	case !c.inDate(now):
		return unfit("is signed with a certificate that is out of date")
	case isRSA && key.N.BitLen() < o.MinRSABits:
		return unfit("is signed with an RSA key of %d bits, which is too short", key.N.BitLen())
	case weakDigest(c.SignatureAlgorithm):
		return unfit("is signed with a certificate that is itself signed with %v, which is too weak", c.SignatureAlgorithm)
	}
	if err := issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
		return unfit("is signed by somebody whom the certificate's own CA has not certified: %w", err)
	}
	if o.Revoked != nil && o.Revoked(responder, q.issuer, now) {
		return unfit("is signed with a certificate that the CA's revocation list names")
	}
	return nil
}

// isResponder reports whether a ResponderID is that of the signer (RFC 6960
// §4.2.1: byName, or byKey with the SHA-1 of the key's bits).
func isResponder(id element, signer *x509.Certificate) bool {
	switch id.tag {
	case contextTag(1, true):
		return bytes.Equal(id.body, signer.RawSubject)
	case contextTag(2, true):
		explicit := ocspReader{rest: id.body}
		hash := explicit.take(tagOctetString)
		key, ok := publicKeyBits(signer)
		if !ok || !explicit.end() {
			return false
		}
		sum := sha1.Sum(key)
		return bytes.Equal(hash, sum[:])
	}
	return false
}
