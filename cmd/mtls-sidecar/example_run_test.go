//go:build !race

// The scripts build the program themselves, and it is the same each time.

package main_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// The folders of deploy/examples are run as a reader would run them, and what their
// READMEs promise is what came out. The other scenario tests look closer.

// examples are the folders and, beside what testdata/backends has, the modules that
// they need, by folder.
var examples = map[string][]string{
	"restify":                  nil,
	"loopback":                 {"loopback/node_modules/@loopback/rest"},
	"express-gateway-required": {"express-gateway/node_modules/express-gateway"},
	"express-gateway-paths":    {"express-gateway/node_modules/express-gateway"},
	"node-kvp":                 nil,
}

func TestExamplesAnswerAsTheirREADMEsSay(t *testing.T) {
	t.Parallel()
	for name, modules := range examples {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			promised := tableRows(t, exampleFile(t, name, "README.md"))
			got := tableRows(t, runExample(t, name, modules))
			if !slices.Equal(got, promised) {
				t.Errorf("the README's table:\n%s\nthe answers:\n%s", strings.Join(promised, "\n"), strings.Join(got, "\n"))
			}
		})
	}
}

// TestTheComparisonQuotesWhatIsMeasured: each line of the table of both gateways is
// one of an example's README, which the runs are held against.
func TestTheComparisonQuotesWhatIsMeasured(t *testing.T) {
	var measured []string
	for name := range examples {
		measured = append(measured, tableRows(t, exampleFile(t, name, "README.md"))...)
	}
	quoted := tableRows(t, exampleFile(t, "README.md"))
	if len(quoted) < 8 {
		t.Fatalf("found %d lines only", len(quoted))
	}
	for _, row := range quoted {
		if !slices.Contains(measured, row) {
			t.Errorf("no example's README has the line %s", row)
		}
	}
}

func exampleFile(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"..", "..", "deploy", "examples"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// runExample runs an example with the sidecar under test and returns its output.
func runExample(t *testing.T, name string, modules []string) string {
	t.Helper()
	for _, program := range []string{"bash", "openssl", "curl", "node", "http"} {
		need(t, program)
	}
	installed := filepath.Join(backends(t), "node_modules")
	folder, err := filepath.Abs(filepath.Join("..", "..", "deploy", "examples"))
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range modules {
		if _, err := os.Stat(filepath.Join(folder, module)); err != nil {
			part, _, _ := strings.Cut(module, "/")
			missing(t, "%s is not installed: run npm ci in deploy/examples/%s", filepath.Base(module), part)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*hang)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", filepath.Join(folder, name, "run"))
	cmd.Env = append(os.Environ(), "SIDECAR="+binary(t), "NODE_PATH="+installed, "GORACE=halt_on_error=1 atexit_sleep_ms=10")
	// The script stops what it has started.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = hang
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

// tableRows are the lines of the tables in a Markdown text whose first column is
// called request, without heads.
func tableRows(t *testing.T, text string) []string {
	t.Helper()
	var rows []string
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "| request |"):
			inside = true
		case !strings.HasPrefix(line, "|"):
			inside = false
		case inside && !strings.HasPrefix(line, "|---"):
			rows = append(rows, line)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("no table in\n%s", text)
	}
	return rows
}
