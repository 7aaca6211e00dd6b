package proxy

import (
	"go/ast"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// reasonsOfDenials are the literal reasons that denials are made with.
func reasonsOfDenials(t *testing.T) []string {
	t.Helper()
	var reasons []string
	for _, s := range readHouse(t).files {
		if s.folder != "proxy" || s.test {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "reason" {
					reasons = append(reasons, literals(n.Value)...)
				}
			case *ast.AssignStmt:
				for i, left := range n.Lhs {
					if name, ok := left.(*ast.Ident); ok && name.Name == "reason" && i < len(n.Rhs) {
						reasons = append(reasons, literals(n.Rhs[i])...)
					}
				}
			}
			return true
		})
	}
	if !slices.Contains(reasons, "http2_flood") || !slices.Contains(reasons, "proxy_header_bad") {
		t.Fatalf("found no more than %q", reasons)
	}
	return reasons
}

func literals(e ast.Expr) []string {
	if literal, ok := e.(*ast.BasicLit); ok && literal.Kind == token.STRING {
		text, _ := strconv.Unquote(literal.Value)
		return []string{text}
	}
	return nil
}

// keylessFields are zap's constructors without a name of their own.
var keylessFields = []string{"zap.New", "zap.Inline", "zap.Skip", "zap.DictObject", "zap.RedirectStdLogAt", "zap.NewStdLogAt",
	"zap.NewAtomicLevelAt", "zap.ErrorOutput", "zap.NewProductionEncoderConfig", "zap.NewNop"}

// keyGivenBy are functions that are given a field's name by those who call them.
var keyGivenBy = []string{"listsField", "addText"}

// loggedNames are the names of all fields that the code logs, and where.
func loggedNames(t *testing.T) map[string]string {
	t.Helper()
	h := readHouse(t)
	constants := map[string]string{}
	for _, s := range h.files {
		if s.folder == "proxy" && !s.test {
			for _, spec := range constantsOf(s.file) {
				for i, name := range spec.Names {
					if i < len(spec.Values) {
						for _, text := range literals(spec.Values[i]) {
							constants[name.Name] = text
						}
					}
				}
			}
		}
	}
	names := map[string]string{}
	for _, s := range h.files {
		if s.test || s.folder != "proxy" && s.folder != "proxy/admin" && s.folder != "cmd/mtls-sidecar" {
			continue
		}
		inside := ""
		ast.Inspect(s.file, func(n ast.Node) bool {
			if f, ok := n.(*ast.FuncDecl); ok {
				inside = f.Name.Name
			}
			call, ok := n.(*ast.CallExpr)
			if !ok || !namesAField(call) {
				return true
			}
			found := literals(call.Args[keyAt(call)])
			if name, ok := call.Args[keyAt(call)].(*ast.Ident); ok && constants[name.Name] != "" {
				found = []string{constants[name.Name]}
			}
			if len(found) == 0 && !slices.Contains(keyGivenBy, inside) && inside != "MarshalLogObject" {
				t.Errorf("%s: the name of a field is no constant", h.at(call))
			}
			for _, name := range found {
				names[name] = h.at(call)
			}
			return true
		})
	}
	return names
}

func constantsOf(file *ast.File) []*ast.ValueSpec {
	var specs []*ast.ValueSpec
	for _, decl := range file.Decls {
		if group, ok := decl.(*ast.GenDecl); ok && group.Tok == token.CONST {
			for _, spec := range group.Specs {
				specs = append(specs, spec.(*ast.ValueSpec))
			}
		}
	}
	return specs
}

// namesAField reports whether a call makes a field of the log.
func namesAField(call *ast.CallExpr) bool {
	name := calledName(call.Fun)
	if slices.Contains(keyGivenBy, name) {
		return true
	}
	if maker, ok := strings.CutPrefix(name, "zap."); ok {
		return maker != "" && len(call.Args) > 0 && !slices.Contains(keylessFields, name)
	}
	return strings.HasPrefix(name, "enc.Add")
}

// keyAt is which argument is the name.
func keyAt(call *ast.CallExpr) int {
	if calledName(call.Fun) == "addText" {
		return 1
	}
	return 0
}

// The README's table of fields has their names in its first column.
var fieldRow = regexp.MustCompile("(?m)^\\| ((?:`[^`]+`(?:, )?)+) \\|")

func TestEveryFieldOfTheLogIsInTheREADME(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Logs\n")
	if !found {
		t.Fatal("the README has no section Logs")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	documented := map[string]bool{"time": true, "level": true, "msg": true} // zap's own, in the text
	for _, row := range fieldRow.FindAllStringSubmatch(section, -1) {
		for name := range strings.SplitSeq(row[1], ", ") {
			documented[strings.Trim(name, "`")] = true
		}
	}
	names := loggedNames(t)
	for name, at := range names {
		if !documented[name] {
			t.Errorf("%s: the field %q is not in the README's table", at, name)
		}
	}
	for name := range documented {
		if names[name] == "" && name != "time" && name != "level" && name != "msg" {
			t.Errorf("the README has the field %q, which nobody logs", name)
		}
	}
}
