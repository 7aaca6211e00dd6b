package trust

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"
)

// canonicalName turns a DER Name into a key that is equal for two names
// exactly when OpenSSL's X509_NAME_cmp calls them equal: attribute values of
// the common string types are compared as UTF-8, in lower case, without spaces
// at the ends and with one for many between words (x509_name_canon in
// OpenSSL's x_name.c; RFC 5280 §7.1 is the idea). Which CA is found for a
// certificate depends on it. A name that cannot be read stands for itself.
func canonicalName(raw []byte) string {
	rdns, ok := sequence(raw)
	if !ok {
		return string(raw)
	}
	key := make([]byte, 0, len(raw)+8)
	readable := every(rdns, func(rdn element) bool {
		key = append(key, appendRDN(nil, rdn)...)
		return true
	})
	if !readable {
		return string(raw)
	}
	return string(key)
}

// appendRDN writes one RDN: its attributes, each preceded by its length, in
// the order of their bytes, since an RDN is a set.
func appendRDN(dst []byte, rdn element) []byte {
	var attributes []string
	every(rdn.body, func(attribute element) bool {
		attributes = append(attributes, canonicalAttribute(attribute))
		return true
	})
	if len(attributes) > 1 {
		slices.Sort(attributes)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(attributes)))
	for _, a := range attributes {
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(a)))
		dst = append(dst, a...)
	}
	return dst
}

func canonicalAttribute(attribute element) string {
	oid, rest, ok := nextElement(attribute.body)
	if !ok {
		return string(attribute.body)
	}
	value, _, ok := nextElement(rest)
	if !ok {
		return string(attribute.body)
	}
	key := make([]byte, 0, len(attribute.body)+2)
	key = append(key, byte(len(oid.body)))
	key = append(key, oid.body...)
	text, isText := utf8Text(value)
	if !isText {
		return string(append(append(key, value.tag), value.body...))
	}
	return string(appendFolded(append(key, tagUTF8), text))
}

// appendFolded lower-cases ASCII letters and folds ASCII white space.
func appendFolded(dst []byte, text string) []byte {
	const white = " \t\n\v\f\r"
	text = strings.Trim(text, white)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case strings.IndexByte(white, c) >= 0:
			if strings.IndexByte(white, text[i-1]) < 0 { // text does not begin with white space
				dst = append(dst, ' ')
			}
		case 'A' <= c && c <= 'Z':
			dst = append(dst, c+'a'-'A')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// utf8Text reads the string types that OpenSSL canonicalises (ASN1_MASK_CANON).
// T61 is read as Latin-1, as OpenSSL does.
func utf8Text(value element) (string, bool) {
	switch value.tag {
	case tagUTF8, tagPrintable, tagIA5, tagVisible:
		return string(value.body), true
	case tagT61:
		var b strings.Builder
		for _, c := range value.body {
			b.WriteRune(rune(c))
		}
		return b.String(), true
	case tagBMP:
		if len(value.body)%2 != 0 {
			return "", false
		}
		units := make([]uint16, 0, len(value.body)/2)
		for i := 0; i < len(value.body); i += 2 {
			units = append(units, binary.BigEndian.Uint16(value.body[i:]))
		}
		return string(utf16.Decode(units)), true
	case tagUniversal:
		if len(value.body)%4 != 0 {
			return "", false
		}
		var b strings.Builder
		for i := 0; i < len(value.body); i += 4 {
			b.WriteRune(rune(binary.BigEndian.Uint32(value.body[i:])))
		}
		return b.String(), true
	}
	return "", false
}
