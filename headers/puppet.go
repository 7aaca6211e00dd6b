package headers

// puppetDN appends the one thing that Puppet Server looks for in a subject, the common name, as a name with nothing else in it.
//
// Puppet Server asks Bouncy Castle for the CN, which cuts a value at its second "=", drops a backslash at its beginning, reads
// "#" as hex and takes the shortest attribute of a multi-valued RDN for the CN; what Bouncy Castle cannot read, for an
// attribute type that it does not know, is searched for "/CN=" and "CN=". So a subject without a CN, with several, or with
// one of other characters than certnames have is no name at all: the client is nobody then.
func puppetDN(dst []byte, f *Facts) ([]byte, error) {
	var usual [usualAttributes]attribute
	attrs, err := readRawName(usual[:0], f.leaf().RawSubject)
	if err != nil {
		return dst, err
	}
	var certname []byte
	found := 0
	for _, a := range attrs {
		if string(a.oid) == contentCN && isText(a.value) {
			certname = appendText(certname[:0], a.value, appendPlain)
		}
		if string(a.oid) == contentCN {
			found++
		}
	}
	if found != 1 || !isCertname(certname) {
		return dst, nil
	}
	return append(append(dst, "CN="...), certname...), nil
}

// isCertname is wider than Puppet, which has lower-case letters only.
func isCertname(name []byte) bool {
	for _, b := range name {
		if !isLetterOrDigit(b) && b != '-' && b != '.' && b != '_' {
			return false
		}
	}
	return len(name) > 0
}
