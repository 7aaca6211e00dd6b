package proxy

import (
	"unicode"
	"unicode/utf8"
)

// letters outside ASCII that case mappings turn into letters of ASCII: those of
// Unicode's SpecialCasing.txt and CaseFolding.txt, which JavaScript's toUpperCase
// and Python's casefold follow. Upper and lower case are the same here.
var foldingLetters = map[rune]string{
	'ı': "i", 'İ': "i", 'ſ': "s", '\u212a': "k", 'ß': "ss", 'ẞ': "ss",
	'ﬀ': "ff", 'ﬁ': "fi", 'ﬂ': "fl", 'ﬃ': "ffi", 'ﬄ': "ffl", 'ﬅ': "st", 'ﬆ': "st",
}

// foldLetters reads letters as those of ASCII that they are the same as but for case.
func foldLetters(path string) string {
	return foldBy(path, foldingLetters, nil)
}

// foldAll reads every sign as what it looks like in ASCII: compatibility forms
// (NFKC, as Python, IDNA and file systems normalise), letters without their
// marks, and what Windows' code pages put in place of what they lack.
func foldAll(path string, table map[rune]string) string {
	return foldBy(path, table, func(c rune) bool { return unicode.Is(unicode.Mn, c) || invisible(c) })
}

// foldBy replaces the signs that the table knows and removes others; invalid
// bytes stay.
func foldBy(path string, table map[rune]string, remove func(rune) bool) string {
	first := 0
	for first < len(path) && path[first] < utf8.RuneSelf {
		first++
	}
	if first == len(path) {
		return path
	}
	out := append(make([]byte, 0, len(path)), path[:first]...)
	for path = path[first:]; len(path) > 0; {
		c, size := utf8.DecodeRuneInString(path)
		ascii, known := table[c]
		switch {
		case known:
			out = append(out, ascii...)
		case remove != nil && remove(c):
		default:
			out = append(out, path[:size]...)
		}
		path = path[size:]
	}
	return string(out)
}

// foldTable is folds by sign. It is made when rules are, and read-only then.
func foldTable() map[rune]string {
	table := make(map[rune]string, 2400)
	for _, row := range folds {
		for _, sign := range row.signs {
			table[sign] = row.ascii
		}
	}
	return table
}
