package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// apacheModule is one that has to be loaded.
type apacheModule struct{ Name, Path string }

// apacheModules are those that may be files; where one is not, it is built in.
func apacheModules() []string {
	return []string{"mpm_event", "unixd", "authz_core", "socache_shmcb", "ssl", "http2", "headers", "proxy", "proxy_http", "proxy_wstunnel"}
}

// apacheFolders are where distributions keep them: Debian, Fedora, Alpine and Arch, openSUSE.
func apacheFolders() []string {
	return []string{"/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/etc/httpd/modules", "/usr/lib/httpd/modules", "/usr/lib64/apache2"}
}

func findApache(ctx context.Context, _ *world) (path, version string, err error) {
	for _, program := range []string{"apache2", "httpd"} {
		if path, err = lookUp(program); err == nil {
			version, err = ask(ctx, path, "-v")
			return path, version, err
		}
	}
	return "", "", errors.New("apache2 (httpd) is not installed")
}

func apacheCommand(ctx context.Context, path string, p place) (*exec.Cmd, error) {
	for _, name := range apacheModules() {
		for _, folder := range apacheFolders() {
			file := filepath.Join(folder, "mod_"+name+".so")
			if _, err := os.Stat(file); err == nil {
				p.Modules = append(p.Modules, apacheModule{name, file})
				break
			}
		}
	}
	config, err := configure("apache.conf", p)
	return exec.CommandContext(ctx, path, "-f", config, "-DFOREGROUND"), err
}

// caddyRelease is the one that is built where there is none.
const caddyRelease = "v2.11.9"

// findCaddy takes an installed one, and else builds the released module, once for all
// runs, into the user's cache folder.
func findCaddy(ctx context.Context, _ *world) (path, version string, err error) {
	if path, err = lookUp("caddy"); err != nil {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", "", fmt.Errorf("caddy is not installed, and there is no folder to build it in: %w", err)
		}
		folder := filepath.Join(cache, "mtls-sidecar-bench", "caddy-"+caddyRelease)
		path = filepath.Join(folder, "caddy")
		if _, err := os.Stat(path); err != nil {
			fmt.Fprintln(os.Stderr, "building Caddy "+caddyRelease+", this once: it takes minutes")
			cmd := exec.CommandContext(ctx, "go", "install", "github.com/caddyserver/caddy/v2/cmd/caddy@"+caddyRelease)
			cmd.Env, cmd.Dir = append(os.Environ(), "GOBIN="+folder, "CGO_ENABLED=0"), os.TempDir()
			if out, err := cmd.CombinedOutput(); err != nil {
				return "", "", fmt.Errorf("caddy is not installed, and does not build: %w\n%s", err, out)
			}
		}
		return path, caddyRelease[1:], nil // which a program built so does not know
	}
	version, err = ask(ctx, path, "version")
	return path, version, err
}

// buildReverseProxy needs the module's folder: what stands in testdata is built by its
// path alone.
func buildReverseProxy(ctx context.Context, w *world) (path, version string, err error) {
	path = filepath.Join(w.folder, "reverseproxy")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", path, "mtls-sidecar/cmd/bench/testdata/reverseproxy")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("building it: %w; run it in the module's folder\n%s", err, out)
	}
	return path, runtime.Version(), nil
}

func buildSidecar(ctx context.Context, w *world) (path, version string, err error) {
	path, _, err = build(w.folder, runtime.GOARCH)
	if err != nil {
		return "", "", err
	}
	// The release is told by git where there is one: what is built is not stamped.
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return path, "of this folder", nil
	}
	return path, string(out[:max(len(out)-1, 0)]), nil
}
