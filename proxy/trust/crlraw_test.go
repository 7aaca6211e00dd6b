package trust

import (
	"crypto"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// asDER wraps parts in an element. It stands apart from the code under test, and
// from encoding/asn1, which writes nothing that is wrong.
func asDER(tag byte, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	out := []byte{tag}
	switch n := len(body); {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 0x100:
		out = append(out, 0x81, byte(n))
	case n < 0x10000:
		out = append(out, 0x82, byte(n>>8), byte(n))
	case n < 0x1000000:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	default:
		out = binary.BigEndian.AppendUint32(append(out, 0x84), uint32(n))
	}
	return append(out, body...)
}

// rawCRL is a CertificateList in parts, each a whole element, so that any of them
// can be left out, doubled or spoilt.
type rawCRL struct {
	version, algorithm, issuer, this, next []byte
	entries                                [][]byte // nil: no revokedCertificates
	extensions                             [][]byte // nil: no such field
	tail                                   []byte   // after the last field of the TBSCertList
	outer                                  []byte   // the algorithm outside; nil: the same
	end                                    []byte   // after the signature
}

// ecdsaSHA256 is an AlgorithmIdentifier.
const ecdsaSHA256 = "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"

var (
	rawThis = time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	rawNext = time.Date(2026, 6, 5, 4, 3, 2, 0, time.UTC)
)

// goodRawCRL revokes 3, 5 and 128 by an issuer with an ECDSA key.
func goodRawCRL(issuer *pki.Authority) rawCRL {
	return rawCRL{
		version:   []byte{2, 1, 1},
		algorithm: []byte(ecdsaSHA256),
		issuer:    issuer.Cert.RawSubject,
		this:      asDER(0x17, []byte("260506070809Z")),
		next:      asDER(0x17, []byte("260605040302Z")),
		entries:   [][]byte{rawEntry([]byte{5}), rawEntry([]byte{0, 0x80}), rawEntry([]byte{3})},
		extensions: [][]byte{
			rawExtension(extCRLNumber, false, []byte{2, 1, 7}),
			rawExtension(extAuthorityKeyID, false, asDER(0x30, asDER(0x80, issuer.Cert.SubjectKeyId))),
		},
	}
}

// rawEntry is an entry for the serial with these contents.
func rawEntry(serial []byte, extensions ...[]byte) []byte {
	date := asDER(0x17, []byte("260101000000Z"))
	if len(extensions) == 0 {
		return asDER(0x30, asDER(2, serial), date)
	}
	return asDER(0x30, asDER(2, serial), date, asDER(0x30, extensions...))
}

func rawExtension(id string, critical bool, value []byte) []byte {
	var flag []byte
	if critical {
		flag = []byte{1, 1, 0xff}
	}
	return asDER(0x30, asDER(6, []byte(id)), flag, asDER(4, value))
}

func (l rawCRL) tbs() []byte {
	var revoked, extensions []byte
	if l.entries != nil {
		revoked = asDER(0x30, l.entries...)
	}
	if l.extensions != nil {
		extensions = asDER(0xa0, asDER(0x30, l.extensions...))
	}
	return asDER(0x30, l.version, l.algorithm, l.issuer, l.this, l.next, revoked, extensions, l.tail)
}

// sealed adds a signature, of whatever was signed.
func (l rawCRL) sealed(signature []byte) []byte {
	outer := l.outer
	if outer == nil {
		outer = l.algorithm
	}
	return asDER(0x30, l.tbs(), outer, asDER(3, []byte{0}, signature), l.end)
}

// signed signs as options say: crypto.Hash(0) for Ed25519.
func (l rawCRL) signed(t testing.TB, key crypto.Signer, options crypto.SignerOpts) []byte {
	t.Helper()
	message := l.tbs()
	if hash := options.HashFunc(); hash != 0 {
		h := hash.New()
		h.Write(message)
		message = h.Sum(nil)
	}
	signature, err := key.Sign(rand.Reader, message, options)
	return l.sealed(must(t, signature, err))
}

// oneCRL reads data that is to hold one good list.
func oneCRL(t testing.TB, data []byte) *CRL {
	t.Helper()
	lists, err := ParseCRLs(data)
	must(t, lists, err)
	if len(lists) != 1 {
		t.Fatalf("%d lists, want 1", len(lists))
	}
	return lists[0]
}
