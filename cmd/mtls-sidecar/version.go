package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// version prints what the binary was built from.
func version(stdout io.Writer) error {
	release, revision := "devel", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if v := info.Main.Version; v != "" && v != "(devel)" {
			release = v
		}
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				revision = " " + setting.Value
			}
		}
	}
	_, err := fmt.Fprintf(stdout, "mtls-sidecar %s%s %s %s/%s\n", release, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
