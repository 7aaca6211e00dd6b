package proxy

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// marks are kinds of bytes in a path. A transformation is tried where there is
// something for it to change.
type marks uint16

const (
	markPercent marks = 1 << iota
	markBackslash
	markSemicolon
	markDollar
	markDot
	markEnd     // ? and #
	markBlank   // space and control characters
	markHigh    // outside ASCII
	markDoubled // two slashes in a row
)

func marksOf(path string) marks {
	var m marks
	for i := range len(path) {
		switch c := path[i]; {
		case c == '/':
			if i > 0 && path[i-1] == '/' {
				m |= markDoubled
			}
		case c == '.':
			m |= markDot
		case c == '%':
			m |= markPercent
		case c == '\\':
			m |= markBackslash
		case c == ';':
			m |= markSemicolon
		case c == '$':
			m |= markDollar
		case c == '?' || c == '#':
			m |= markEnd
		case c <= ' ' || c == 0x7f:
			m |= markBlank
		case c >= utf8.RuneSelf:
			m |= markHigh
		}
	}
	return m
}

// transformations are what applications, frameworks and file systems are known
// to do to a path before they look for what it names. Each adds what it makes of
// a reading that has one of its marks.
var transformations = [...]struct {
	marks marks
	apply func(r *readings, path string)
}{
	{markPercent, func(r *readings, path string) { r.add(unescape(path, false)) }},
	{markPercent, func(r *readings, path string) { r.add(unescape(path, true)) }},
	{markPercent, func(r *readings, path string) { r.add(unescapeUTF16(path)) }},
	{markHigh, func(r *readings, path string) { r.add(shorten(path, true)) }},
	{markHigh, func(r *readings, path string) { r.add(shorten(path, false)) }},
	{markBackslash, func(r *readings, path string) { r.add(strings.ReplaceAll(path, `\`, "/")) }},
	{markDoubled, func(r *readings, path string) { r.add(mergeSlashes(path)) }},
	{markDoubled, func(r *readings, path string) { r.add(withoutAuthority(path)) }},
	{markDot, resolveDots},
	{markDot, belowScript},
	{markSemicolon, func(r *readings, path string) { r.add(eachSegment(path, withoutParameters)) }},
	{markDollar, func(r *readings, path string) { r.add(eachSegment(path, withoutStream)) }},
	{markBlank | markHigh, func(r *readings, path string) { r.add(eachSegment(path, withoutBlanks)) }},
	{markBlank | markHigh | markDot, func(r *readings, path string) { r.add(eachSegment(path, withoutEnding)) }},
	{markBlank | markSemicolon | markEnd, endEarly},
	{markBlank, func(r *readings, path string) { r.add(strings.Map(withoutControls, path)) }},
	{markHigh, func(r *readings, path string) { r.add(withoutSigns(path, invisible)) }},
	{markHigh, func(r *readings, path string) { r.add(strings.ToValidUTF8(path, "")) }},
	{markHigh, func(r *readings, path string) { r.add(foldLetters(path)) }},
	{markHigh, func(r *readings, path string) { r.add(foldAll(path, r.routes.fold)) }},
}

// unescape decodes %XX once. What is no escape stays, as lenient decoders have
// it. Those that keep an encoded slash apart from a separator leave %2f alone
// (Go's RawPath, nginx in front of Spring, the URL standard).
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

func mergeSlashes(path string) string {
	out := make([]byte, 0, len(path))
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			out = append(out, path[i])
		}
	}
	return string(out)
}

// resolveDots removes dot segments (RFC 3986 §5.2.4).
//
// In a path that is otherwise plain there is one result. Elsewhere applications
// differ in what is a segment when they come to do so (before or after slashes
// are merged, parameters removed, escapes decoded), and therefore in how much
// goes with a "..": here it may be any number of segments, none included.
func resolveDots(r *readings, path string) {
	if !strings.Contains(path, "/.") {
		return
	}
	segments := strings.Split(path, "/")[1:]
	kept := segments[:0:0]
	for _, segment := range segments {
		switch {
		case segment == ".":
		case segment == ".." && r.exact:
			kept = kept[:max(len(kept)-1, 0)]
		default:
			kept = append(kept, segment)
		}
	}
	r.add("/" + strings.Join(kept, "/"))
	for i, segment := range segments {
		if segment != ".." || r.exact {
			continue
		}
		rest := strings.Join(segments[i+1:], "/")
		for j := i; j >= 0 && !r.finished; j-- {
			r.add("/" + strings.Join(append(segments[:j:j], rest), "/"))
		}
		return // of what has been added, the next ".." is the first
	}
}

// withoutAuthority takes the first segment of //host/path for a host, as URL
// parsers do that are given a relative reference (RFC 3986 §4.2, the URL
// standard, Python's urlsplit).
func withoutAuthority(path string) string {
	if !strings.HasPrefix(path, "//") {
		return path
	}
	_, rest, _ := strings.Cut(strings.TrimLeft(path, "/"), "/")
	return "/" + rest
}

// eachSegment applies change to every segment.
func eachSegment(path string, change func(string) string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i] = change(segment)
	}
	return strings.Join(segments, "/")
}

// withoutParameters removes ;name=value (RFC 3986 §3.3), as Servlet containers do.
func withoutParameters(segment string) string {
	segment, _, _ = strings.Cut(segment, ";")
	return segment
}

// withoutStream removes NTFS' name of a file's ordinary content: ::$DATA,
// :$I30:$INDEX_ALLOCATION.
func withoutStream(segment string) string {
	if !strings.Contains(segment, ":$") {
		return segment
	}
	segment, _, _ = strings.Cut(segment, ":")
	return segment
}

// withoutBlanks trims white space and control characters from both ends.
func withoutBlanks(segment string) string {
	return strings.TrimFunc(segment, blank)
}

// withoutEnding removes, besides, the dots and blanks at the end that Windows
// does not see. A segment of nothing else becomes a dot segment.
func withoutEnding(segment string) string {
	trimmed := withoutBlanks(segment)
	name := strings.TrimRightFunc(trimmed, func(c rune) bool { return c == '.' || blank(c) })
	switch {
	case name != "" || trimmed == "":
		return name
	case strings.HasPrefix(trimmed, ".."):
		return ".."
	default:
		return "."
	}
}

// blank also holds what trim functions take for white space, such as U+00A0.
func blank(c rune) bool {
	return unicode.IsSpace(c) || unicode.IsControl(c) || invisible(c)
}

// endEarly ends a path where a careless reader of it does: at a NUL (C), at what
// has become a query, a fragment or a line's end by decoding, or at the first
// parameter.
func endEarly(r *readings, path string) {
	for _, end := range []string{"\x00", "?", "#", "\n", "\r", ";"} {
		if before, _, found := strings.Cut(path, end); found {
			r.add(before)
		}
	}
}

// belowScript adds the path that a script is told.
func belowScript(r *readings, path string) {
	for i, start := 1, 1; i < len(path); i++ {
		if path[i] != '/' {
			continue
		}
		if isScript([]byte(path[start:i])) {
			r.add(path[i:])
			return // of what has been added, the next script is the first
		}
		start = i + 1
	}
}

func withoutControls(c rune) rune {
	if c < ' ' || c == 0x7f {
		return -1
	}
	return c
}

// withoutSigns removes characters, and leaves invalid bytes as they are.
func withoutSigns(path string, remove func(rune) bool) string {
	out := make([]byte, 0, len(path))
	for len(path) > 0 {
		c, size := utf8.DecodeRuneInString(path)
		if c == utf8.RuneError && size == 1 || !remove(c) {
			out = append(out, path[:size]...)
		}
		path = path[size:]
	}
	return string(out)
}

// invisible are the characters that normalisation drops: format characters and
// what Unicode calls default ignorable, C1 controls.
func invisible(c rune) bool {
	return c >= 0x80 && (c < 0xa0 || unicode.In(c, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector))
}
