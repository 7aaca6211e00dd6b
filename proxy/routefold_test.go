package proxy

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSignsThatReadAsASCII(t *testing.T) {
	table := foldTable()
	for signs, want := range map[string]string{
		"／．＼％；？＃":               `/.\%;?#`, // U+FF0F and its kin
		"ＡＤＭＩＮ":                 "admin",
		"ſ\u212aıİßẞ":           "skiissss",
		"ﬁ ﬃ ﬅ":                 "fi ffi st",
		"àÉîõü":                 "aeiou",
		"a\u0301dmi\u0307n":     "admin",
		"𝐚𝓓𝖒𝕚𝙣":                 "admin",
		"ⓐⒹ⒨ᵢⁿ":                 "ad(m)in",
		"‥․…":                   "......",
		"⁄∕╱∖":                  `///\`,
		"øłđħ":                  "oldh",
		"m\u00adi\u200bn\ufeff": "min",
		"админ":                 "админ", // looks alike, is not
		"文件":                    "文件",
		"a\xff\xc3b":            "a\xff\xc3b",
	} {
		if got := foldAll(signs, table); got != want {
			t.Errorf("%q reads as %q, want %q", signs, got, want)
		}
	}
}

func TestEachSignStandsInOneRow(t *testing.T) {
	rows := map[rune]string{}
	for _, row := range folds {
		for _, c := range row.signs {
			if other, twice := rows[c]; twice || c < utf8.RuneSelf || c == utf8.RuneError {
				t.Errorf("%q is read as %q and %q", c, row.ascii, other)
			}
			rows[c] = row.ascii
		}
		if row.ascii != lowerASCII(row.ascii) {
			t.Errorf("%q has capitals", row.ascii)
		}
	}
}

// foldsOfPython prints what its tables of Unicode 3.2, which never change, say of
// every sign: NFKC and casefold, where that is ASCII.
const foldsOfPython = `
import unicodedata
for c in map(chr, range(0x80, 0x110000)):
    if unicodedata.category(c) not in ("Cs", "Cc", "Cf", "Zs"):
        text = unicodedata.ucd_3_2_0.normalize("NFKC", c).casefold()
        if text.isascii() and text.isprintable() and " " not in text:
            print(ord(c), text)
`

func TestFoldsAreThoseThatPythonKnows(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		absent(t, "python3 is not installed")
	}
	out, err := exec.Command(python, "-c", foldsOfPython).Output()
	if err != nil {
		t.Fatal(err)
	}
	table := foldTable()
	count := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		code, err := strconv.ParseInt(fields[0], 10, 32)
		if err != nil || len(fields) != 2 {
			t.Fatalf("%q: %v", line, err)
		}
		if got := foldAll(string(rune(code)), table); got != fields[1] {
			t.Errorf("%U reads as %q, Python's is %q", code, got, fields[1])
		}
		count++
	}
	if count < 1000 {
		t.Errorf("Python knows %d signs only", count)
	}
}
