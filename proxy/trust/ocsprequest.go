package trust

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/crypto/ocsp"
)

// ocspLink is a certificate with the one that issued it.
type ocspLink struct{ cert, issuer *x509.Certificate }

// ocspID names a certificate by its issuer's key and name and its serial, as a
// CertID does, but by a digest that nobody can find two of a kind for.
type ocspID [sha256.Size]byte

func (l ocspLink) id() ocspID {
	h := sha256.New()
	for _, part := range [...][]byte{l.issuer.RawSubjectPublicKeyInfo, l.issuer.RawSubject, l.cert.SerialNumber.Bytes()} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write(part)
	}
	h.Write([]byte{byte(l.cert.SerialNumber.Sign())})
	return ocspID(h.Sum(nil))
}

func idsOf(links []ocspLink) []ocspID {
	ids := make([]ocspID, len(links))
	for i, link := range links {
		ids[i] = link.id()
	}
	return ids
}

// ocspQuestion is a link in the terms of the protocol.
type ocspQuestion struct {
	ocspLink
	// The CertID (RFC 6960 §4.1.1), always with SHA-1: it is the one digest that
	// every responder knows (RFC 5019 §2.1.1), and nothing depends on its
	// strength, since the issuer vouches for the answer.
	nameHash, keyHash [sha1.Size]byte
	serial            []byte // the contents of the INTEGER
	request           []byte // the OCSPRequest in DER
}

// oidSHA1 is the contents of the OBJECT IDENTIFIER.
var oidSHA1 = []byte{0x2b, 0x0e, 0x03, 0x02, 0x1a}

func newOCSPQuestion(l ocspLink) (*ocspQuestion, error) {
	key, ok := publicKeyBits(l.issuer)
	if !ok {
		return nil, errors.New("the public key of the certificate's issuer cannot be read; have the CA certificate issued anew")
	}
	q := &ocspQuestion{ocspLink: l, nameHash: sha1.Sum(l.issuer.RawSubject), keyHash: sha1.Sum(key)}
	serial, err := asn1.Marshal(l.cert.SerialNumber)
	if err != nil {
		return nil, fmt.Errorf("the certificate's serial number cannot be encoded; have it issued anew: %w", err)
	}
	number, _, ok := nextElement(serial)
	if !ok {
		return nil, errors.New("the certificate's serial number is far too long; have it issued anew")
	}
	q.serial = number.body
	request := ocsp.Request{HashAlgorithm: crypto.SHA1, IssuerNameHash: q.nameHash[:], IssuerKeyHash: q.keyHash[:], SerialNumber: l.cert.SerialNumber}
	if q.request, err = request.Marshal(); err != nil {
		return nil, fmt.Errorf("the question cannot be encoded; have the certificate issued anew: %w", err)
	}
	return q, nil
}

// publicKeyBits are the contents of subjectPublicKey, without the byte that
// counts unused bits: what the key hashes of OCSP are made of.
func publicKeyBits(c *x509.Certificate) ([]byte, bool) {
	info, ok := sequence(c.RawSubjectPublicKeyInfo)
	if !ok {
		return nil, false
	}
	_, rest, ok := nextElement(info)
	if !ok {
		return nil, false
	}
	key, _, ok := nextElement(rest)
	if !ok || key.tag != tagBitString || len(key.body) < 1 || key.body[0] != 0 {
		return nil, false
	}
	return key.body[1:], true
}

// asksFor reports whether a CertID's contents name the certificate asked about,
// by all of their fields.
func (q *ocspQuestion) asksFor(certID []byte) bool {
	r := ocspReader{rest: certID}
	algorithm := ocspReader{rest: r.take(tagSequence)}
	name, key, serial := r.take(tagOctetString), r.take(tagOctetString), r.take(tagInteger)
	oid := algorithm.take(tagOID)
	if null, there := algorithm.optional(tagNull); there && len(null) > 0 {
		return false
	}
	return r.end() && algorithm.end() && bytes.Equal(oid, oidSHA1) &&
		bytes.Equal(name, q.nameHash[:]) && bytes.Equal(key, q.keyHash[:]) && bytes.Equal(serial, q.serial)
}

const (
	// maxOCSPPath is the longest request that goes into a URL (RFC 6960 §A.1).
	maxOCSPPath = 255
	// maxOCSPURL is far above any responder's URL.
	maxOCSPURL = 2048
)

var errNoResponder = errors.New("the certificate names no http URL of an OCSP responder; name one in MTLS_OCSP_RESPONDER, or have the certificate issued with one")

// responderURL is the URL to ask: the operator's, else the first http one that
// the certificate names. Answers are signed, so https would only lead round
// in a circle: its certificate would have to be asked about too.
func responderURL(operators string, c *x509.Certificate) (*url.URL, error) {
	text := operators
	if text == "" {
		for _, named := range c.OCSPServer {
			if len(named) >= len("http://") && strings.EqualFold(named[:len("http://")], "http://") {
				text = named
				break
			}
		}
	}
	if text == "" {
		return nil, errNoResponder
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, len(text) > maxOCSPURL, u.Scheme != "http", u.Hostname() == "":
		return nil, errors.New("the OCSP responder's URL is not an http URL that can be used; name another in MTLS_OCSP_RESPONDER")
	case u.User != nil:
		return nil, errors.New("the OCSP responder's URL has a user name in it; name one without")
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// host names the responder of a certificate, among which the network is shared;
// empty: there is none, or but one, the operator's.
func (o *OCSP) host(l ocspLink) string {
	if o.options.Responder != "" {
		return ""
	}
	u, err := responderURL("", l.cert)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}

// getURL is the URL for a GET: the request in base64, escaped, as a last path
// segment (RFC 6960 §A.1). False: only POST will do.
func (q *ocspQuestion) getURL(responder *url.URL) (*url.URL, bool) {
	encoded := base64.StdEncoding.EncodeToString(q.request)
	escaped := url.QueryEscape(encoded) // leaves no +, / or =
	if len(escaped) > maxOCSPPath || responder.RawQuery != "" || responder.ForceQuery {
		return nil, false
	}
	u := *responder
	u.Path = strings.TrimSuffix(responder.Path, "/") + "/" + encoded
	u.RawPath = strings.TrimSuffix(responder.EscapedPath(), "/") + "/" + escaped
	return &u, true
}
