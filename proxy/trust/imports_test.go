package trust

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Deciding is pure: only the file that reads bundles may touch the system, and
// nothing here may touch the network, log, or import another package of ours.
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
			reads := path == "os" || strings.HasPrefix(path, "io/") || path == "path/filepath"
			root, _, _ := strings.Cut(path, "/")
			switch {
			case root == "net" || root == "log" || root == "syscall" || path == "unsafe":
				t.Errorf("%s imports %s", file, path)
			case reads && file != "bundle.go":
				t.Errorf("%s imports %s: only bundle.go reads files", file, path)
			case strings.Contains(root, ".") || root == "mtls-sidecar":
				t.Errorf("%s imports %s: the standard library only", file, path)
			}
		}
	}
}
