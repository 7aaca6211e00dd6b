package trust

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
)

// authorityKeyID is RFC 5280 §4.2.1.1's extension in full; crypto/x509 keeps
// the key identifier alone.
type authorityKeyID struct {
	keyID  []byte   // nil: absent
	issuer string   // canonical name of the issuer's issuer; "": absent
	serial *big.Int // of the issuer's certificate; nil: absent
}

func parseAuthorityKeyID(value []byte) (authorityKeyID, bool) {
	var id authorityKeyID
	body, ok := sequence(value)
	if !ok {
		return id, false
	}
	ok = inOrder(body, contextTag(0, false), contextTag(1, true), contextTag(2, false)) && every(body, func(e element) bool {
		switch e.tag {
		case contextTag(0, false):
			id.keyID = e.body
		case contextTag(1, true):
			id.issuer = firstDirectoryName(e.body)
			return goodGeneralNames(e.body)
		case contextTag(2, false):
			id.serial = signedInteger(e.body)
		}
		return true
	})
	return id, ok
}

// firstDirectoryName is the only one of several that OpenSSL heeds.
func firstDirectoryName(names []byte) (canonical string) {
	every(names, func(name element) bool {
		if name.tag == contextTag(nameDirectory, true) {
			canonical = canonicalName(name.body)
			return false
		}
		return true
	})
	return canonical
}

// signedInteger reads the contents of an INTEGER.
func signedInteger(body []byte) *big.Int {
	n := new(big.Int).SetBytes(body)
	if len(body) > 0 && body[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(body))))
	}
	return n
}

// mayHaveIssued tells by names, key identifiers and kind of key, without a
// signature check, whether c is to be taken for the issuer of subject: OpenSSL's
// ossl_x509_likely_issued. Key usage is not asked here but reported later.
func (c *certificate) mayHaveIssued(subject *certificate) bool {
	if c.malformed || subject.malformed || c.subject != subject.issuer {
		return false
	}
	return subject.authority.fits(c) && keyFits(c.PublicKey, subject.SignatureAlgorithm)
}

// fits reports whether nothing in id speaks against c's being the issuer that is
// meant: OpenSSL's X509_check_akid.
func (id authorityKeyID) fits(c *certificate) bool {
	if id.keyID != nil && c.SubjectKeyId != nil && !bytes.Equal(id.keyID, c.SubjectKeyId) {
		return false
	}
	if id.serial != nil && id.serial.Cmp(c.SerialNumber) != 0 {
		return false
	}
	return id.issuer == "" || id.issuer == c.issuer
}

// keyFits reports whether a key of this kind can have made such a signature. What
// crypto/x509 does not know may fit; the signature check refuses it.
func keyFits(key any, algorithm x509.SignatureAlgorithm) bool {
	var isRSA, isECDSA, isEd25519 bool
	switch algorithm {
	case x509.ECDSAWithSHA1, x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
		isECDSA = true
	case x509.PureEd25519:
		isEd25519 = true
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.SHA256WithRSA, x509.SHA384WithRSA,
		x509.SHA512WithRSA, x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS:
		isRSA = true
	default:
		return true
	}
	switch key.(type) {
	case *rsa.PublicKey:
		return isRSA
	case *ecdsa.PublicKey:
		return isECDSA
	case ed25519.PublicKey:
		return isEd25519
	case nil:
		return true
	default:
		return false
	}
}
