package headers

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"
)

// checkValue refuses the values with which OpenSSL refuses the whole name while it reads it: types outside its
// B_ASN1_PRINTABLE mask (so no VisibleString, INTEGER or OCTET STRING), and text that x509_name_canon cannot convert to UTF-8.
// Both hold for attribute types that it does not know as well.
func checkValue(v element) error {
	switch v.tag {
	case tagNumericString, tagPrintableString, tagTeletexString, tagIA5String:
		return nil
	case tagUTF8String:
		if !utf8.Valid(v.content) {
			return errors.New("invalid UTF-8 in UTF8String")
		}
		return nil
	case tagBMPString:
		return checkWide(v.content, 2)
	case tagUniversalString:
		return checkWide(v.content, 4)
	case tagBitString:
		if len(v.content) == 0 || v.content[0] > 7 {
			return errors.New("malformed BIT STRING")
		}
		return nil
	case 7, 8, 9, 11, 13, 14, 15, 29, tagSequence:
		// OpenSSL's B_ASN1_UNKNOWN and SEQUENCE: accepted unread, shown as a dump.
		return nil
	default:
		return fmt.Errorf("type %#02x has no place in a name", v.tag)
	}
}

// checkWide refuses strings of 2 or 4 bytes per character that are cut short or hold a surrogate or a number above
// U+10FFFF: there are no pairs in UCS-2, and OpenSSL's UTF8_putc has no encoding for them.
func checkWide(text []byte, width int) error {
	if len(text)%width != 0 {
		return errors.New("character cut short")
	}
	for ; len(text) > 0; text = text[width:] {
		if c := wideRune(text, width); c > utf8.MaxRune || c >= 0xd800 && c <= 0xdfff {
			return fmt.Errorf("%#x is not a character", c)
		}
	}
	return nil
}

func wideRune(text []byte, width int) uint32 {
	c := uint32(0)
	for _, b := range text[:width] {
		c = c<<8 | uint32(b)
	}
	return c
}

// isText reports whether OpenSSL's tag2nbyte counts a value as text. What it does not is shown as a dump.
func isText(v element) bool {
	switch v.tag {
	case tagUTF8String, tagNumericString, tagPrintableString, tagTeletexString, tagIA5String, tagBMPString, tagUniversalString:
		return true
	default:
		return false
	}
}

// characterAt takes the character at a place of checked text, and its size in the encoding.
func characterAt(v element, at int) (c rune, size int) {
	switch v.tag {
	case tagUTF8String:
		return utf8.DecodeRune(v.content[at:])
	case tagBMPString:
		return rune(wideRune(v.content[at:], 2)), 2
	case tagUniversalString:
		return rune(wideRune(v.content[at:], 4)), 4
	default:
		return rune(v.content[at]), 1 // T61 included: OpenSSL reads it as Latin-1
	}
}

// appendText appends checked text character by character, each as write says.
func appendText(dst []byte, v element, write func(dst []byte, c rune, where place) []byte) []byte {
	for at := 0; at < len(v.content); {
		c, size := characterAt(v, at)
		where := inside
		switch {
		case at+size == len(v.content):
			where = atEnd // a value's only character, too
		case at == 0:
			where = atStart
		}
		dst = write(dst, c, where)
		at += size
	}
	return dst
}

// place is where in its value a character stands, which decides about space and #. A value's only character stands at the
// end, not at the start: OpenSSL's do_buf overwrites the one with the other, so that CN "#" is printed bare. RFC 4514 §2.4
// would escape it.
type place byte

const (
	inside place = iota
	atStart
	atEnd
)

const upperHex = "0123456789ABCDEF"

// appendEscaped appends one character as ASN1_STRING_print_ex does with ASN1_STRFLGS_RFC2253: as the bytes of its UTF-8.
func appendEscaped(dst []byte, c rune, where place) []byte {
	if c < utf8.RuneSelf {
		return appendByte(dst, byte(c), where)
	}
	var encoded [utf8.UTFMax]byte
	for _, b := range encoded[:utf8.EncodeRune(encoded[:], c)] {
		dst = appendByte(dst, b, where)
	}
	return dst
}

// appendByte appends one byte of UTF-8 with the escapes of RFC 2253 §2.4 as OpenSSL applies them
// (ASN1_STRFLGS_ESC_2253, _ESC_CTRL, _ESC_MSB).
func appendByte(dst []byte, b byte, where place) []byte {
	switch {
	case b < 0x20 || b >= 0x7f:
		return append(dst, '\\', upperHex[b>>4], upperHex[b&15])
	case b == ',' || b == '+' || b == '"' || b == '\\' || b == '<' || b == '>' || b == ';',
		b == ' ' && where != inside,
		b == '#' && where == atStart:
		return append(dst, '\\', b)
	default:
		return append(dst, b)
	}
}

// appendDump appends a value as # and the upper-case hex of its DER (ASN1_STRFLGS_DUMP_DER).
func appendDump(dst []byte, v element) []byte {
	dst = append(dst, '#')
	if v.tag != tagBitString {
		return appendHex(dst, v.full)
	}
	bits, unused := countedBits(v), v.content[0]
	if len(bits) == 0 {
		unused = 0
	}
	dst = appendHex(dst, v.full[:len(v.full)-len(v.content)])
	return appendHex(appendHex(dst, []byte{unused}), bits)
}

// countedBits are the bytes of a BIT STRING without the bits that do not count, which OpenSSL clears in reading (X.690 §11.2.1
// asks the issuer to have done so, and crypto/x509 does not read such names).
func countedBits(v element) []byte {
	bits := bytes.Clone(v.content[1:])
	if last := len(bits) - 1; last >= 0 {
		bits[last] = bits[last] >> v.content[0] << v.content[0]
	}
	return bits
}

func appendHex(dst, data []byte) []byte {
	for _, b := range data {
		dst = append(dst, upperHex[b>>4], upperHex[b&15])
	}
	return dst
}
