package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
)

// certificate is a parsed certificate with what the rules need to know and
// crypto/x509 does not tell: mostly whether an extension is there at all.
type certificate struct {
	*x509.Certificate
	trusted         bool   // it is one of the snapshot's
	subject, issuer string // canonical
	authority       authorityKeyID
	selfIssued      bool // subject and issuer are the same name
	selfSigned      bool // and it may be its own issuer; no signature is checked for this, as in OpenSSL
	hasKeyUsage     bool
	hasExtKeyUsage  bool
	hasClientAuth   bool
	hasNetscapeType bool
	netscapeType    byte
	proxy           bool
	malformed       bool // OpenSSL does not accept the form of an extension: it is nobody's issuer or subject
	overlooked      bool // see overlooked.go
	nameConstraints *nameConstraints
	// notBeforeFault and notAfterFault say that a time cannot be read; zero: it can.
	notBeforeFault, notAfterFault Reason
	subjectAltNames               []byte // contents of the GeneralNames
	// distributionPoints are the contents of CRLDistributionPoints.
	distributionPoints []byte
}

var (
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidSubjectAltName   = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidNameConstraints  = asn1.ObjectIdentifier{2, 5, 29, 30}
	oidCRLDistribution  = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidAuthorityKeyID   = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidExtKeyUsage      = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidNetscapeCertType = asn1.ObjectIdentifier{2, 16, 840, 1, 113730, 1, 1}
	oidProxyCertInfo    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 14}
)

func newCertificate(c *x509.Certificate) *certificate {
	out := &certificate{
		Certificate: c,
		subject:     canonicalName(c.RawSubject),
		overlooked:  overlooked(c),
	}
	out.notBeforeFault, out.notAfterFault = out.misdated()
	out.selfIssued = bytes.Equal(c.RawIssuer, c.RawSubject)
	if out.selfIssued {
		out.issuer = out.subject
	} else {
		out.issuer = canonicalName(c.RawIssuer)
		out.selfIssued = out.issuer == out.subject
	}
	for _, extension := range c.Extensions {
		out.read(extension.Id, extension.Value)
	}
	// OpenSSL: a proxy certificate is no CA and has no alternative names.
	if out.proxy && (out.IsCA || out.subjectAltNames != nil) {
		out.malformed = true
	}
	out.selfSigned = out.selfIssued && out.mayHaveIssued(out)
	return out
}

// read takes note of one extension.
func (c *certificate) read(id asn1.ObjectIdentifier, value []byte) {
	switch {
	case id.Equal(oidKeyUsage):
		c.hasKeyUsage = true
		c.malformed = c.malformed || c.KeyUsage == 0 // RFC 5280 §4.2.1.3: at least one bit
	case id.Equal(oidExtKeyUsage):
		c.hasExtKeyUsage = true
		for _, usage := range c.ExtKeyUsage {
			c.hasClientAuth = c.hasClientAuth || usage == x509.ExtKeyUsageClientAuth
		}
	case id.Equal(oidNetscapeCertType):
		c.hasNetscapeType = true
		bits, ok := netscapeBits(value)
		c.netscapeType, c.malformed = bits, c.malformed || !ok
	case id.Equal(oidBasicConstraints):
		c.malformed = c.malformed || !goodBasicConstraints(value)
	case id.Equal(oidProxyCertInfo):
		c.proxy = true
	case id.Equal(oidCRLDistribution):
		c.malformed = c.malformed || !goodDistributionPoints(value)
		c.distributionPoints, _ = sequence(value)
	case id.Equal(oidAuthorityKeyID):
		authority, ok := parseAuthorityKeyID(value)
		c.authority, c.malformed = authority, c.malformed || !ok
	case id.Equal(oidSubjectAltName):
		names, ok := sequence(value)
		c.subjectAltNames, c.malformed = names, c.malformed || !ok || !goodGeneralNames(names)
	case id.Equal(oidNameConstraints):
		constraints, ok := parseNameConstraints(value)
		c.nameConstraints, c.malformed = constraints, c.malformed || !ok
	}
}
