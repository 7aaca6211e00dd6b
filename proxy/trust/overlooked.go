package trust

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
)

// overlooked reports what crypto/x509 passes over and OpenSSL does not: bytes
// after the last field of a structure, extensions in versions that have none
// (OpenSSL heeds them, crypto/x509 does not read them), keys of unknown kinds,
// and RFC 3779 resources, which OpenSSL compares with the CA's even when they
// are not critical.
func overlooked(c *x509.Certificate) bool {
	if !knownKey(c.PublicKey) || hasResources(c) {
		return true
	}
	outer, ok := sequence(c.Raw)
	if !ok || count(outer) != 3 {
		return true
	}
	tbs, ok := sequence(c.RawTBSCertificate)
	return !ok || !knownFields(tbs, c.Version) || !goodName(c.RawSubject) || !goodName(c.RawIssuer)
}

// knownFields reports whether the TBSCertificate (RFC 5280 §4.1) holds the
// fields of its version, in order, and nothing else.
func knownFields(tbs []byte, version int) bool {
	first, rest, ok := nextElement(tbs)
	if ok && first.tag == contextTag(0, true) { // the version
		tbs = rest
	}
	fixed := [...]struct {
		tag   byte
		inner func([]byte) bool
	}{
		{tagInteger, nil}, // serialNumber
		{tagSequence, knownAlgorithm},
		{tagSequence, nil}, // issuer
		{tagSequence, func(body []byte) bool { return count(body) == 2 }}, // validity
		{tagSequence, nil}, // subject
		{tagSequence, func(body []byte) bool { // subjectPublicKeyInfo
			algorithm, _, ok := nextElement(body)
			return ok && count(body) == 2 && knownAlgorithm(algorithm.body)
		}},
	}
	for _, field := range fixed {
		e, rest, ok := nextElement(tbs)
		if !ok || e.tag != field.tag || field.inner != nil && !field.inner(e.body) {
			return false
		}
		tbs = rest
	}
	switch version {
	case 1:
		return len(tbs) == 0
	case 2:
		return inOrder(tbs, contextTag(1, false), contextTag(2, false))
	default:
		return inOrder(tbs, contextTag(1, false), contextTag(2, false), contextTag(3, true)) && knownExtensions(tbs)
	}
}

// knownAlgorithm: an identifier and at most one element of parameters.
func knownAlgorithm(body []byte) bool {
	n := count(body)
	return n == 1 || n == 2
}

// knownExtensions looks into the last field: one list, and in each entry an
// identifier, perhaps the critical flag, and the value.
func knownExtensions(tbs []byte) bool {
	return every(tbs, func(field element) bool {
		if field.tag != contextTag(3, true) {
			return true
		}
		list, ok := sequence(field.body)
		return ok && every(list, func(extension element) bool {
			return extension.tag == tagSequence && inOrder(extension.body, tagOID, tagBoolean, tagOctetString)
		})
	})
}

func knownKey(key any) bool {
	switch key.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

var (
	oidIPAddrBlocks  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 7}
	oidAutonomousIDs = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 8}
)

func hasResources(c *x509.Certificate) bool {
	for _, extension := range c.Extensions {
		if extension.Id.Equal(oidIPAddrBlocks) || extension.Id.Equal(oidAutonomousIDs) {
			return true
		}
	}
	return false
}
