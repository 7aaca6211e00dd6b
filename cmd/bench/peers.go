package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
)

//go:embed testdata/nginx.conf testdata/nginx-upstream.conf testdata/haproxy.cfg testdata/apache.conf testdata/Caddyfile
var configurations embed.FS

// place is what a peer's configuration is made of.
type place struct {
	Folder, Listen, Port, Upstream string
	Cert, Key, Pair, CA, CRL       string
	Root                           bool
	Files, Connections             int
	Modules                        []apacheModule
}

// peer is one who can do the work.
type peer struct {
	name    string
	path    string // of its program
	version string
	lists   bool // it judges by revocation lists
	resumes bool // it resumes sessions of clients with a certificate
	// command is how it is started; it stays in the foreground.
	command func(ctx context.Context, path string, p place) (*exec.Cmd, error)
}

// candidate is a peer that may not be there.
type candidate struct {
	peer
	// find returns its program and version; an error says why there is none.
	find func(ctx context.Context, w *world) (path, version string, err error)
}

// us is how the tables call the sidecar, and standard whom all are compared with.
const (
	us       = "mtls-sidecar"
	standard = "nginx"
)

// candidates are in the order in which they take turns.
func candidates() []candidate {
	return []candidate{
		{peer{name: standard, lists: true, resumes: true, command: nginxCommand}, installed("nginx", "-V")},
		{peer{name: "HAProxy", lists: true, resumes: true, command: haproxyCommand}, installed("haproxy", "-vv")},
		{peer{name: "Apache", lists: true, resumes: true, command: apacheCommand}, findApache},
		{peer{name: "Caddy", command: caddyCommand}, findCaddy},
		{peer{name: "ReverseProxy", resumes: true, command: reverseProxyCommand}, buildReverseProxy},
		{peer{name: us, lists: true, resumes: true, command: sidecarCommand}, buildSidecar},
	}
}

// installed finds a program, and asks it for its version.
func installed(program, question string) func(context.Context, *world) (path, version string, err error) {
	return func(ctx context.Context, _ *world) (path, version string, err error) {
		if path, err = lookUp(program); err != nil {
			return "", "", err
		}
		version, err = ask(ctx, path, question)
		return path, version, err
	}
}

// lookUp knows that daemons are not always on a user's path.
func lookUp(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	path, err := exec.LookPath(filepath.Join("/usr/sbin", program))
	if err != nil {
		return "", fmt.Errorf("%s is not installed", program)
	}
	return path, nil
}

// ask returns the first line of what a program says of itself.
func ask(ctx context.Context, path, question string) (string, error) {
	out, err := exec.CommandContext(ctx, path, question).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", path, question, err, out)
	}
	return versionIn(string(out)), nil
}

// openSSL is how nginx and HAProxy name what they run with, after what they were built
// with. What a handshake costs is its matter more than theirs.
var openSSL = regexp.MustCompile(`OpenSSL (\d\S*)`)

// versionIn finds the version in the first line, and OpenSSL's in all.
func versionIn(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	version := line
	for _, word := range strings.Fields(strings.ReplaceAll(line, "/", " ")) {
		if digit := strings.TrimPrefix(word, "v"); digit != "" && digit[0] >= '0' && digit[0] <= '9' {
			version = digit
			break
		}
	}
	if all := openSSL.FindAllStringSubmatch(text, -1); all != nil {
		version += " with OpenSSL " + all[len(all)-1][1]
	}
	return version
}

// configure writes a peer's configuration from its template.
func configure(name string, p place) (string, error) {
	parsed, err := template.ParseFS(configurations, "testdata/"+name)
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	if err := parsed.Execute(&text, p); err != nil {
		return "", err
	}
	path := filepath.Join(p.Folder, name)
	return path, os.WriteFile(path, text.Bytes(), 0o600)
}

func nginxCommand(ctx context.Context, path string, p place) (*exec.Cmd, error) {
	config, err := configure("nginx.conf", p)
	return exec.CommandContext(ctx, path, "-e", p.Folder+"/nginx.log", "-c", config), err
}

func haproxyCommand(ctx context.Context, path string, p place) (*exec.Cmd, error) {
	config, err := configure("haproxy.cfg", p)
	return exec.CommandContext(ctx, path, "-db", "-f", config), err
}

func caddyCommand(ctx context.Context, path string, p place) (*exec.Cmd, error) {
	config, err := configure("Caddyfile", p)
	cmd := exec.CommandContext(ctx, path, "run", "--adapter", "caddyfile", "--config", config)
	cmd.Env = append(os.Environ(), "HOME="+p.Folder)
	return cmd, err
}

func reverseProxyCommand(ctx context.Context, path string, p place) (*exec.Cmd, error) {
	return exec.CommandContext(ctx, path, p.Listen, p.Upstream, p.Cert, p.Key, p.CA), nil
}

// sidecarCommand leaves everything at its default but where things are.
func sidecarCommand(ctx context.Context, path string, p place) (*exec.Cmd, error) {
	cmd := exec.CommandContext(ctx, path)
	cmd.Env = []string{"MTLS_LISTEN_ADDR=" + p.Listen, "MTLS_UPSTREAM_URL=http://" + p.Upstream, "MTLS_ADMIN_ADDR=unix://" + adminSocket(p.Folder),
		"MTLS_CERT_FILE=" + p.Cert, "MTLS_KEY_FILE=" + p.Key, "MTLS_CLIENT_CA_FILE=" + p.CA, "MTLS_CRL=" + p.CRL}
	return cmd, nil
}
