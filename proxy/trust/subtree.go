package trust

import "bytes"

// within reports whether a name is part of the subtree that base spans, and
// false for ok when one of them is not well-formed (OpenSSL's nc_match_single).
func within(name subtree, base []byte) (inside, ok bool) {
	switch name.kind {
	case nameDNS:
		return hostWithin(name.base, base), true
	case nameEmail:
		return emailWithin(name.base, base)
	case nameURI:
		return uriWithin(name.base, base)
	case nameIP:
		return addressWithin(name.base, base)
	}
	return false, false
}

// hostWithin: labels may be added on the left of base; a base that begins with
// a dot wants at least one; an empty one takes any name.
func hostWithin(host, base []byte) bool {
	if len(base) == 0 {
		return true
	}
	if len(host) < len(base) {
		return false
	}
	cut := len(host) - len(base)
	if cut > 0 && base[0] != '.' && host[cut-1] != '.' {
		return false
	}
	return equalFold(host[cut:], base)
}

// emailWithin: base is an address, a host, or a domain with a leading dot.
func emailWithin(address, base []byte) (inside, ok bool) {
	at, baseAt := bytes.LastIndexByte(address, '@'), bytes.LastIndexByte(base, '@')
	if at < 0 {
		return false, false
	}
	host := address[at+1:]
	if baseAt < 0 {
		return domainWithin(address, host, base), true
	}
	if local := base[:baseAt]; len(local) > 0 {
		if bytes.IndexByte(local, 0) >= 0 || bytes.IndexByte(address[:at], 0) >= 0 {
			return false, len(local) != at // of different length they differ, whatever they are
		}
		if !bytes.Equal(local, address[:at]) { // RFC 5321 §2.4: case counts in the local part
			return false, true
		}
	}
	return equalFold(host, base[baseAt+1:]), true
}

// domainWithin: base names one host, or with a leading dot all hosts below it.
// whole is what such a suffix is looked for in.
func domainWithin(whole, host, base []byte) bool {
	if len(base) > 0 && base[0] == '.' {
		return len(whole) > len(base) && equalFold(whole[len(whole)-len(base):], base)
	}
	return equalFold(host, base)
}

// uriWithin compares the host of a URI, which must have one. As in OpenSSL 3.0
// it ends at the first colon after the scheme, else at the first slash.
func uriWithin(uri, base []byte) (inside, ok bool) {
	scheme := bytes.IndexByte(uri, ':')
	if scheme < 0 || !bytes.HasPrefix(uri[scheme:], []byte("://")) {
		return false, false
	}
	host := uri[scheme+3:]
	if end := bytes.IndexByte(host, ':'); end >= 0 {
		host = host[:end]
	} else if end := bytes.IndexByte(host, '/'); end >= 0 {
		host = host[:end]
	}
	if len(host) == 0 {
		return false, false
	}
	return domainWithin(host, host, base), true
}

// addressWithin: base is an address followed by its mask. IPv4 is never within IPv6.
func addressWithin(address, base []byte) (inside, ok bool) {
	if len(address) != 4 && len(address) != 16 || len(base) != 8 && len(base) != 32 {
		return false, false
	}
	if 2*len(address) != len(base) {
		return false, true
	}
	mask := base[len(address):]
	for i := range address {
		if address[i]&mask[i] != base[i]&mask[i] {
			return false, true
		}
	}
	return true, true
}

// equalFold compares ASCII without case; bytes.EqualFold would fold the Kelvin
// sign into a k.
func equalFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
