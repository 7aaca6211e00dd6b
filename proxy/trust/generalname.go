package trust

// goodGeneralNames reports whether body is a list of well-formed GeneralNames
// (RFC 5280 §4.2.1.6). crypto/x509 passes over names of kinds it does not know, and
// over all of them in some extensions; OpenSSL takes a malformed one for a
// malformed certificate.
func goodGeneralNames(body []byte) bool {
	return len(body) > 0 && every(body, goodGeneralName)
}

func goodGeneralName(name element) bool {
	switch name.tag {
	case contextTag(nameEmail, false), contextTag(nameDNS, false), contextTag(nameURI, false), contextTag(nameIP, false):
		return true
	case contextTag(nameRegisteredID, false):
		return len(name.body) > 0
	case contextTag(nameDirectory, true): // tagged explicitly
		return goodName(name.body)
	case contextTag(nameOther, true): // type-id OBJECT IDENTIFIER, value [0] EXPLICIT ANY
		kind, rest, ok := nextElement(name.body)
		if !ok || kind.tag != tagOID {
			return false
		}
		value, rest, ok := nextElement(rest)
		return ok && value.tag == contextTag(0, true) && len(rest) == 0 && count(value.body) == 1
	}
	return false // x400Address and ediPartyName are seen nowhere
}

// goodName reports whether der is a Name whose attributes have a type and one
// value each: crypto/x509 does not see what follows the value.
func goodName(der []byte) bool {
	rdns, ok := sequence(der)
	return ok && every(rdns, func(rdn element) bool {
		return rdn.tag == tagSet && len(rdn.body) > 0 && every(rdn.body, func(attribute element) bool {
			kind, _, ok := nextElement(attribute.body)
			return ok && attribute.tag == tagSequence && kind.tag == tagOID && count(attribute.body) == 2
		})
	})
}

// goodDistributionPoints reports whether each point says where or by whom the CRL is
// issued; reasons alone will not do (RFC 5280 §4.2.1.13).
func goodDistributionPoints(value []byte) bool {
	points, ok := sequence(value)
	return ok && every(points, func(point element) bool {
		where := false
		return inOrder(point.body, contextTag(0, true), contextTag(1, false), contextTag(2, true)) &&
			every(point.body, func(field element) bool {
				where = where || field.tag != contextTag(1, false)
				return goodDistributionField(field)
			}) && where
	})
}

func goodDistributionField(field element) bool {
	switch field.tag {
	case contextTag(0, true): // only fullName: nobody uses nameRelativeToCRLIssuer
		name, rest, ok := nextElement(field.body)
		return ok && len(rest) == 0 && name.tag == contextTag(0, true) && goodGeneralNames(name.body)
	case contextTag(2, true):
		return goodGeneralNames(field.body)
	}
	return true
}

// goodBasicConstraints reports whether there is nothing but cA and pathLenConstraint.
func goodBasicConstraints(value []byte) bool {
	body, ok := sequence(value)
	return ok && inOrder(body, tagBoolean, tagInteger)
}
