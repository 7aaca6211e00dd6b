package trust

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"time"

	"mtls-sidecar/proxy/pki"
)

var oidIDP = asn1.ObjectIdentifier{2, 5, 29, 28}

// crlSpec describes a revocation list. The zero value is a good one without entries,
// an hour old, that ends in an hour.
type crlSpec struct {
	by         *pki.Authority
	name       []byte // DER of the issuer; nil: as in by's certificate
	keyID      []byte // nil: by's
	noKeyID    bool
	this, next time.Duration // from now; zero: an hour ago, in an hour
	number     int64         // zero: 1
	revokes    []*x509.Certificate
	reason     int // of all entries; zero: none
	scope      []byte
	authority  []byte // contents of an authorityKeyIdentifier in place of keyID
	algorithm  x509.SignatureAlgorithm
	corrupt    bool // one bit of the signature is wrong
}

// der makes the list.
func (w *world) der(l crlSpec) []byte {
	w.t.Helper()
	issuer := *l.by.Cert
	issuer.KeyUsage = x509.KeyUsageCRLSign // else crypto/x509 would not sign
	if l.name != nil {
		issuer.RawSubject = l.name
	}
	if l.keyID != nil {
		issuer.SubjectKeyId = l.keyID
	}
	if issuer.SubjectKeyId == nil {
		issuer.SubjectKeyId = []byte{1}
		l.noKeyID = l.noKeyID || l.authority == nil
	}
	at := func(d, usual time.Duration) time.Time {
		if d == 0 {
			d = usual
		}
		return w.now.Add(d)
	}
	template := x509.RevocationList{
		ThisUpdate: at(l.this, -time.Hour), NextUpdate: at(l.next, time.Hour),
		Number: big.NewInt(max(l.number, 1)), SignatureAlgorithm: l.algorithm,
	}
	for _, c := range l.revokes {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: w.now.Add(-time.Hour), ReasonCode: l.reason})
	}
	if l.scope != nil {
		template.ExtraExtensions = []pkix.Extension{{Id: oidIDP, Critical: true, Value: sequenceOf(l.scope)}}
	}
	der, err := x509.CreateRevocationList(rand.Reader, &template, &issuer, l.by.Key)
	must(w.t, der, err)
	if l.noKeyID || l.authority != nil {
		der = w.otherAuthority(der, l)
	}
	if l.corrupt {
		der[len(der)-1] ^= 1
	}
	return der
}

// crl makes the list and reads it.
func (w *world) crl(l crlSpec) *CRL {
	w.t.Helper()
	return w.read(w.der(l))[0]
}

func (w *world) read(ders ...[]byte) []*CRL {
	w.t.Helper()
	var all []*CRL
	for _, der := range ders {
		lists, err := ParseCRLs(append([]byte(nil), der...))
		all = append(all, must(w.t, lists, err)...)
	}
	return all
}

// otherAuthority replaces the authorityKeyIdentifier, which crypto/x509 always
// writes, or leaves it out, and signs anew; ECDSA on P-256 only.
func (w *world) otherAuthority(der []byte, l crlSpec) []byte {
	w.t.Helper()
	var parts struct {
		TBS struct {
			Version    int
			Signature  pkix.AlgorithmIdentifier
			Issuer     asn1.RawValue
			This, Next time.Time
			Revoked    []asn1.RawValue  `asn1:"optional,omitempty"`
			Extensions []pkix.Extension `asn1:"tag:0,explicit"`
		}
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	_, err := asn1.Unmarshal(der, &parts)
	must(w.t, 0, err)
	var kept []pkix.Extension
	for _, extension := range parts.TBS.Extensions {
		if !extension.Id.Equal(oidAuthorityKeyID) {
			kept = append(kept, extension)
		}
	}
	if l.authority != nil {
		kept = append(kept, pkix.Extension{Id: oidAuthorityKeyID, Value: sequenceOf(l.authority)})
	}
	parts.TBS.Extensions = kept
	tbs, err := asn1.Marshal(parts.TBS)
	must(w.t, tbs, err)
	digest := sha256.Sum256(tbs)
	signature, err := l.by.Key.Sign(rand.Reader, digest[:], crypto.SHA256)
	must(w.t, signature, err)
	parts.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	der, err = asn1.Marshal(parts)
	return must(w.t, der, err)
}

// tlv writes one DER element of fewer than 65536 bytes.
func tlv(tag byte, bodies ...[]byte) []byte {
	var body []byte
	for _, b := range bodies {
		body = append(body, b...)
	}
	switch n := len(body); {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, body...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, body...)
	default:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, body...)
	}
}

func sequenceOf(bodies ...[]byte) []byte { return tlv(tagSequence, bodies...) }

func uri(name string) []byte { return tlv(contextTag(nameURI, false), []byte(name)) }

// fullName is a DistributionPointName of these GeneralNames.
func fullName(names ...[]byte) []byte {
	return tlv(contextTag(0, true), tlv(contextTag(0, true), names...))
}

// points is a CRLDistributionPoints extension of one point with these fields.
func points(fields ...[]byte) []pkix.Extension {
	return []pkix.Extension{{Id: oidCRLDistribution, Value: sequenceOf(sequenceOf(fields...))}}
}

var (
	onlyUserCerts = tlv(contextTag(1, false), []byte{0xff})
	onlyCACerts   = tlv(contextTag(2, false), []byte{0xff})
)
