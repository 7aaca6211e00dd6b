package proxy

import (
	"runtime"
	"runtime/debug"
)

// release is set by the linker (-X mtls-sidecar/proxy.release=…) where the
// source's history is not at hand, as in the Dockerfile.
var release string

// Build is what the program was built from.
type Build struct {
	Version  string // of the release, or devel
	Revision string // of the source's history; may be empty
	Go       string // the toolchain
}

// ReadBuild reads what the toolchain has written into the program.
func ReadBuild() Build {
	b := Build{Version: release, Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		if v := info.Main.Version; b.Version == "" && v != "(devel)" {
			b.Version = v
		}
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				b.Revision = setting.Value
			}
		}
	}
	if b.Version == "" {
		b.Version = "devel"
	}
	return b
}
