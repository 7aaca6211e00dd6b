package trust

import (
	"bytes"
)

// The extensions of lists and entries (RFC 5280 §5.2 and §5.3), by the contents of
// their identifiers: 2.5.29 and a number.
const (
	extCRLNumber         = "\x55\x1d\x14"
	extReasonCode        = "\x55\x1d\x15"
	extDeltaCRL          = "\x55\x1d\x1b"
	extIssuingPoint      = "\x55\x1d\x1c"
	extCertificateIssuer = "\x55\x1d\x1d"
	extAuthorityKeyID    = "\x55\x1d\x23"
)

// maxExtensions in one list or entry: the RFC defines seven, and each is compared
// with all before it.
const maxExtensions = 32

// maxPointBytes bounds the names of a list's distribution point, of which real ones
// have one or two: each is compared with each of a certificate's.
const maxPointBytes = 4 << 10

// extension is one Extension (RFC 5280 §4.1).
type extension struct {
	id       []byte // contents of the OBJECT IDENTIFIER
	critical bool
	value    []byte // contents of the OCTET STRING
}

func parseExtension(e element) (extension, bool) {
	f := fields{e.body}
	id, _, ok := f.take(tagOID)
	if !ok || e.tag != tagSequence || !goodOID(id.body) {
		return extension{}, false
	}
	x := extension{id: id.body}
	if critical, _, ok := f.take(tagBoolean); ok {
		if x.critical, ok = boolean(critical.body); !ok {
			return extension{}, false
		}
	}
	value, _, ok := f.take(tagOctetString)
	x.value = value.body
	return x, ok && len(f.left) == 0
}

// eachExtension has check look at every extension of a list. One that occurs
// twice is refused (RFC 5280 §4.2): which of the two holds?
func eachExtension(body []byte, check func(extension) *CRLError) *CRLError {
	var seen [maxExtensions][]byte
	n := 0
	for len(body) > 0 {
		e, rest, ok := nextElement(body)
		if !ok {
			return malformed("the extensions are malformed")
		}
		x, ok := parseExtension(e)
		switch {
		case !ok:
			return malformed("an extension is malformed")
		case n == maxExtensions:
			return malformed("more than %d extensions", maxExtensions)
		}
		for _, id := range seen[:n] {
			if bytes.Equal(id, x.id) {
				return malformed("the extension %s is there twice", dotted(x.id))
			}
		}
		if fault := check(x); fault != nil {
			return fault
		}
		seen[n] = x.id
		n++
		body = rest
	}
	return nil
}

// readExtensions reads those of the list. As with OpenSSL, no critical extension is
// heeded but the issuing distribution point and the authority key identifier.
func (c *CRL) readExtensions(body []byte) *CRLError {
	return eachExtension(body, func(x extension) *CRLError {
		switch string(x.id) {
		case extIssuingPoint:
			return c.readScope(x.value)
		case extDeltaCRL:
			return &CRLError{Fault: "a delta CRL, which lists only what changed since another list",
				Remedy: "name the complete (base) CRL"}
		case extAuthorityKeyID:
			if len(x.value) > maxNameBytes {
				return malformed("the authority key identifier has %d bytes", len(x.value))
			}
			authority, ok := parseAuthorityKeyID(bytes.Clone(x.value))
			if !ok {
				return malformed("the authority key identifier is malformed")
			}
			c.authority = authority
			return nil
		case extCRLNumber:
			number, ok := readInteger(x.value)
			if !ok {
				return malformed("the CRL number is malformed, negative or too long")
			}
			c.Number = number
		}
		return refuseCritical(x)
	})
}

func refuseCritical(x extension) *CRLError {
	if !x.critical {
		return nil
	}
	return &CRLError{Fault: "the critical extension " + dotted(x.id) + " is not understood",
		Remedy: "have the CA publish a CRL without it"}
}

// checkEntryExtension: no critical extension of an entry is understood. The reason
// is not asked (see Revokes), but has to be one.
func checkEntryExtension(x extension) *CRLError {
	switch string(x.id) {
	case extCertificateIssuer:
		return indirect("the entry names another issuer (an indirect CRL)")
	case extReasonCode:
		e, rest, ok := nextElement(x.value)
		if !ok || e.tag != tagEnumerated || len(e.body) != 1 || len(rest) > 0 {
			return malformed("the reason is malformed")
		}
	}
	return refuseCritical(x)
}

func indirect(fault string) *CRLError {
	return &CRLError{Fault: fault, Remedy: "name the CRL that the certificates' own issuer publishes"}
}

// readScope reads IssuingDistributionPoint (RFC 5280 §5.2.5). It is heeded even
// when it is not critical: a list that says it is partial is not complete.
func (c *CRL) readScope(value []byte) *CRLError {
	body, ok := sequence(value)
	if !ok || !inOrder(body, contextTag(0, true), contextTag(1, false), contextTag(2, false), contextTag(3, false), contextTag(4, false), contextTag(5, false)) {
		return malformed("the issuing distribution point is malformed")
	}
	var fault *CRLError
	every(body, func(field element) bool {
		fault = c.readScopeField(field)
		return fault == nil
	})
	if fault == nil && c.scope.onlyUser && c.scope.onlyCA {
		return malformed("the list claims to cover user certificates only and CA certificates only")
	}
	return fault
}

func (c *CRL) readScopeField(field element) *CRLError {
	complete := func(fault string) *CRLError {
		return &CRLError{Fault: fault, Remedy: "name a CRL that covers all reasons and public-key certificates"}
	}
	switch field.tag {
	case contextTag(0, true):
		return c.readPoint(field.body)
	case contextTag(3, false):
		return complete("the list covers only some reasons for revocation")
	}
	set, ok := boolean(field.body)
	switch {
	case !ok:
		return malformed("the issuing distribution point is malformed")
	case field.tag == contextTag(1, false):
		c.scope.onlyUser = set
	case field.tag == contextTag(2, false):
		c.scope.onlyCA = set
	case set && field.tag == contextTag(4, false):
		return indirect("an indirect CRL, which lists certificates of several issuers")
	case set:
		return complete("the list covers attribute certificates only")
	}
	return nil
}

// readPoint reads the contents of DistributionPointName, explicitly tagged.
func (c *CRL) readPoint(body []byte) *CRLError {
	name, rest, ok := nextElement(body)
	switch {
	case ok && name.tag == contextTag(1, true):
		return &CRLError{Fault: "the distribution point is named relative to the CRL issuer, which is not supported",
			Remedy: "have the CA name it in full (fullName)"}
	case !ok || len(rest) > 0 || name.tag != contextTag(0, true) || !goodGeneralNames(name.body):
		return malformed("the name of the distribution point is malformed")
	case len(name.body) > maxPointBytes:
		return malformed("the name of the distribution point has %d bytes", len(name.body))
	}
	c.scope.point = bytes.Clone(name.body)
	return nil
}

// boolean reads the contents of a BOOLEAN (X.690 §11.1). FALSE may be written
// out: DER leaves defaults out, but some CAs do not.
func boolean(body []byte) (value, ok bool) {
	if len(body) != 1 || body[0] != 0 && body[0] != 0xff {
		return false, false
	}
	return body[0] == 0xff, true
}

// goodOID reports whether body is what DER allows as contents of an OBJECT
// IDENTIFIER (X.690 §8.19.2): whole arcs, without leading zeros.
func goodOID(body []byte) bool {
	start := true
	for _, b := range body {
		if start && b == 0x80 {
			return false
		}
		start = b < 0x80
	}
	return len(body) > 0 && start
}
