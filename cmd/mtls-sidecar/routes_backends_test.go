package main_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Applications that guard nothing by themselves, and what each makes of a path.
// What is meant for believed clients alone is under /admin/ and at /tasks.

// pathMarker is in every answer that only a believed client may see.
const pathMarker = "PROTECTED"

// pathServer is one such application.
type pathServer struct{ name, addr string }

// servedFolder is what those of them that serve files serve. Apache drops root's
// rights before it reads.
func servedFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, folder := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "admin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"index.html": "open\n", "admin/secret": pathMarker, "admin/secret.txt": pathMarker, "admin/index.html": pathMarker, "tasks": pathMarker,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// startPathServers runs all there are: Go's are always there.
func startPathServers(t *testing.T) []pathServer {
	t.Helper()
	root := servedFolder(t)
	all := goPathServers(t, root)
	for _, peer := range []struct {
		name  string
		start func(t *testing.T, root string) []pathServer
		lacks error
	}{
		{"Node", nodePathServers, lacksProgram("node", filepath.Join("..", "..", "testdata", "backends", "node_modules", "restify"))},
		{"Python", pythonPathServers, lacksPython("bottle", "werkzeug")},
		{"nginx", nginxPathServers, lacksProgram("nginx")},
		{"Apache", apachePathServers, lacksProgram("apache2")},
	} {
		switch {
		case peer.lacks == nil:
			all = append(all, peer.start(t, root)...)
		case required():
			t.Fatalf("TEST_REQUIRE=1, but %s is not to be had: %v", peer.name, peer.lacks)
		default:
			t.Logf("without %s: %v", peer.name, peer.lacks)
		}
	}
	return all
}

// lacksProgram says which of a program and files of it is missing.
func lacksProgram(program string, files ...string) error {
	if _, err := lookup(program); err != nil {
		return err
	}
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			return err
		}
	}
	return nil
}

// lacksPython says whether Debian's Python and its packages are missing.
func lacksPython(modules ...string) error {
	if out, err := exec.Command("/usr/bin/python3", "-c", "import "+strings.Join(modules, ", ")).CombinedOutput(); err != nil {
		return fmt.Errorf("/usr/bin/python3 with python3-%s: %w\n%s", strings.Join(modules, " and python3-"), err, out)
	}
	return nil
}

func nodePathServers(t *testing.T, root string) []pathServer {
	t.Helper()
	return pathProgram(t, "paths.js", exec.Command(need(t, "node"), filepath.Join(backends(t), "paths.js"), root))
}

func pythonPathServers(t *testing.T, root string) []pathServer {
	t.Helper()
	return pathProgram(t, "paths.py", exec.Command("/usr/bin/python3", filepath.Join("..", "..", "testdata", "backends", "paths.py"), root))
}

func nginxPathServers(t *testing.T, root string) []pathServer {
	t.Helper()
	return fileServers(t, "nginx", root, "nginx", "nginx, slashes not merged", "nginx, locations")
}

func apachePathServers(t *testing.T, root string) []pathServer {
	t.Helper()
	return fileServers(t, "apache", root, "apache", "apache, encoded slashes on", "apache, encoded slashes kept")
}

// pathProgram starts a program that tells of each of its servers in a line.
func pathProgram(t *testing.T, name string, cmd *exec.Cmd) []pathServer {
	t.Helper()
	p := start(t, name, cmd)
	var servers []pathServer
	for read, want := 0, 1; len(servers) < want; {
		l, next, err := p.find(read, func(l line) bool { return !l.stderr })
		if err != nil {
			t.Fatalf("waiting for the servers of %s: %v\n%s", name, err, p.tail(40))
		}
		read = next
		var said struct {
			Name          string
			Listening, Of int
		}
		if err := json.Unmarshal([]byte(l.text), &said); err != nil {
			t.Fatalf("%s wrote %q: %v", name, l.text, err)
		}
		servers, want = append(servers, pathServer{said.Name, fmt.Sprintf("127.0.0.1:%d", said.Listening)}), said.Of
	}
	return servers
}

// fileServers runs nginx or Apache with the addresses of its configuration.
func fileServers(t *testing.T, program, root string, names ...string) []pathServer {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "conf")
	path, args := "nginx", []string{"-p", dir, "-c", config}
	if program == "apache" {
		path, args = "apache2", []string{"-D", "FOREGROUND", "-f", config}
	}
	for range 5 {
		var servers []pathServer
		var addrs []string
		for i, port := range freePorts(t, len(names)) {
			addrs = append(addrs, fmt.Sprintf("127.0.0.1:%d", port))
			servers = append(servers, pathServer{names[i], addrs[i]})
		}
		writeTemplate(t, filepath.Join("..", "..", "testdata", "routes", program+".conf.tmpl"), config, map[string]any{"Dir": dir, "Root": root, "Addrs": addrs})
		p := start(t, program, exec.Command(need(t, path), args...))
		if !slices.ContainsFunc(addrs, func(addr string) bool { return !p.listens(addr) }) {
			return servers
		}
	}
	t.Fatalf("%s did not start", program)
	return nil
}

// goPathServers are those that Go's standard library makes easy to write.
func goPathServers(t *testing.T, root string) []pathServer {
	secret := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, pathMarker) }
	mux := http.NewServeMux()
	mux.HandleFunc("/admin/", secret)
	mux.HandleFunc("/admin", secret)
	mux.HandleFunc("/tasks", secret)
	wild := http.NewServeMux()
	wild.HandleFunc("/{area}/{page...}", func(w http.ResponseWriter, r *http.Request) {
		if guardedPath("/" + r.PathValue("area")) {
			secret(w, r)
		}
	})
	return append([]pathServer{
		goPathServer(t, "go ServeMux", mux),
		goPathServer(t, "go ServeMux, wildcards", wild),
		goPathServer(t, "go FileServer", http.FileServer(http.Dir(root))),
	}, goPathReaders(t)...)
}

// goPathReaders look at the path by themselves.
func goPathReaders(t *testing.T) []pathServer {
	var servers []pathServer
	for name, read := range map[string]func(r *http.Request) string{
		"URL.Path":                func(r *http.Request) string { return r.URL.Path },
		"EscapedPath":             func(r *http.Request) string { return r.URL.EscapedPath() },
		"cleaned":                 func(r *http.Request) string { return path.Clean("/" + r.URL.Path) },
		"joined":                  func(r *http.Request) string { return path.Join("/", strings.ReplaceAll(r.URL.Path, `\`, "/")) },
		"url.Parse of RequestURI": func(r *http.Request) string { return parsedPath(r.RequestURI) },
		"url.Parse of Path":       func(r *http.Request) string { return path.Clean(parsedPath(r.URL.Path)) },
		"decoded twice":           func(r *http.Request) string { return path.Clean(decodedOnce(r.URL.Path)) },
		"decoded four times": func(r *http.Request) string {
			return path.Clean(decodedOnce(decodedOnce(decodedOnce(r.URL.Path))))
		},
		"upper case": func(r *http.Request) string { return strings.ToLower(strings.ToUpper(r.URL.Path)) },
		"EqualFold": func(r *http.Request) string {
			for _, guarded := range []string{"/admin", "/tasks"} {
				if strings.EqualFold(r.URL.Path, guarded) {
					return guarded
				}
			}
			return ""
		},
		"valid UTF-8": func(r *http.Request) string { return strings.ToValidUTF8(r.URL.Path, "") },
		"trimmed": func(r *http.Request) string {
			segments := strings.Split(r.URL.Path, "/")
			for i := range segments {
				segments[i] = strings.TrimSpace(segments[i])
			}
			return path.Join("/", path.Join(segments...))
		},
		"decoded, parameters removed": func(r *http.Request) string {
			segments := strings.Split(r.URL.Path, "/")
			for i := range segments {
				segments[i], _, _ = strings.Cut(segments[i], ";")
			}
			return path.Join("/", path.Join(segments...))
		},
		"Windows' endings": func(r *http.Request) string {
			segments := strings.Split(r.URL.Path, "/")
			for i, s := range segments {
				if s != "." && s != ".." {
					segments[i] = strings.TrimRight(s, ". ")
				}
			}
			return path.Join("/", path.Join(segments...))
		},
		"PATH_INFO of a script": func(r *http.Request) string {
			_, below, _ := strings.Cut(r.URL.Path, ".php")
			return below
		},
	} {
		servers = append(servers, goPathServer(t, "go "+name, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if guardedPath(read(r)) {
				fmt.Fprintln(w, pathMarker)
			}
		})))
	}
	return servers
}

func guardedPath(p string) bool {
	return p == "/admin" || strings.HasPrefix(p, "/admin/") || p == "/tasks"
}

func parsedPath(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Path
}

// decodedOnce is the text itself where it cannot be decoded.
func decodedOnce(text string) string {
	if decoded, err := url.PathUnescape(text); err == nil {
		return decoded
	}
	return text
}

func goPathServer(t *testing.T, name string, handler http.Handler) pathServer {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return pathServer{name, server.Listener.Addr().(*net.TCPAddr).String()}
}
