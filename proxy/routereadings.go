package proxy

import (
	"slices"
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
	markEnd   // ? and #
	markBlank // space and control characters
	markHigh  // outside ASCII
	markPlus
	markParenthesis
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
		case c == '+':
			m |= markPlus
		case c == '(':
			m |= markParenthesis
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
	{markPlus, func(r *readings, path string) { r.add(strings.ReplaceAll(path, "+", " ")) }}, // as in forms
	{markHigh, func(r *readings, path string) { r.add(shorten(path, true)) }},
	{markHigh, func(r *readings, path string) { r.add(shorten(path, false)) }},
	{markBackslash, func(r *readings, path string) { r.add(strings.ReplaceAll(path, `\`, "/")) }},
	{markDoubled, func(r *readings, path string) { r.add(mergeSlashes(path)) }},
	{markDoubled, func(r *readings, path string) { r.add(withoutAuthority(path)) }},
	{markDot, resolveDots},
	{markDot, belowScript},
	{markSemicolon, func(r *readings, path string) { r.add(eachSegment(path, withoutParameters)) }},
	{markDollar, func(r *readings, path string) { r.add(eachSegment(path, withoutStream)) }},
	{markParenthesis, func(r *readings, path string) { r.add(withoutSessions(path)) }},
	{markBlank | markHigh, func(r *readings, path string) { r.add(eachSegment(path, withoutBlanks)) }},
	{markBlank | markHigh | markDot, func(r *readings, path string) { r.add(eachSegment(path, withoutEnding)) }},
	{markBlank | markSemicolon | markEnd, endEarly},
	{markBlank, func(r *readings, path string) { r.add(strings.Map(withoutControls, path)) }},
	{markHigh, func(r *readings, path string) { r.add(withoutSigns(path, invisible)) }},
	{markHigh, func(r *readings, path string) { r.add(strings.ToValidUTF8(path, "")) }},
	{markHigh, func(r *readings, path string) { r.add(eachSegment(path, asciiAlone)) }},
	{markHigh, func(r *readings, path string) { r.add(foldLetters(path)) }},
	{markHigh, func(r *readings, path string) { r.add(foldAll(path, r.routes.fold)) }},
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
			if 0 < j && j < i && segments[j] == "" && segments[j-1] == "" {
				continue // the same but for the number of slashes, which mergeSlashes sees to
			}
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

// withoutSessions removes the segments in which ASP.NET keeps what it has no cookie
// for: /(S(x))/, /(A(x)F(y))/.
func withoutSessions(path string) string {
	kept := strings.Split(path, "/")
	kept = slices.DeleteFunc(kept, func(segment string) bool {
		return len(segment) > 4 && segment[0] == '(' && segment[2] == '(' && strings.HasSuffix(segment, "))")
	})
	return strings.Join(kept, "/")
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
	for i, start := 1, 1; i < len(path) && !r.finished; i++ {
		switch {
		case path[i] == '/' && isScript([]byte(path[start:i])):
			r.add(path[i:])
			return // of what has been added, the next script is the first
		case path[i] == '/':
			start = i + 1
		case path[i] == '.':
			belowFrontController(r, path[i:])
		}
	}
}

// belowFrontController adds what follows a script's ending, with a slash before it.
// What no rule names is not protected by its name: /x.phpbb is no /bb.
func belowFrontController(r *readings, path string) {
	if !frontController(path) {
		return
	}
	for _, ending := range frontControllers {
		rest, found := strings.CutPrefix(path, ending)
		if !found || rest == "" || rest[0] == '/' {
			continue
		}
		if rest = "/" + rest; r.routes.names(rest) || strings.Contains(rest, "..") {
			r.add(rest)
		}
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

// asciiAlone drops what is not ASCII, as some do to be safe. A segment without any
// ASCII stays: whoever names things in another script shall not be turned away
// for what the rest of the path would be by itself.
func asciiAlone(segment string) string {
	left := strings.Map(func(c rune) rune {
		if c >= utf8.RuneSelf {
			return -1
		}
		return c
	}, segment)
	if left == "" {
		return segment
	}
	return left
}

// invisible are the characters that normalisation drops: format characters and
// what Unicode calls default ignorable, C1 controls.
func invisible(c rune) bool {
	return c >= 0x80 && (c < 0xa0 || unicode.In(c, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector))
}
