package headers

import (
	"unicode"
	"unicode/utf8"
)

// appendUTF8DN appends a DER-encoded Name as appendDN does, except that printable characters above ASCII stay as they are.
// Controls, spaces other than U+0020, format and bidirectional characters, private use and what Unicode has not assigned are
// escaped byte by byte, so the value stays on its line and shows what it holds.
func appendUTF8DN(dst, rawName []byte) ([]byte, error) {
	return appendReversed(dst, rawName, func(dst []byte, a attribute) []byte {
		return appendTypeAndValue(dst, a, appendPrintable)
	})
}

func appendPrintable(dst []byte, c rune, where place) []byte {
	if c >= utf8.RuneSelf && unicode.IsPrint(c) {
		return utf8.AppendRune(dst, c)
	}
	return appendEscaped(dst, c, where)
}
