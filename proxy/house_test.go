package proxy

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The rules of the house that a machine can check.

// goFile is one Go file of the module.
type goFile struct {
	path   string // relative to the module
	folder string // the package, likewise
	test   bool
	lines  int
	file   *ast.File
}

type house struct {
	fset  *token.FileSet
	files []goFile
}

// readHouse parses every Go file of the module.
func readHouse(t *testing.T) house {
	t.Helper()
	h := house{fset: token.NewFileSet()}
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == "node_modules" || strings.HasPrefix(entry.Name(), ".") && path != "."):
			return fs.SkipDir
		case entry.IsDir() && path != ".":
			if _, err := fs.Stat(root, path+"/go.mod"); err == nil {
				return fs.SkipDir // another module
			}
			return nil
		case entry.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		text, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(h.fset, path, text, parser.ParseComments)
		if err != nil {
			return err
		}
		h.files = append(h.files, goFile{path, filepath.ToSlash(filepath.Dir(path)), strings.HasSuffix(path, "_test.go"), strings.Count(string(text), "\n"), file})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(h.files) < 50 {
		t.Fatalf("found %d files only: is the module's root not the folder above?", len(h.files))
	}
	return h
}

func (h house) at(n ast.Node) string { return h.fset.Position(n.Pos()).String() }

// imports are the import paths of a file.
func (s goFile) imports() []string {
	var all []string
	for _, spec := range s.file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		all = append(all, path)
	}
	return all
}

const module = "mtls-sidecar"

// arrows are the packages of ours that each folder may import. A folder that is
// not listed is new: say here what it may know.
var arrows = map[string][]string{
	"cmd/mtls-sidecar": {"proxy", "proxy/pki"},
	"cmd/bench":        {"proxy", "proxy/pki", "cmd/bench/soak"},
	"cmd/bench/soak":   {"proxy/pki"},
	"proxy":            {"proxy/trust", "proxy/http1", "proxy/upstream", "proxy/admin", "headers"},
	"proxy/upstream":   {"proxy/http1"},
	"proxy/admin":      {},
	"proxy/trust":      {},
	"proxy/http1":      {},
	"proxy/pki":        {},
	"headers":          {},
}

// standardOnly are the folders that import nothing but the standard library.
var standardOnly = []string{"headers", "proxy/http1"}

func TestArrowsRunOneWay(t *testing.T) {
	for _, s := range readHouse(t).files {
		allowed, known := arrows[s.folder]
		if !known {
			t.Errorf("%s: nothing says what the folder %s may import", s.path, s.folder)
			continue
		}
		for _, path := range s.imports() {
			ours, isOurs := strings.CutPrefix(path, module+"/")
			switch {
			case isOurs && s.test && (ours == "proxy/pki" || ours == s.folder):
				// Certificates for tests, and tests from outside the package.
			case isOurs && !slices.Contains(allowed, ours):
				t.Errorf("%s imports %s, which %s must not know", s.path, ours, s.folder)
			case !isOurs && !s.test && slices.Contains(standardOnly, s.folder) && strings.Contains(strings.Split(path, "/")[0], "."):
				t.Errorf("%s imports %s: %s lives on the standard library", s.path, path, s.folder)
			}
		}
	}
}

func TestParsersKnowNoSockets(t *testing.T) {
	for _, s := range readHouse(t).files {
		for _, path := range s.imports() {
			switch {
			case s.test:
			case s.folder == "proxy/http1" && path == "crypto/tls", // headers tells of a connection, and opens none
				(s.folder == "headers" || s.folder == "proxy/http1") && (path == "net" || path == "os" || path == "net/http"),
				s.path == "proxy/trust/verify.go" && (path == "net" || path == "os" || path == "net/http"):
				t.Errorf("%s imports %s", s.path, path)
			case path == "net/http/httputil", path == "unsafe", path == "log":
				t.Errorf("%s imports %s", s.path, path)
			}
		}
	}
}

func TestEveryPackageHasOnePackageComment(t *testing.T) {
	comments := map[string][]string{}
	for _, s := range readHouse(t).files {
		if s.file.Doc != nil {
			comments[s.folder] = append(comments[s.folder], s.path)
		} else if comments[s.folder] == nil {
			comments[s.folder] = []string{}
		}
	}
	for folder, files := range comments {
		if len(files) != 1 {
			t.Errorf("%s has its package comment in %q, want one file", folder, files)
		}
	}
}

// banned are the calls that have no place in a file, with the reason.
func banned(s goFile, call string) string {
	switch call {
	case "os.Exit", "panic", "log.Fatal", "log.Fatalf", "log.Fatalln", "log.Panic", "log.Panicf":
		if s.test || (strings.HasPrefix(s.path, "cmd/") && strings.HasSuffix(s.path, "/main.go")) {
			return ""
		}
		return "ends the program: return an error"
	case "time.Sleep":
		if s.test {
			return "makes a test slow or wrong: wait for the event"
		}
	case "httputil.NewSingleHostReverseProxy":
		return "is replaced by our own relay"
	}
	return ""
}

func TestNobodyEndsTheProgramSleepsInTestsOrSkipsVerification(t *testing.T) {
	h := readHouse(t)
	for _, s := range h.files {
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if why := banned(s, calledName(n.Fun)); why != "" {
					t.Errorf("%s: %s %s", h.at(n), calledName(n.Fun), why)
				}
			case *ast.KeyValueExpr:
				if name, ok := n.Key.(*ast.Ident); ok && name.Name == "VerifyPeerCertificate" {
					t.Errorf("%s: VerifyPeerCertificate is not called for resumed sessions", h.at(n))
				}
			case *ast.SelectorExpr:
				if n.Sel.Name == "VerifyPeerCertificate" || n.Sel.Name == "ReverseProxy" {
					t.Errorf("%s: %s has no place here", h.at(n), n.Sel.Name)
				}
			}
			return true
		})
	}
}

func calledName(fun ast.Expr) string {
	switch f := fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + f.Sel.Name
		}
	}
	return ""
}

// Sizes above which a file or a function has more than one idea.
const (
	maxFileLines     = 400
	maxFunctionLines = 60
	maxParameters    = 4 // without a context
	maxMethods       = 3
)

func TestFilesAndFunctionsStaySmall(t *testing.T) {
	h := readHouse(t)
	for _, s := range h.files {
		if s.test {
			continue
		}
		functions := 0
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				functions++
				if lines := h.fset.Position(n.End()).Line - h.fset.Position(n.Pos()).Line + 1; lines > maxFunctionLines {
					t.Errorf("%s: %s has %d lines, want at most %d", h.at(n), n.Name.Name, lines, maxFunctionLines)
				}
			case *ast.FuncType:
				if count := parameters(n); count > maxParameters {
					t.Errorf("%s: a function of %d parameters, want at most %d", h.at(n), count, maxParameters)
				}
			case *ast.InterfaceType:
				if count := n.Methods.NumFields(); count > maxMethods {
					t.Errorf("%s: an interface of %d methods, want at most %d", h.at(n), count, maxMethods)
				}
			}
			return true
		})
		// A file without a function is a table.
		if s.lines > maxFileLines && functions > 0 {
			t.Errorf("%s has %d lines, want at most %d", s.path, s.lines, maxFileLines)
		}
	}
}

func parameters(f *ast.FuncType) int {
	count := f.Params.NumFields()
	for _, field := range f.Params.List {
		if selector, ok := field.Type.(*ast.SelectorExpr); ok && fmt.Sprint(selector.X)+"."+selector.Sel.Name == "context.Context" {
			count--
		}
	}
	return count
}
