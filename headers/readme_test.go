package headers

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var inCode = regexp.MustCompile("`([^`]*)`")

// readmeRows are the first cell and all code of each table row of the README whose first cell begins with code.
func readmeRows(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		for _, first := range inCode.FindAllStringSubmatch(cells[1], -1) {
			for _, code := range inCode.FindAllStringSubmatch(line, -1) {
				rows[first[1]] = append(rows[first[1]], code[1])
			}
		}
	}
	return rows
}

func TestTheReadmeListsEveryPresetWithItsHeaders(t *testing.T) {
	rows := readmeRows(t)
	for _, p := range presets {
		row, listed := rows[p.name]
		if !listed {
			t.Errorf("preset %s is not in the README", p.name)
			continue
		}
		for _, name := range template(t, p.name).Names() {
			shown := slices.ContainsFunc(row, func(code string) bool {
				return code == name || strings.HasPrefix(code, "-") && strings.HasSuffix(name, code)
			})
			if !shown {
				t.Errorf("preset %s: the README does not show %s", p.name, name)
			}
		}
	}
}

func TestTheReadmeListsEveryVariableAndNoOther(t *testing.T) {
	var listed []string
	for first := range readmeRows(t) {
		for _, prefix := range []string{"$", "…_"} {
			if name, isVariable := strings.CutPrefix(first, prefix); isVariable {
				listed = append(listed, strings.TrimPrefix(name, "ssl_client_"))
			}
		}
	}
	for _, name := range variableNames() {
		if !slices.Contains(listed, strings.TrimPrefix(name, "ssl_client_")) {
			t.Errorf("$%s is not in the README", name)
		}
	}
	for _, name := range listed {
		if findVariable(name, false) == nil && findVariable("ssl_client_"+name, false) == nil {
			t.Errorf("the README lists $%s, which is no variable", name)
		}
	}
}
