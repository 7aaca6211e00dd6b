package headers

import (
	"slices"
	"strings"
)

// appendHexedDN appends a DER-encoded Name as appendDN does, or appendUTF8DN (write is appendEscaped or appendPrintable), with
// the characters in hexed (all ASCII), where a value holds them, as hex pairs (RFC 4514 §2.4): "\22" for a quote.
// Readers of names see the same name, and readers that look for those characters first do not find any but ours.
func appendHexedDN(dst, rawName []byte, hexed string, write func(dst []byte, c rune, where place) []byte) ([]byte, error) {
	return appendReversed(dst, rawName, func(dst []byte, a attribute) []byte {
		return appendHexedAttribute(dst, a, hexing(hexed, write))
	})
}

// keys are what readers of whole headers look for, the equals sign behind it; in lower case.
var keys = [...]string{"cn", "by", "hash", "cert", "chain", "subject", "uri", "dns", "issuer"}

// endsInKey reports whether an attribute's type has a name that ends in a key: ISO-CN=, setAttr-Cert=.
func endsInKey(a attribute) bool {
	kind, _ := shortName(a.oid)
	kind = strings.ToLower(kind)
	return kind != "cn" && slices.ContainsFunc(keys[:], func(key string) bool { return strings.HasSuffix(kind, key) })
}

// appendPlainType appends a type's name, or its dotted OID where the name ends in a key.
func appendPlainType(dst []byte, a attribute) []byte {
	if endsInKey(a) {
		return appendOID(dst, a.oid)
	}
	dst, _ = appendType(dst, a)
	return dst
}

// appendHexedAttribute is appendTypeAndValue with a dotted OID for a type whose name ends in a key.
func appendHexedAttribute(dst []byte, a attribute, write func(dst []byte, c rune, where place) []byte) []byte {
	if endsInKey(a) {
		return appendDump(append(appendOID(dst, a.oid), '='), a.value)
	}
	return appendTypeAndValue(dst, a, write)
}

// hexing writes the characters in hexed as hex pairs, and all others as write does.
func hexing(hexed string, write func(dst []byte, c rune, where place) []byte) func(dst []byte, c rune, where place) []byte {
	return func(dst []byte, c rune, where place) []byte {
		if strings.ContainsRune(hexed, c) {
			return append(dst, '\\', upperHex[c>>4], upperHex[c&15])
		}
		return write(dst, c, where)
	}
}
