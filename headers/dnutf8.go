package headers

import (
	"unicode"
	"unicode/utf8"
)

// appendUTF8DN appends a DER-encoded Name as appendDN does, except that printable characters above ASCII stay as they are.
// Controls, spaces other than U+0020, format and bidirectional characters, private use and what Unicode has not assigned are
// escaped byte by byte, so the value stays on its line and shows what it holds. So is a character at the end of a value that
// a recipient could lose: header bytes are Latin-1 text to many, who trim the last byte of "à" (C3 A0) as a no-break space.
func appendUTF8DN(dst, rawName []byte) ([]byte, error) {
	return appendReversed(dst, rawName, func(dst []byte, a attribute) []byte {
		return appendTypeAndValue(dst, a, appendPrintable)
	})
}

func appendPrintable(dst []byte, c rune, where place) []byte {
	if c >= utf8.RuneSelf && unicode.IsPrint(c) && !(where == atEnd && endsInBlank(c)) {
		return utf8.AppendRune(dst, c)
	}
	return appendEscaped(dst, c, where)
}

// endsInBlank reports whether the last byte of a character is white space in Latin-1: NEL or the no-break space.
func endsInBlank(c rune) bool {
	last := c&0x3f | 0x80
	return last == 0x85 || last == 0xa0
}
