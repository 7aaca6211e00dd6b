package headers

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParseTemplate holds that any text is either a template whose lines are whole and whose names nobody else may send, or
// faults that each name the variable and show their place.
func FuzzParseTemplate(f *testing.F) {
	for _, seed := range []string{
		"nginx", "nginx xfcc", "ngnix", `A="$ssl_client_verify $$ \" \\"`, "A=${ssl_client_s_dn", "A=$", "=", `"`, "A=\xff\x00",
		"A=$ssl_client_s_dn a=$ssl_client_verify", "Host=x", "$WSCC=$ssl_client_verify", "ä=b", strings.Repeat("x", 300) + "=$nothing",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tpl, err := ParseTemplate(text)
		if err != nil {
			for i, line := range strings.Split(err.Error(), "\n") {
				switch i % 3 {
				case 0:
					if !strings.HasPrefix(line, `MTLS_HEADERS="`) {
						t.Fatalf("%q: line %d of the faults is %q", text, i, line)
					}
				case 1:
					if len(line) > 100 {
						t.Fatalf("%q: %d bytes are shown of the place", text, len(line))
					}
				case 2:
					if strings.Trim(line, " ^") != "" || strings.Count(line, "^") != 1 {
						t.Fatalf("%q: no caret in %q", text, line)
					}
				}
			}
			return
		}
		s, err := NewStripper(StripOptions{Emit: tpl.Names()})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range tpl.Names() {
			if !isToken(name) || cannotEmit(name) != "" || !s.Drop([]byte(name)) || !s.Drop([]byte(strings.ToUpper(name))) {
				t.Fatalf("%q sends %q", text, name)
			}
		}
		rendered, _, err := tpl.Render(Facts{Verify: VerifyNone})
		if err != nil || !utf8.Valid(rendered) {
			t.Fatalf("%q: %q, %v", text, rendered, err)
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(string(rendered), "\r\n"), "\r\n") {
			if name, value, found := strings.Cut(line, ": "); len(rendered) > 0 && (!found || !tpl.Writes([]byte(name)) || strings.ContainsAny(value, "\r\n\x00")) {
				t.Fatalf("%q: line %q", text, line)
			}
		}
	})
}
