package main_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

const pathRules = "/admin/=require /tasks=require /healthz=off /=optional"

// pathRow is a path of testdata/routes/paths.txt, and what it needs.
type pathRow struct{ need, path string }

func pathTable(t *testing.T) []pathRow {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "routes", "paths.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "MTLS_ROUTES='"+pathRules+"'") {
		t.Fatalf("the table is not about %s", pathRules)
	}
	var rows []pathRow
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[0] == "#" {
			continue
		}
		// \xNN is a byte; any other backslash is one.
		path, err := strconv.Unquote(`"` + strings.ReplaceAll(strings.ReplaceAll(fields[1], `\`, `\\`), `\\x`, `\x`) + `"`)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		rows = append(rows, pathRow{fields[0], path})
	}
	return rows
}

// pathVariations are paths to what is guarded, changed in one or two of the ways
// that have let somebody past a gateway.
func pathVariations() []string {
	separators := []string{
		"//", "/./", "%2f", "%252f", `\`, "%5c", ";/", ";x=1/", "/;/", "%c0%af", "%e0%80%af", "%ef%bc%8f", "%u002f", "%00/", "%20/", "./",
		"/x/../", "/x/%2e%2e/", "/x%2f..%2f", "/x/..;/", "/x//../", `\x\..\`, "/x/.%2e/", "/%2e/", "/x/..%00/", "/x/%c0%ae%c0%ae/", "/x/%252e%252e/",
	}
	prefixes := []string{"", "/", "//x", `/\x`, "/.", "/..", "/x/..", "/x/%2e%2e", "/;x", "/index.php", "//x:80", "/%2f/x", "/x/..;", "/%09", "/%5cx", "http://localhost"}
	endings := []string{"", "/", "%00", ";x", "%20", "%09", ".", "%2e", "?x", "%3f", "%23", "%0a", "::$DATA", "/.", "/x/..", "%2f", `\`, "%5c", "%ff", "%c2%a0", "/%2e%2e/admin"}
	letters := [][2]string{
		{"a", "%61"}, {"a", "A"}, {"a", "%41"}, {"a", "%2561"}, {"a", "%u0061"}, {"a", "%ef%bd%81"}, {"a", "%c3%a1"}, {"a", "%c1%a1"}, {"a", "a%cc%81"},
		{"s", "%c5%bf"}, {"k", "%e2%84%aa"}, {"i", "%c4%b1"}, {"i", "%c4%b0"}, {"a", "a%e2%80%8b"}, {"a", "a%ff"}, {"a", "a%01"}, {"a", "a%0a"}, {"a", "%f0%9d%90%9a"},
	}
	var paths []string
	for _, segments := range [][]string{{"admin", "secret.txt"}, {"admin"}, {"tasks"}} {
		whole := "/" + strings.Join(segments, "/")
		for _, before := range prefixes {
			for _, after := range endings {
				paths = append(paths, before+whole+after)
			}
		}
		for _, one := range separators {
			path := "/" + strings.Join(segments, one)
			paths = append(paths, path, one+strings.Join(segments, "/"))
			for _, other := range separators {
				paths = append(paths, strings.Replace(other+strings.Join(segments, one), "x", "y", 1))
			}
			for _, l := range letters {
				paths = append(paths, strings.Replace(path, l[0], l[1], 1))
			}
		}
		for _, l := range letters {
			paths = append(paths, strings.Replace(whole, l[0], l[1], 1), strings.ReplaceAll(whole, l[0], l[1]))
		}
	}
	// What begins neither with a slash nor with a scheme is no target.
	paths = slices.DeleteFunc(paths, func(p string) bool { return p[0] != '/' && p[0] != 'h' })
	slices.Sort(paths)
	return slices.Compact(paths)
}

// randomPaths are made of pieces that mean something to somebody, the same in
// every run.
func randomPaths(n int) []string {
	pieces := strings.Fields(`/ / / / // admin admin tasks x secret .. .. . ... %2e %2e%2e %2f %5c \ ; ;a=b ..; %3b %00 %25 %252e %252f %c0%af %c0%ae
		%ef%bc%8f %ef%bc%8e %09 %20 %0a ? %3f %23 .php .txt %61dmin a%64min ADMIN ta%c5%bfks %u002f %u0061 %ff %c3%a1 %e2%80%8b : @ ~ $ + = & %zz % index.php`)
	random := rand.New(rand.NewPCG(7, 11))
	paths := make([]string, n)
	for i := range paths {
		paths[i] = "/"
		for range 2 + random.IntN(7) {
			paths[i] += pieces[random.IntN(len(pieces))]
		}
	}
	return paths
}

func pathRequest(path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
}

// askPath sends a path as it is to an application and reports whether the answer
// gives away what is guarded.
func askPath(s pathServer, path string) (bool, error) {
	conn, err := net.DialTimeout("tcp", s.addr, hang)
	if err != nil {
		return false, fmt.Errorf("%s is gone: %w", s.name, err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(hang))
	_, _ = io.WriteString(conn, pathRequest(path)) // an application that has had enough has answered
	answer, err := io.ReadAll(conn)
	if os.IsTimeout(err) {
		return false, fmt.Errorf("%s does not answer about %q: %w", s.name, path, err)
	}
	return strings.Contains(string(answer), pathMarker), nil
}

// takenFor are the paths for which an application gives away what is guarded.
func takenFor(t *testing.T, s pathServer, paths []string) []string {
	var taken []string
	for _, path := range paths {
		gives, err := askPath(s, path)
		if err != nil {
			t.Error(err)
			return taken
		}
		if gives {
			taken = append(taken, path)
		}
	}
	return taken
}

// together calls do for every item, several at a time.
func together[T any](items []T, do func(T)) {
	queue := make(chan T)
	var workers sync.WaitGroup
	for range 6 {
		workers.Go(func() {
			for item := range queue {
				do(item)
			}
		})
	}
	for _, item := range items {
		queue <- item
	}
	close(queue)
	workers.Wait()
}

// gates runs sidecars with routes before applications.
type gates struct {
	dir      string
	believed tls.Certificate
	nobody   client
}

func newGates(t *testing.T) gates {
	m := newMint(t)
	return gates{believed: m.leaf(m.good, pki.Options{}), dir: m.files(), nobody: client{version: tls.VersionTLS13}}
}

func (g gates) start(t *testing.T, rules, application string) *sidecar {
	t.Helper()
	return startSidecar(t, oracleSettings(g.dir, application, setting{verify: "optional", depth: "10"}).
		with(settings{"MTLS_ROUTES": rules}))
}

// TestNoReadingOfAPathGetsPastRoutes asks real applications what they make of
// paths, and the real sidecar what it requires for them: whatever any application
// gives away, a certificate was required for.
func TestNoReadingOfAPathGetsPastRoutes(t *testing.T) {
	t.Parallel()
	servers := startPathServers(t)
	g := newGates(t)
	t.Run("InTheTable", func(t *testing.T) { g.table(t, servers) })
	t.Run("InVariations", func(t *testing.T) { g.variations(t, servers) })
	t.Run("BehindTheSidecar", func(t *testing.T) { g.behind(t, servers) })
}

// status is the sidecar's answer to a client without a certificate.
func (g gates) status(t *testing.T, car *sidecar, path string) int {
	status, _, _ := g.nobody.once(t, car.addr, pathRequest(path))
	return status
}

// table checks the sidecar against what the table says, and the table against
// the applications.
func (g gates) table(t *testing.T, servers []pathServer) {
	rows := pathTable(t)
	car := g.start(t, pathRules, startRecorder(t).addr)
	together(rows, func(row pathRow) {
		status := g.status(t, car, row.path)
		want := 200
		switch {
		case row.path[0] != '/':
			want = 400
		case row.need == "require":
			want = 403
		}
		if status != want {
			t.Errorf("%q: without a certificate %d, want %d: it needs %s", row.path, status, want, row.need)
		}
	})
	needs := map[string]string{}
	var paths []string
	for _, row := range rows {
		needs[row.path] = row.need
		paths = append(paths, row.path)
	}
	together(servers, func(s pathServer) {
		taken := takenFor(t, s, paths)
		t.Logf("%-36s reads %3d of %d paths as guarded ones", s.name, len(taken), len(rows))
		if len(taken) == 0 {
			t.Errorf("%s never gives anything away: it tests nothing", s.name)
		}
		for _, path := range taken {
			if needs[path] != "require" {
				t.Errorf("%s gives away what is guarded for %q, which needs %s", s.name, path, needs[path])
			}
		}
	})
}

// variations wants a certificate required for every one of them, and asks about
// those random paths that the sidecar lets anybody have.
func (g gates) variations(t *testing.T, servers []pathServer) {
	car := g.start(t, pathRules, startRecorder(t).addr)
	varied, random := pathVariations(), randomPaths(200)
	var mu sync.Mutex
	open := map[string]bool{}
	together(slices.Concat(varied, random), func(path string) {
		switch status := g.status(t, car, path); status {
		case 403:
		case 200:
			mu.Lock()
			defer mu.Unlock()
			open[path] = true
		default:
			t.Errorf("%q: got status %d", path, status)
		}
	})
	for _, path := range varied {
		if open[path] {
			t.Errorf("%q needs no certificate", path)
		}
	}
	random = slices.Sorted(maps.Keys(open))
	t.Logf("%d random paths need no certificate", len(random))
	if len(random) < 50 {
		t.Error("so few test little")
	}
	together(servers, func(s pathServer) {
		for _, path := range takenFor(t, s, random) {
			t.Errorf("%s gives away what is guarded for %q, which needs no certificate", s.name, path)
		}
	})
}

// behind asks some of the applications through the sidecar.
func (g gates) behind(t *testing.T, servers []pathServer) {
	rows := pathTable(t)
	for _, s := range servers {
		if !slices.Contains([]string{
			"express", "express.static", "restify, sanitised", "node new URL", "node windows", "werkzeug", "bottle", "http.server",
			"go ServeMux", "go FileServer", "nginx", "apache",
		}, s.name) {
			continue
		}
		t.Run(strings.NewReplacer(" ", "", ",", "", ".", "").Replace(s.name), func(t *testing.T) {
			t.Parallel()
			car := g.start(t, "/admin/=require /tasks=require /=optional", s.addr)
			together(rows, func(row pathRow) {
				if _, _, body := g.nobody.once(t, car.addr, pathRequest(row.path)); strings.Contains(body, pathMarker) {
					t.Errorf("%q gives away what is guarded to a client without a certificate", row.path)
				}
			})
			believed := client{cert: &g.believed, version: tls.VersionTLS13}
			if status, _, body := believed.once(t, car.addr, pathRequest("/admin/secret")); !strings.Contains(body, pathMarker) {
				t.Errorf("a believed client does not get what is guarded: %d\n%s", status, body)
			}
		})
	}
}
