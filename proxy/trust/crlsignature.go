package trust

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	_ "crypto/sha512" // crypto.SHA384 and SHA512
	"crypto/x509"
	"sync/atomic"
)

// signatureScheme is a kind of signature, without its digest.
type signatureScheme uint8

const (
	schemePKCS1 signatureScheme = iota + 1 // RSASSA-PKCS1-v1_5
	schemePSS                              // RSASSA-PSS
	schemeECDSA
	schemeEd25519
)

// crlAlgorithm is what a list's AlgorithmIdentifier says.
type crlAlgorithm struct {
	scheme signatureScheme
	hash   crypto.Hash // zero: the message itself is signed (Ed25519)
	salt   int         // bytes; of PSS alone
}

// crlSignature is a signature with what it was made over, so that the list
// itself need not be kept until its issuer is known.
type crlSignature struct {
	crlAlgorithm
	value   []byte
	message []byte // the digest of the TBSCertList; for Ed25519 the TBSCertList itself

	// proved is the SHA-256 of the public key (SubjectPublicKeyInfo) that is
	// known to have signed. What failed is not remembered: strangers who
	// share a CA's name could push out what succeeded.
	proved atomic.Pointer[[sha256.Size]byte]
}

// keep takes over what is needed to verify later.
func (s *crlSignature) keep(algorithm crlAlgorithm, signed, value []byte) {
	s.crlAlgorithm = algorithm
	s.value = bytes.Clone(value)
	if algorithm.hash == 0 {
		s.message = signed
		return
	}
	h := algorithm.hash.New()
	h.Write(signed)
	s.message = h.Sum(nil)
}

// signedBy reports whether the list is signed with the issuer's key. Names, key
// identifiers and key usage are the caller's to compare. RSA keys so large that
// only a stranger could have brought them are not computed with.
func (c *CRL) signedBy(issuer *certificate) bool {
	key := sha256.Sum256(issuer.RawSubjectPublicKeyInfo)
	if proved := c.signature.proved.Load(); proved != nil && *proved == key {
		return true
	}
	if oversized(issuer) || !c.signature.fits(issuer.PublicKey) {
		return false
	}
	proved := key // a copy, so that asking again does not allocate
	c.signature.proved.Store(&proved)
	return true
}

// Proved reports whether the list is known to be its issuer's. One of a CA that only
// clients present waits for that: until then it is whoever's made it.
func (c *CRL) Proved() bool { return c.verified() }

// verified reports whether signedBy was true for somebody.
func (c *CRL) verified() bool { return c.signature.proved.Load() != nil }

// fits reports whether the signature was made with the other half of key.
func (s *crlSignature) fits(key any) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		switch s.scheme {
		case schemePKCS1:
			return rsa.VerifyPKCS1v15(key, s.hash, s.message, s.value) == nil
		case schemePSS:
			return rsa.VerifyPSS(key, s.hash, s.message, s.value, &rsa.PSSOptions{SaltLength: s.salt}) == nil
		}
	case *ecdsa.PublicKey:
		return s.scheme == schemeECDSA && ecdsa.VerifyASN1(key, s.message, s.value)
	case ed25519.PublicKey:
		return s.scheme == schemeEd25519 && ed25519.Verify(key, s.message, s.value)
	}
	return false
}

// signAnew is what to do about an algorithm that will not do.
const signAnew = "have the CA sign its CRLs with SHA-256 or better (RSA, ECDSA or Ed25519)"

// parseCRLAlgorithm reads the contents of an AlgorithmIdentifier (RFC 4055 §5,
// RFC 5758 §3.2, RFC 8410 §3).
func parseCRLAlgorithm(body []byte) (crlAlgorithm, *CRLError) {
	id, parameters, ok := nextElement(body)
	if !ok || id.tag != tagOID || count(body) > 2 || count(body) < 1 {
		return crlAlgorithm{}, malformed("the signature algorithm is malformed")
	}
	const (
		rsaArc   = "\x2a\x86\x48\x86\xf7\x0d\x01\x01" // 1.2.840.113549.1.1
		ecdsaArc = "\x2a\x86\x48\xce\x3d\x04"         // 1.2.840.10045.4
	)
	var a crlAlgorithm
	switch string(id.body) {
	case rsaArc + "\x0a":
		return parsePSS(parameters)
	case rsaArc + "\x0b":
		a = crlAlgorithm{scheme: schemePKCS1, hash: crypto.SHA256}
	case rsaArc + "\x0c":
		a = crlAlgorithm{scheme: schemePKCS1, hash: crypto.SHA384}
	case rsaArc + "\x0d":
		a = crlAlgorithm{scheme: schemePKCS1, hash: crypto.SHA512}
	case ecdsaArc + "\x03\x02":
		a = crlAlgorithm{scheme: schemeECDSA, hash: crypto.SHA256}
	case ecdsaArc + "\x03\x03":
		a = crlAlgorithm{scheme: schemeECDSA, hash: crypto.SHA384}
	case ecdsaArc + "\x03\x04":
		a = crlAlgorithm{scheme: schemeECDSA, hash: crypto.SHA512}
	case "\x2b\x65\x70": // 1.3.101.112
		a = crlAlgorithm{scheme: schemeEd25519}
	case rsaArc + "\x02", rsaArc + "\x04", "\x2b\x0e\x03\x02\x03": // md2, md5, and md5 by its old name
		return a, &CRLError{Fault: "signed over MD2 or MD5, which anybody can forge", Remedy: signAnew}
	case rsaArc + "\x05", ecdsaArc + "\x01", "\x2b\x0e\x03\x02\x1d", "\x2a\x86\x48\xce\x38\x04\x03":
		return a, overSHA1()
	default:
		return a, &CRLError{Fault: "the signature algorithm " + dotted(id.body) + " is not supported", Remedy: signAnew}
	}
	if !noParameters(parameters) {
		return a, malformed("the signature algorithm has parameters that do not belong to it")
	}
	return a, nil
}

func overSHA1() *CRLError {
	return &CRLError{Fault: "signed over SHA-1, which is no longer safe", Remedy: signAnew}
}

// noParameters: none, or the NULL that RSA has and that some write for ECDSA.
func noParameters(der []byte) bool {
	return len(der) == 0 || string(der) == "\x05\x00"
}

// parsePSS reads RSASSA-PSS-params (RFC 4055 §3.1). Defaults are SHA-1's. The
// mask must use the message's digest, as TLS and crypto/x509 demand; any length
// of salt will do, since OpenSSL's `ca` writes the longest that fits.
func parsePSS(parameters []byte) (crlAlgorithm, *CRLError) {
	a := crlAlgorithm{scheme: schemePSS, salt: 20}
	body, ok := sequence(parameters)
	if !ok || !inOrder(body, contextTag(0, true), contextTag(1, true), contextTag(2, true), contextTag(3, true)) {
		return a, malformed("the parameters of the PSS signature are malformed")
	}
	var mask crypto.Hash
	good := every(body, func(field element) (ok bool) {
		switch field.tag {
		case contextTag(0, true):
			a.hash, ok = parseDigest(field.body)
		case contextTag(1, true):
			mask, ok = parseMask(field.body)
		case contextTag(2, true):
			a.salt, ok = smallInteger(field.body)
		case contextTag(3, true):
			trailer, good := smallInteger(field.body)
			ok = good && trailer == 1
		}
		return ok
	})
	switch {
	case !good:
		return a, &CRLError{Fault: "the parameters of the PSS signature are malformed or not supported", Remedy: signAnew}
	case a.hash == 0 || a.hash == crypto.SHA1 || mask == 0 || mask == crypto.SHA1:
		return a, overSHA1()
	case mask != a.hash || a.salt == 0: // crypto/rsa takes a length of zero for any length
		return a, &CRLError{Fault: "the parameters of the PSS signature are not supported", Remedy: signAnew}
	}
	return a, nil
}

// parseDigest reads the DER AlgorithmIdentifier of a digest.
func parseDigest(der []byte) (crypto.Hash, bool) {
	const nistArc = "\x60\x86\x48\x01\x65\x03\x04\x02" // 2.16.840.1.101.3.4.2
	body, ok := sequence(der)
	id, parameters, good := nextElement(body)
	if !ok || !good || id.tag != tagOID || !noParameters(parameters) {
		return 0, false
	}
	switch string(id.body) {
	case "\x2b\x0e\x03\x02\x1a": // 1.3.14.3.2.26
		return crypto.SHA1, true
	case nistArc + "\x01":
		return crypto.SHA256, true
	case nistArc + "\x02":
		return crypto.SHA384, true
	case nistArc + "\x03":
		return crypto.SHA512, true
	}
	return 0, false
}

// parseMask reads the DER AlgorithmIdentifier of MGF1 and returns its digest.
func parseMask(der []byte) (crypto.Hash, bool) {
	body, ok := sequence(der)
	id, parameters, good := nextElement(body)
	if !ok || !good || id.tag != tagOID || string(id.body) != "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08" { // 1.2.840.113549.1.1.8
		return 0, false
	}
	return parseDigest(parameters)
}

// smallInteger reads a DER INTEGER from 0 to 32767.
func smallInteger(der []byte) (int, bool) {
	e, rest, ok := nextElement(der)
	if !ok || e.tag != tagInteger || len(rest) > 0 || !goodInteger(e.body) || len(e.body) > 2 || e.body[0] >= 0x80 {
		return 0, false
	}
	n := 0
	for _, b := range e.body {
		n = n<<8 | int(b)
	}
	return n, true
}

// dotted writes the contents of an OBJECT IDENTIFIER for people.
func dotted(body []byte) string {
	var id x509.OID
	if err := id.UnmarshalBinary(body); err != nil {
		return "(unreadable)"
	}
	return id.String()
}
