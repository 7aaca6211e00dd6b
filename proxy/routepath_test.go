package proxy

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// routeRow is a line of testdata/routes/paths.txt.
type routeRow struct {
	need, path, why string
}

const routeTableRules = "/admin/=require /tasks=require /healthz=off /=optional"

func readRouteTable(t testing.TB) []routeRow {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "testdata", "routes", "paths.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "MTLS_ROUTES='"+routeTableRules+"'") {
		t.Fatalf("the table is not about %s", routeTableRules)
	}
	var rows []routeRow
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		path, err := unquoteBytes(fields[1])
		if err != nil || len(fields) < 3 {
			t.Fatalf("%q: a need, a path and a reason are wanted (%v)", line, err)
		}
		rows = append(rows, routeRow{fields[0], path, strings.Join(fields[2:], " ")})
	}
	return rows
}

// unquoteBytes reads \xNN, and nothing else that a backslash may begin.
func unquoteBytes(text string) (string, error) {
	return strconv.Unquote(`"` + strings.ReplaceAll(strings.ReplaceAll(text, `\`, `\\`), `\\x`, `\x`) + `"`)
}

func routesOf(t testing.TB, rules string) *Routes {
	t.Helper()
	r := &Routes{}
	if err := r.UnmarshalText([]byte(rules)); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEveryPathOfTheTableNeedsWhatItSays(t *testing.T) {
	rows := readRouteTable(t)
	if len(rows) < 80 {
		t.Errorf("the table has %d paths, want at least 80", len(rows))
	}
	r := routesOf(t, routeTableRules)
	for _, row := range rows {
		if got := r.decide([]byte(row.path)); got.String() != row.need {
			t.Errorf("%q needs %v, want %s: %s", row.path, got, row.need, row.why)
		}
	}
}

// TestALessStrictReadingDoesNotHideAStricterOne has rules that are laxer below a
// stricter one, so that who reads more into a path is let in by more.
func TestALessStrictReadingDoesNotHideAStricterOne(t *testing.T) {
	r := routesOf(t, "/admin/=require /admin/pub/=off /admin/x/pub/=off /admin/cafe/=off /admin/caf/=off /tasks/=require /tasks/cafe/=off /tasks/caf/=off /=optional")
	for path, why := range map[string]string{
		"/%61dmin/x%2fpub":          "%2f as a letter, all else decoded",
		"/%20admin/pub.":            "blanks trimmed, dots kept",
		"/ad%c2%admin/caf%c3%a9":    "a soft hyphen dropped, the accent kept",
		"/ta%c5%bfks/caf%c3%a9":     "a letter in capitals, the accent kept",
		"/admin/pub/../x":           "dots resolved",
		"/admin/pub%2f..%2fx":       "dots resolved",
		"/admin/pub/%252e%252e":     "dots resolved at the end",
		"/admin//pub":               "slashes not merged",
		"/admin/pub;x/y":            "parameters kept",
		"/admin/pub%00":             "NUL kept",
		"/admin/%70ub":              "nothing decoded",
		"/admin/x/..;/pub":          "parameters kept, so that nothing is resolved",
		"/x/../admin/%70ub":         "dots resolved, nothing decoded",
		"/admin/pub%2f%2e%2e%5csub": "a backslash resolved",
	} {
		if got := r.decide([]byte(path)); got != needRequire {
			t.Errorf("%q needs %v, want require: %s", path, got, why)
		}
	}
	for _, path := range []string{"/admin/pub", "/admin/pub/", "/ADMIN/Pub/x", "/admin/x/pub/y"} {
		if got := r.decide([]byte(path)); got != needOff {
			t.Errorf("%q needs %v, want off", path, got)
		}
	}
}

// ordinary are paths that browsers and libraries make of names.
var ordinary = []string{
	"/", "/a%20b", "/caf%C3%A9/menu", "/%E6%96%87%E4%BB%B6/%E4%B8%80.txt", "/projects/group%2Fsub%2Fproject/files/a%2Fb%2Ec",
	"/a;v=1/b;w=2", "/x//y", "/x/../y", "/a/b/../../c/./d", "/100%25", "/a%2Bb%26c%3Dd", "/%7Ejoe/", "/wiki/C%23", "/what%3F",
	"/" + strings.Repeat("%D0%B4%D0%BB/", 200), "/\xe6\x96\x87", "/straße", "/r%C3%A9sum%C3%A9.pdf", "/index.php/x", "/a%3Ab;c%20d//e",
}

func TestOrdinaryPathsNeedNoMoreThanTheirRuleSays(t *testing.T) {
	r := routesOf(t, "/admin/=require /=optional")
	for _, path := range ordinary {
		if got := r.decide([]byte(path)); got != needOptional {
			t.Errorf("%q needs %v, want optional", path, got)
		}
	}
}

func TestPathsWithTooManyReadingsAreSubjectToTheStrictestRule(t *testing.T) {
	r := routesOf(t, "/only/here=require /=off")
	for name, path := range map[string]string{
		"many kinds of oddities":  "/%252e%252e;a/%5c%2f%3f/%c0%af%00b/.%20./x%u002f%23/" + "y%09/%25z",
		"long, with two readings": "/" + strings.Repeat("a%20", 16<<10),
		"many dot segments":       "/%20" + strings.Repeat("/a", 200) + "/..",
	} {
		if got := r.decide([]byte(path)); got != needRequire {
			t.Errorf("%s: needs %v, want require", name, got)
		}
	}
}

func TestAPathThatIsPlainIsDecidedWithoutAllocation(t *testing.T) {
	r := routesOf(t, routeTableRules)
	for _, target := range []string{"/", "/users/17?x=%2f", "/ADMIN/x", "/some/longer/path/to-a_file.v1.txt", "/healthz", "*"} {
		b := []byte(target)
		if n := testing.AllocsPerRun(100, func() { r.decide(b) }); n != 0 {
			t.Errorf("%q: %v allocations, want none", target, n)
		}
	}
}

// TestSearchForReadingsIsBounded counts, since what costs time is readings and
// their bytes.
func TestSearchForReadingsIsBounded(t *testing.T) {
	r := routesOf(t, "/only/here=require /=off")
	for _, path := range hostilePaths() {
		all := readings{routes: r, exact: plainButDots(path), seen: map[string]bool{}, strict: r.laxest}
		all.search(path)
		if len(all.found) > maxReadings+1 || all.size > maxReadingBytes+4*len(path) || all.work > maxReadingWork+4*len(path) {
			t.Errorf("%.40q of %d bytes: %d readings of %d bytes, %d bytes looked at", path, len(path), len(all.found), all.size, all.work)
		}
	}
}

// hostilePaths are as long as a target can be, and as odd.
func hostilePaths() []string {
	var paths []string
	for _, piece := range []string{
		"/..", "/%2e%2e", "/a/%2e%2e", "/../a%20", ";/", "\\", "%25", "%2525", "%00/a", "/./", "//", "%c0%af", "\xc0\xaf", "\xff", "/ſ", "/ß;..%2f", "㏂", "a.php/", " ",
		"%u002f..", "/a:$", "/.%20.", "/%252e%252e%253b", ".php5", "/.php", "/",
	} {
		paths = append(paths, "/"+strings.Repeat(piece, (8<<10-1)/len(piece)), "/%3b"+strings.Repeat(piece, (8<<10-4)/len(piece)),
			"/%5c"+strings.Repeat(piece, (8<<10-8)/len(piece))+"/..")
	}
	return paths
}

func BenchmarkDecide(b *testing.B) {
	r := routesOf(b, routeTableRules)
	for name, path := range map[string]string{"Plain": "/some/longer/path/to-a_file.v1.txt", "Escaped": "/projects/group%2Fproject/a%20b"} {
		b.Run(name, func(b *testing.B) {
			target := []byte(path)
			for b.Loop() {
				r.decide(target)
			}
		})
	}
	b.Run("Hostile", func(b *testing.B) {
		paths := hostilePaths()
		for i := 0; b.Loop(); i++ {
			r.decide([]byte(paths[i%len(paths)]))
		}
	})
}
