package trust

import "bytes"

// same reports whether two lists are about the same certificates of their issuer.
func (s crlScope) same(other crlScope) bool {
	return s.onlyUser == other.onlyUser && s.onlyCA == other.onlyCA && bytes.Equal(s.point, other.point)
}

// covers reports whether the list is about certificates such as c, of which the
// issuer is known to be the list's (OpenSSL's crl_crldp_check). What counts as a CA
// are the basicConstraints alone.
func (l *CRL) covers(c *certificate) bool {
	isCA := c.BasicConstraintsValid && c.IsCA
	if isCA && l.scope.onlyUser || !isCA && l.scope.onlyCA {
		return false
	}
	found, whole := l.pointOf(c)
	if found {
		return whole
	}
	return l.scope.point == nil
}

// pointOf looks for the first distribution point of c that the list may be found
// at (RFC 5280 §6.3.3 (b)); whole reports that it is not limited to some reasons of revocation.
// A list for one distribution point counts only when the certificate names the same.
func (l *CRL) pointOf(c *certificate) (found, whole bool) {
	every(c.distributionPoints, func(point element) bool {
		var names, issuers []byte
		reasons := false
		every(point.body, func(field element) bool {
			switch field.tag {
			case contextTag(0, true):
				fullName, _, _ := nextElement(field.body)
				names = fullName.body
			case contextTag(1, false):
				reasons = true
			case contextTag(2, true):
				issuers = field.body
			}
			return true
		})
		if issuers != nil && !l.issuedByOneOf(issuers) {
			return true
		}
		if l.scope.point != nil && !shareName(l.scope.point, names) {
			return true
		}
		found, whole = true, !reasons
		return false
	})
	return found, whole
}

// issuedByOneOf reports whether the list's issuer is among the GeneralNames.
func (l *CRL) issuedByOneOf(names []byte) bool {
	return !every(names, func(name element) bool {
		return name.tag != contextTag(nameDirectory, true) || canonicalName(name.body) != l.issuer
	})
}

// shareName reports whether two lists of GeneralNames have one in common.
func shareName(a, b []byte) bool {
	return !every(a, func(one element) bool {
		return every(b, func(other element) bool { return !sameGeneralName(one, other) })
	})
}

// sameGeneralName compares as OpenSSL's GENERAL_NAME_cmp does.
func sameGeneralName(a, b element) bool {
	if a.tag != b.tag {
		return false
	}
	if a.tag == contextTag(nameDirectory, true) {
		return canonicalName(a.body) == canonicalName(b.body)
	}
	return bytes.Equal(a.body, b.body)
}
