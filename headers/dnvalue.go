package headers

import (
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

// appendValue appends a checked value as text, as ASN1_STRING_print_ex does with ASN1_STRFLGS_RFC2253. What OpenSSL's
// tag2nbyte does not count as text becomes a dump.
func appendValue(dst []byte, v element) []byte {
	switch v.tag {
	case tagUTF8String:
		for i, b := range v.content {
			dst = appendByte(dst, b, placeOf(i, len(v.content)))
		}
		return dst
	case tagNumericString, tagPrintableString, tagTeletexString, tagIA5String:
		return appendWide(dst, v.content, 1) // T61 included: OpenSSL reads it as Latin-1
	case tagBMPString:
		return appendWide(dst, v.content, 2)
	case tagUniversalString:
		return appendWide(dst, v.content, 4)
	default:
		return appendDump(dst, v)
	}
}

// appendWide appends text of width bytes per character, converted to UTF-8 and escaped.
func appendWide(dst, text []byte, width int) []byte {
	var encoded [utf8.UTFMax]byte
	for i := 0; i < len(text); i += width {
		where := placeOf(i/width, len(text)/width)
		c := wideRune(text[i:], width)
		if c < utf8.RuneSelf {
			dst = appendByte(dst, byte(c), where)
			continue
		}
		for _, b := range encoded[:utf8.EncodeRune(encoded[:], rune(c))] {
			dst = appendByte(dst, b, where)
		}
	}
	return dst
}

// place is where in its value a character stands, which decides about space and #.
type place byte

const (
	inside place = iota
	atStart
	atEnd
)

// placeOf gives a value's only character the rule for the last, not for the first: OpenSSL's do_buf overwrites the one
// with the other, so that CN "#" is printed bare. RFC 4514 §2.4 would escape it.
func placeOf(i, n int) place {
	switch i {
	case n - 1:
		return atEnd
	case 0:
		return atStart
	default:
		return inside
	}
}

const upperHex = "0123456789ABCDEF"

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
	if v.tag == tagBitString {
		return appendBitString(dst, v)
	}
	return appendHex(dst, v.full)
}

// appendBitString clears the bits that do not count, as OpenSSL does by reading and writing the value (X.690 §11.2.1
// asks the issuer to have done so, and crypto/x509 does not read such names).
func appendBitString(dst []byte, v element) []byte {
	header := v.full[:len(v.full)-len(v.content)]
	if len(v.content) == 1 {
		return append(appendHex(dst, header), '0', '0')
	}
	last := len(v.full) - 1
	dst = appendHex(dst, v.full[:last])
	return appendHex(dst, []byte{v.full[last] >> v.content[0] << v.content[0]})
}

func appendHex(dst, data []byte) []byte {
	for _, b := range data {
		dst = append(dst, upperHex[b>>4], upperHex[b&15])
	}
	return dst
}
