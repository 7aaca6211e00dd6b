package trust

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// aia is an authority information access (RFC 5280 §4.2.2.1) with OCSP responders.
func aia(urls ...string) pkix.Extension {
	var list []byte
	for _, u := range urls {
		list = append(list, ocspDER(tagSequence, []byte{tagOID, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 1}, ocspDER(contextTag(nameURI, false), []byte(u)))...)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}, Value: ocspDER(tagSequence, list)}
}

// ocspDER is one element.
func ocspDER(tag byte, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	switch n := len(body); {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, body...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, body...)
	default:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, body...)
	}
}

func ocspTime(t time.Time) []byte {
	return ocspDER(tagGeneralTime, []byte(t.UTC().Format("20060102150405Z")))
}

// forgedCertID is the CertID of RFC 6960 §4.1.1 with SHA-1, made apart from the code under test.
func forgedCertID(cert, issuer *x509.Certificate) []byte {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(issuer.RawSubjectPublicKeyInfo, &info); err != nil {
		return nil
	}
	name, key := sha1.Sum(issuer.RawSubject), sha1.Sum(info.Key.Bytes)
	return forgedCertIDOf(name[:], key[:], cert)
}

func forgedCertIDOf(name, key []byte, cert *x509.Certificate) []byte {
	serial, err := asn1.Marshal(cert.SerialNumber)
	if err != nil {
		return nil
	}
	algorithm := ocspDER(tagSequence, []byte{tagOID, 5, 0x2b, 0x0e, 3, 2, 0x1a, tagNull, 0})
	return ocspDER(tagSequence, algorithm, ocspDER(tagOctetString, name), ocspDER(tagOctetString, key), serial)
}

// The CertStatus values of RFC 6960 §4.2.1.
var (
	forgedGood    = []byte{0x80, 0}
	forgedUnknown = []byte{0x82, 0}
)

func forgedRevoked(at time.Time) []byte { return ocspDER(0xa1, ocspTime(at)) }

// forgedExtension is one Extension, with a value of NULL.
func forgedExtension(critical bool) []byte {
	id := []byte{tagOID, 3, 0x2a, 3, 4}
	value := ocspDER(tagOctetString, []byte{tagNull, 0})
	if critical {
		return ocspDER(tagSequence, id, []byte{tagBoolean, 1, 0xff}, value)
	}
	return ocspDER(tagSequence, id, value)
}

// forgedSingle is a SingleResponse.
type forgedSingle struct {
	certID     []byte
	status     []byte
	this, next time.Time // zero next: none
	extensions []byte    // the list's contents
	tail       []byte
}

func (s forgedSingle) der() []byte {
	parts := [][]byte{s.certID, s.status, ocspTime(s.this)}
	if !s.next.IsZero() {
		parts = append(parts, ocspDER(0xa0, ocspTime(s.next)))
	}
	if s.extensions != nil {
		parts = append(parts, ocspDER(0xa1, ocspDER(tagSequence, s.extensions)))
	}
	return ocspDER(tagSequence, append(parts, s.tail)...)
}

// forgery is an OCSPResponse in its parts.
type forgery struct {
	singles    []forgedSingle
	version    []byte
	responder  []byte // ResponderID
	produced   time.Time
	extensions []byte // the list's contents
	dataTail   []byte
	enclosed   []*x509.Certificate
	basicTail  []byte
	kind       []byte
	status     byte
	outerTail  []byte
	key        crypto.Signer
	hash       crypto.Hash // SHA-256 or SHA-1
	garbage    []byte      // beside the enclosed certificates
}

// forge is a good answer about the client, good for an hour and signed by its CA.
func (w *ocspWorld) forge() *forgery { return w.forgeFor(w.client, w.inter) }

func (w *ocspWorld) forgeFor(cert *x509.Certificate, issuer *pki.Authority) *forgery {
	return &forgery{
		singles: []forgedSingle{{
			certID: forgedCertID(cert, issuer.Cert), status: forgedGood,
			this: w.now.Add(-time.Minute), next: w.now.Add(time.Hour),
		}},
		responder: ocspDER(0xa1, issuer.Cert.RawSubject),
		produced:  w.now.Add(-time.Minute),
		kind:      []byte{tagOID, 9, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1},
		key:       issuer.Key,
		hash:      crypto.SHA256,
	}
}

// by makes another the signer.
func (f *forgery) by(a *pki.Authority, enclosed ...*x509.Certificate) *forgery {
	f.key, f.enclosed, f.responder = a.Key, enclosed, ocspDER(0xa1, a.Cert.RawSubject)
	return f
}

func (f *forgery) der(t testing.TB) []byte {
	t.Helper()
	var singles []byte
	for _, s := range f.singles {
		singles = append(singles, s.der()...)
	}
	data := [][]byte{f.version, f.responder, ocspTime(f.produced), ocspDER(tagSequence, singles)}
	if f.extensions != nil {
		data = append(data, ocspDER(0xa1, ocspDER(tagSequence, f.extensions)))
	}
	tbs := ocspDER(tagSequence, append(data, f.dataTail)...)
	algorithm, signature := f.sign(t, tbs)
	parts := [][]byte{tbs, algorithm, ocspDER(tagBitString, []byte{0}, signature)}
	if f.enclosed != nil || f.garbage != nil {
		list := bytes.Clone(f.garbage)
		for _, c := range f.enclosed {
			list = append(list, c.Raw...)
		}
		parts = append(parts, ocspDER(0xa0, ocspDER(tagSequence, list)))
	}
	basic := ocspDER(tagSequence, append(parts, f.basicTail)...)
	response := ocspDER(0xa0, ocspDER(tagSequence, f.kind, ocspDER(tagOctetString, basic)))
	return append(ocspDER(tagSequence, []byte{tagEnumerated, 1, f.status}, response), f.outerTail...)
}

// sign uses ECDSA, or RSA with SHA-256.
func (f *forgery) sign(t testing.TB, message []byte) (algorithm, signature []byte) {
	t.Helper()
	h := f.hash.New()
	h.Write(message)
	signature, err := f.key.Sign(rand.Reader, h.Sum(nil), f.hash)
	must(t, signature, err)
	switch _, isRSA := f.key.Public().(*rsa.PublicKey); {
	case isRSA:
		return ocspDER(tagSequence, []byte{tagOID, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0b, tagNull, 0}), signature
	case f.hash == crypto.SHA1:
		return ocspDER(tagSequence, []byte{tagOID, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1}), signature
	}
	return ocspDER(tagSequence, []byte{tagOID, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2}), signature
}
