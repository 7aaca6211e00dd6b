package headers

// puppetDN appends the one thing that Puppet Server looks for in a subject, the common name, as a name with nothing else in it.
//
// Puppet Server asks Bouncy Castle for the CN, which cuts a value at its second "=" and takes the shortest attribute of a
// multi-valued RDN for it; what Bouncy Castle cannot read, for an attribute type that it does not know, is searched for
// "/CN=" and "CN=". So all but the characters of a certname are hex pairs, and a subject without a CN, or with several, is
// no name at all: the client is nobody then.
func puppetDN(dst []byte, f *Facts) ([]byte, error) {
	var usual [usualAttributes]attribute
	attrs, err := readRawName(usual[:0], f.leaf().RawSubject)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	for _, a := range attrs {
		if string(a.oid) != contentCN {
			continue
		}
		if len(dst) > start || !isText(a.value) {
			return dst[:start], nil
		}
		dst = append(dst, "CN="...)
		value := len(dst)
		if dst = appendText(dst, a.value, appendCertname); len(dst) == value {
			return dst[:start], nil
		}
	}
	return dst, nil
}

// appendCertname appends a character of a certname as it is, and the bytes of any other as hex pairs.
func appendCertname(dst []byte, c rune, _ place) []byte {
	for _, b := range appendPlain(nil, c, inside) {
		if isLetterOrDigit(b) || b == '-' || b == '.' || b == '_' {
			dst = append(dst, b)
		} else {
			dst = append(dst, '\\', upperHex[b>>4], upperHex[b&15])
		}
	}
	return dst
}
