package headers

import "strings"

// appendHexedDN appends a DER-encoded Name as appendDN does, with the characters in hexed (all ASCII), where a value holds
// them, as hex pairs (RFC 4514 §2.4): "\22" for a quote. Readers of names see the same name, and readers that look
// for those characters first do not find any but ours.
func appendHexedDN(dst, rawName []byte, hexed string) ([]byte, error) {
	return appendReversed(dst, rawName, func(dst []byte, a attribute) []byte {
		return appendTypeAndValue(dst, a, hexing(hexed, appendEscaped))
	})
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
