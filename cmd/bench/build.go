package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// imageFlags are those with which the Dockerfile builds, but for the release's name.
func imageFlags() []string { return []string{"-trimpath", "-buildvcs=false", "-ldflags=-s -w"} }

// program is the package that is measured.
const program = "mtls-sidecar/cmd/mtls-sidecar"

// architectures are those that the Dockerfile's comment builds for.
func architectures() []string { return []string{"amd64", "arm64"} }

// build compiles the program for an architecture as the image has it, and returns its
// path and size in bytes.
func build(folder, architecture string) (path string, size int64, err error) {
	path = filepath.Join(folder, "mtls-sidecar-"+architecture)
	cmd := exec.Command("go", append(append([]string{"build"}, imageFlags()...), "-o", path, program)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+runtime.GOOS, "GOARCH="+architecture)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", 0, fmt.Errorf("building for %s: %w; run it in the module's folder\n%s", architecture, err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", 0, err
	}
	return path, info.Size(), nil
}
