package trust

import "crypto/x509"

// netscapeClient is the bit of Netscape's certificate type, which OpenSSL still
// heeds, that allows a TLS client.
const netscapeClient = 0x80

// netscapeBits reads that extension: a BIT STRING of at most eight bits.
func netscapeBits(value []byte) (byte, bool) {
	bits, rest, ok := nextElement(value)
	if !ok || len(rest) > 0 || bits.tag != tagBitString || len(bits.body) == 0 || bits.body[0] > 7 {
		return 0, false
	}
	if len(bits.body) == 1 {
		return 0, true
	}
	unused := bits.body[0] // counts from the right of the last byte
	if len(bits.body) > 2 {
		unused = 0
	}
	return bits.body[1] >> unused << unused, true
}

// checkExtensions asks of each certificate, leaf first, whether it may be where
// it is on the path: OpenSSL's check_extensions.
func (p *path) checkExtensions(found *faults) {
	below := 0 // CAs below this one, not counting self-issued ones (RFC 5280 §6.1.4 (l))
	for i, c := range p.certs {
		if len(c.UnhandledCriticalExtensions) > 0 {
			found.add(CriticalExtension, c)
		}
		if c.proxy {
			found.add(ProxyCertificate, c)
		}
		isTop := i == len(p.certs)-1
		if i > 0 {
			if kind := c.authorityKind(); kind == notCA || !isTop && kind != properCA {
				found.add(InvalidCA, c)
			}
		}
		if !c.servesClients(i > 0) {
			found.add(WrongPurpose, c)
		}
		if i > 1 && c.BasicConstraintsValid && c.MaxPathLen >= 0 && below > c.MaxPathLen {
			found.add(PathLength, c)
		}
		if i > 0 && !c.selfIssued {
			below++
		}
	}
}

// caKind is on what ground a certificate counts as a CA (X509_check_ca).
type caKind uint8

const (
	notCA     caKind = iota
	properCA         // basicConstraints CA:TRUE
	legacyCA         // a self-signed v1 certificate: there were no extensions then
	usageOnly        // no basicConstraints, but a key usage with keyCertSign
)

func (c *certificate) authorityKind() caKind {
	switch {
	case c.malformed:
		return notCA
	case c.hasKeyUsage && c.KeyUsage&x509.KeyUsageCertSign == 0:
		return notCA
	case c.BasicConstraintsValid && c.IsCA:
		return properCA
	case c.BasicConstraintsValid:
		return notCA
	case c.Version == 1 && c.selfSigned:
		return legacyCA
	case c.hasKeyUsage:
		return usageOnly
	}
	return notCA
}

// servesClients is OpenSSL's purpose sslclient. anyExtendedKeyUsage alone does
// not do, neither in the leaf nor in a CA.
func (c *certificate) servesClients(asCA bool) bool {
	if c.hasExtKeyUsage && !c.hasClientAuth {
		return false
	}
	if asCA {
		return c.authorityKind() != notCA
	}
	const either = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyAgreement
	if c.hasKeyUsage && c.KeyUsage&either == 0 {
		return false
	}
	return !c.hasNetscapeType || c.netscapeType&netscapeClient != 0
}
