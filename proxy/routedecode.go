package proxy

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// How applications decode a path. What they would refuse stays as it is: there
// is always a more lenient one.

// unescape decodes %XX once. What is no escape stays, as lenient decoders have
// it. Those that keep an encoded slash apart from a separator leave %2f alone
// (Go's EscapedPath, Apache's AllowEncodedSlashes NoDecode, the URL standard).
func unescape(path string, keepSlash bool) string {
	out := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		c, ok := escapedByte(path[i:])
		if !ok || c == '/' && keepSlash {
			out = append(out, path[i])
			continue
		}
		out = append(out, c)
		i += 2
	}
	return string(out)
}

// escapedByte is the byte that text's first three are the escape of.
func escapedByte(text string) (byte, bool) {
	if len(text) < 3 || text[0] != '%' {
		return 0, false
	}
	high, low := hexDigit(text[1]), hexDigit(text[2])
	return high<<4 | low, high < 16 && low < 16
}

// hexDigit is the value of a digit in lower case, 16 or more for anything else.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	default:
		return 0xff
	}
}

// unescapeUTF16 decodes %uXXXX, which IIS and JavaScript's unescape know.
func unescapeUTF16(path string) string {
	if !strings.Contains(path, "%u") {
		return path
	}
	out := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		if i+6 <= len(path) && path[i:i+2] == "%u" {
			if unit, err := strconv.ParseUint(path[i+2:i+6], 16, 16); err == nil {
				out = utf8.AppendRune(out, rune(unit))
				i += 5
				continue
			}
		}
		out = append(out, path[i])
	}
	return string(out)
}

// longForm is the length of the UTF-8 sequence that begins with c, if that can be
// one for ASCII that is longer than it need be (RFC 3629 §3 and §10; five and six
// bytes were allowed by RFC 2279), else 0.
func longForm(c byte) int {
	switch c {
	case 0xc0, 0xc1:
		return 2
	case 0xe0:
		return 3
	case 0xf0:
		return 4
	case 0xf8:
		return 5
	case 0xfc:
		return 6
	default:
		return 0
	}
}

// shorten reads overlong UTF-8 as the ASCII that it is the long form of. strict
// asks for continuation bytes to be such; the decoder of IIS 4 did not (%c1%1c).
func shorten(path string, strict bool) string {
	out := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		length := longForm(path[i])
		if length == 0 || i+length > len(path) {
			out = append(out, path[i])
			continue
		}
		value := rune(path[i] & 1) // of the first bytes, only 0xc1 has a bit of the value there
		ok := true
		for _, c := range []byte(path[i+1 : i+length]) {
			value = value<<6 | rune(c&0x3f)
			ok = ok && (!strict || c&0xc0 == 0x80)
		}
		if !ok || value >= utf8.RuneSelf {
			out = append(out, path[i])
			continue
		}
		out = append(out, byte(value))
		i += length - 1
	}
	return string(out)
}
