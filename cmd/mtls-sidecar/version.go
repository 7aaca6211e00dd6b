package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"

	"mtls-sidecar/proxy"
)

// version prints what the binary was built from.
func version(stdout io.Writer) error {
	b := proxy.ReadBuild()
	of := strings.TrimSpace(b.Version + " " + b.Revision)
	_, err := fmt.Fprintf(stdout, "mtls-sidecar %s %s %s/%s\n", of, b.Go, runtime.GOOS, runtime.GOARCH)
	return err
}
