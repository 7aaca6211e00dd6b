package main_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// The image cannot be built without a container engine; its parts can.

// instructions returns the Dockerfile's instructions, continued lines joined.
func instructions(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(string(data), "")
	var list []string
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", "")) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			list = append(list, line)
		}
	}
	return list
}

func TestImageRunsWithoutRootOrShell(t *testing.T) {
	list := instructions(t)
	stage := 0
	for i, line := range list {
		if strings.HasPrefix(line, "FROM ") {
			stage = i
		}
	}
	for _, want := range []string{"ARG GO_IMAGE=golang:1.26", "ARG RUNTIME_IMAGE=scratch", "FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build"} {
		if !slices.Contains(list[:stage], want) {
			t.Errorf("before the last stage: no line %q", want)
		}
	}
	last := list[stage:]
	for _, want := range []string{"FROM ${RUNTIME_IMAGE}", "USER 65532:65532", "EXPOSE 8443 9902", `ENTRYPOINT ["/mtls-sidecar"]`} {
		if !slices.Contains(last, want) {
			t.Errorf("in the last stage: no line %q", want)
		}
	}
	for _, line := range last {
		if word, _, _ := strings.Cut(line, " "); word == "RUN" || word == "SHELL" || word == "CMD" {
			t.Errorf("the last stage would need a shell: %s", line)
		}
	}
}

// TestImageIsBuiltFromWhatDockerignoreLeaves runs the Dockerfile's own build
// command in a folder that holds just that.
func TestImageIsBuiltFromWhatDockerignoreLeaves(t *testing.T) {
	t.Parallel()
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "mtls-sidecar")
	for _, name := range buildContext(t) {
		copyTree(t, filepath.Join("..", "..", name), filepath.Join(dir, name))
	}
	var build string
	for _, line := range instructions(t) {
		if strings.HasPrefix(line, "RUN ") && strings.Contains(line, "go build") {
			build = strings.ReplaceAll(strings.TrimPrefix(line, "RUN "), "/out/mtls-sidecar", out)
		}
	}
	if build == "" {
		t.Fatal("the Dockerfile does not run go build")
	}
	cmd := exec.Command(need(t, "sh"), "-c", build)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TARGETOS=linux", "TARGETARCH="+runtime.GOARCH)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", build, err, output)
	}
	file, err := elf.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the binary needs a dynamic linker (%v), which scratch lacks", p.Type)
		}
	}
	staysSmall(t, out)
}

// What a sidecar may cost before it has served anybody, in bytes: the image, which is
// the binary, and resident memory.
const imageBudget, restBudget = 15_000_000, 20 << 20

func staysSmall(t *testing.T, program string) {
	t.Helper()
	if info, err := os.Stat(program); err != nil || info.Size() > imageBudget {
		t.Errorf("the binary has %d bytes (%v), want %d at most", info.Size(), err, imageBudget)
	}
	files, _ := mintedFiles(t)
	cmd := sidecarCommand(t, settings{"MTLS_LISTEN_ADDR": "127.0.0.1:0", "MTLS_ADMIN_ADDR": "127.0.0.1:0"}.with(files))
	cmd.Path = program
	p := start(t, "the image's program", cmd)
	p.expect(t, `"msg":"listening"`)
	if got := statusBytes(t, p, "VmRSS"); got > restBudget {
		t.Errorf("it holds %d bytes of memory at rest, want %d at most", got, restBudget)
	}
}

// buildContext reads .dockerignore, which leaves everything out and then names
// what stays in.
func buildContext(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^\*$`).Match(data) {
		t.Fatal(".dockerignore does not begin by leaving everything out: keys lying about would get into the build")
	}
	var kept []string
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "!"); ok {
			kept = append(kept, name)
		}
	}
	return kept
}

// copyTree copies a file, or a folder without tests and test data.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		switch {
		case entry.IsDir() && entry.Name() == "testdata":
			return filepath.SkipDir
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		case strings.HasSuffix(path, "_test.go"):
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}
