package proxy

import (
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// What applications do to paths, written without a look at the readings, with
// the standard library where it does the same.
var (
	fuzzParameters = regexp.MustCompile(`;[^/]*`)
	fuzzSlashes    = regexp.MustCompile(`/+`)
	fuzzControls   = regexp.MustCompile("[\x00-\x1f\x7f]")
	fuzzTrailing   = regexp.MustCompile(`([^/.])[. ]+(/|$)`)
	fuzzHost       = regexp.MustCompile(`^//+[^/]*`)
)

var fuzzTransformations = map[string]func(string) string{
	"decoded": func(p string) string {
		decoded, err := url.PathUnescape(p)
		if err != nil {
			return p
		}
		return decoded
	},
	"decoded by net/url, cleaned": func(p string) string {
		u, err := url.ParseRequestURI(p)
		if err != nil {
			return p
		}
		return path.Clean("/" + u.Path)
	},
	"decoded but the slash": func(p string) string {
		decoded, err := url.PathUnescape(regexp.MustCompile(`(?i)%2f`).ReplaceAllString(p, "%252f"))
		if err != nil {
			return p
		}
		return decoded
	},
	"merged":               func(p string) string { return fuzzSlashes.ReplaceAllString(p, "/") },
	"cleaned":              func(p string) string { return path.Clean("/" + p) },
	"joined":               func(p string) string { return path.Join("/", strings.ReplaceAll(p, `\`, "/")) },
	"resolved":             removeDotSegments,
	"parameters removed":   func(p string) string { return fuzzParameters.ReplaceAllString(p, "") },
	"parameters, resolved": func(p string) string { return removeDotSegments(fuzzParameters.ReplaceAllString(p, "")) },
	"cut at ;":             func(p string) string { before, _, _ := strings.Cut(p, ";"); return before },
	"cut at NUL":           func(p string) string { before, _, _ := strings.Cut(p, "\x00"); return before },
	"cut at #":             func(p string) string { before, _, _ := strings.Cut(p, "#"); return before },
	"without a host":       func(p string) string { return fuzzHost.ReplaceAllString(p, "") },
	"without controls":     func(p string) string { return fuzzControls.ReplaceAllString(p, "") },
	"without endings":      func(p string) string { return fuzzTrailing.ReplaceAllString(p, "$1$2") },
	"without what is not valid": func(p string) string {
		return strings.ToValidUTF8(p, "")
	},
	"plus":             func(p string) string { return strings.ReplaceAll(p, "+", " ") },
	"plus, trimmed":    func(p string) string { return strings.TrimRight(strings.ReplaceAll(p, "+", " "), " ") },
	"slash at the end": func(p string) string { return p + "/" },
	"capitals":         func(p string) string { return asciiMap(p, 'a', 'z', -32) },
	"small letters":    func(p string) string { return asciiMap(p, 'A', 'Z', 32) },
	"all capitals": func(p string) string {
		if !utf8.ValidString(p) || strings.ContainsFunc(p, func(c rune) bool { return c >= 0x80 && c != 'ſ' && c != 'ı' }) {
			return p
		}
		return strings.ToUpper(p)
	},
}

func asciiMap(p string, from, to byte, by int) string {
	b := []byte(p)
	for i, c := range b {
		if from <= c && c <= to {
			b[i] = byte(int(c) + by)
		}
	}
	return string(b)
}

// removeDotSegments is RFC 3986 §5.2.4 by the letter.
func removeDotSegments(in string) string {
	out := ""
	for in != "" {
		switch {
		case strings.HasPrefix(in, "/./"), in == "/.":
			in = "/" + strings.TrimPrefix(in[2:], "/")
		case strings.HasPrefix(in, "/../"), in == "/..":
			in = "/" + strings.TrimPrefix(in[3:], "/")
			out = out[:max(strings.LastIndexByte(out, '/'), 0)]
		default:
			next := strings.IndexByte(in[1:], '/') + 1
			if next == 0 {
				next = len(in)
			}
			out += in[:next]
			in = in[next:]
		}
	}
	return out
}

func FuzzRoutesAreNoLooserForAnyReading(f *testing.F) {
	rules := []string{
		routeTableRules, "/=require /pub=optional /pub/a/=off", "/a=require /a/b/=off /a/b/c=optional /=optional",
		"/x/y=require /=off", "/=optional /x=require /x/x=off /y=off",
	}
	for i, row := range readRouteTable(f) {
		f.Add(rules[i%len(rules)], row.path)
	}
	for _, p := range ordinary {
		f.Add(rules[0], p)
	}
	for _, p := range hostilePaths() {
		f.Add(rules[3], p[:min(len(p), 300)])
	}
	f.Fuzz(func(t *testing.T, text, target string) {
		if len(target) > maxTarget {
			return // refused before it gets here
		}
		var r Routes
		if err := r.UnmarshalText([]byte(text)); err != nil {
			if r.Set() {
				t.Fatalf("%q: faulty, and set", text)
			}
			return
		}
		if again := routesOf(t, r.String()); again.String() != r.String() {
			t.Fatalf("%q: in its own words %s, and then %s", text, &r, again)
		}
		got := r.decide([]byte(target))
		if !r.has(got) {
			t.Fatalf("%q needs %v, which no rule of %q says", target, got, text)
		}
		target, _, _ = strings.Cut(target, "?")
		if !strings.HasPrefix(target, "/") {
			return
		}
		for name, transform := range fuzzTransformations {
			changed := transform(target)
			if changed == "" {
				changed = "/"
			}
			changed, _, _ = strings.Cut(changed, "?") // decoded, it ends the path
			if !strings.HasPrefix(changed, "/") {
				continue // a host that is not followed by a path
			}
			if reading := r.decide([]byte(changed)); reading > got {
				t.Errorf("%q: %q needs %v, but %s it is %q, which needs %v", text, target, got, name, changed, reading)
			}
		}
		checkBounded(t, &r, target)
	})
}

// checkBounded counts what the search for readings comes to.
func checkBounded(t *testing.T, r *Routes, target string) {
	t.Helper()
	all := readings{routes: r, exact: plainButDots(target), seen: map[string]bool{}, strict: r.laxest}
	all.search(target)
	if len(all.found) > maxReadings+1 || all.size > maxReadingBytes+4*len(target)+1 {
		t.Errorf("%q: %d readings of %d bytes", target, len(all.found), all.size)
	}
}
