package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// These tests look at the program from outside: the binary is built once, runs
// beside real peers (curl, openssl, nginx, Node), and what the application saw
// is what counts.

// workshop holds what a whole test run shares: a folder, and the binary in it.
type workshop struct {
	dir   string
	build func() (string, error)
}

// shop is set once by TestMain, before any test runs.
var shop workshop

func TestMain(m *testing.M) {
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "mtls-sidecar-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	shop = workshop{dir: dir, build: sync.OnceValues(func() (string, error) { return buildBinary(dir) })}
	return m.Run()
}

// buildBinary compiles the program as the image does, or with the race
// detector when the tests have it themselves.
func buildBinary(dir string) (string, error) {
	path := filepath.Join(dir, "mtls-sidecar")
	args := []string{"build", "-trimpath", "-buildvcs=false", "-o", path}
	env := append(os.Environ(), "CGO_ENABLED=0")
	if raceEnabled {
		args = append(args, "-race")
		env = append(os.Environ(), "CGO_ENABLED=1")
	}
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return path, nil
}

// binary returns the path of the program under test.
func binary(t *testing.T) string {
	t.Helper()
	path, err := shop.build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// required reports whether a missing peer is a failure, as it is in CI, rather
// than a reason to skip.
func required() bool { return os.Getenv("TEST_REQUIRE") == "1" }

// missing skips the test for want of a peer, or fails it where all must run.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if required() {
		t.Fatalf("TEST_REQUIRE=1, but "+format, args...)
	}
	t.Skipf(format, args...)
}

// need returns the path of an outside program.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := lookup(program)
	if err != nil {
		missing(t, "%s is not installed", program)
	}
	return path
}

// lookup also looks where Debian keeps servers, which the PATH of an ordinary
// account lacks.
func lookup(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		path, err = exec.LookPath(filepath.Join("/usr/sbin", program))
	}
	return path, err
}

// backends returns the folder with the Node applications, once npm ci has been
// run in it.
func backends(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "testdata", "backends"))
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range []string{"express", "restify"} {
		if _, err := os.Stat(filepath.Join(dir, "node_modules", module)); err != nil {
			missing(t, "%s is not installed: run npm ci in testdata/backends", module)
		}
	}
	return dir
}

// command runs an outside program to its end in dir and returns its standard
// output. The words of the line are separated by white space, without quoting.
func command(t *testing.T, dir, line string) string {
	t.Helper()
	words := strings.Fields(line)
	cmd := exec.Command(need(t, words[0]), words[1:]...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, stderr.Bytes())
	}
	return string(out)
}

// commands runs each line of a script as command does.
func commands(t *testing.T, dir, script string) {
	t.Helper()
	for line := range strings.Lines(script) {
		if strings.TrimSpace(line) != "" {
			command(t, dir, line)
		}
	}
}
