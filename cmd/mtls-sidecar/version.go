package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// release is set by the linker (-X main.release=…) where the source's history is
// not at hand, as in the Dockerfile.
var release string

// version prints what the binary was built from.
func version(stdout io.Writer) error {
	release, revision := release, ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if v := info.Main.Version; release == "" && v != "" && v != "(devel)" {
			release = v
		}
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				revision = " " + setting.Value
			}
		}
	}
	if release == "" {
		release = "devel"
	}
	_, err := fmt.Fprintf(stdout, "mtls-sidecar %s%s %s %s/%s\n", release, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
