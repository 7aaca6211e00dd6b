package trust

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// reaching are the imports that reach the system or the network, or come from
// elsewhere, and the only files that may have them: deciding is pure. Lists and
// answers are fetched by two files; those beside them speak of URLs and errors.
var reaching = map[string][]string{
	"os":                       {"bundle.go", "crlfiles.go", "folder.go"},
	"io/fs":                    {"bundle.go", "crlfiles.go", "folder.go"},
	"path/filepath":            {"bundle.go", "crlfiles.go", "folder.go"},
	"net":                      {"ocspfetch.go"},
	"net/http":                 {"crlfetch.go", "crlfetcherror.go", "ocspfetch.go"},
	"net/netip":                {"ocsp.go", "ocspfetch.go"},
	"net/url":                  {"crlfetch.go", "crlfetcherror.go", "ocspfetch.go", "ocsprequest.go"},
	"syscall":                  {"ocspfetch.go"}, // a type in the signature of net.Dialer.ControlContext
	"crypto/tls":               {"crlfetch.go", "crlfetcherror.go"},
	"golang.org/x/crypto/ocsp": {"ocsp*.go"},
}

func TestDecidingNeedsNeitherNetworkNorFiles(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no source files: %v", err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			allowed, known := reaching[path]
			root, _, _ := strings.Cut(path, "/")
			outside := root == "net" || root == "os" || root == "log" || path == "syscall" || path == "unsafe" ||
				strings.HasPrefix(path, "io/") || strings.Contains(root, ".") || root == "mtls-sidecar"
			switch {
			case known && !slices.ContainsFunc(allowed, func(pattern string) bool {
				fits, err := filepath.Match(pattern, file)
				return err == nil && fits
			}):
				t.Errorf("%s imports %s: only %q may", file, path, allowed)
			case !known && outside:
				t.Errorf("%s imports %s: this package reaches neither files nor the network, and takes nothing from elsewhere", file, path)
			}
		}
	}
}
