package main_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// connectionDifference is a connection of which the sidecar tells something else than nginx, on purpose.
type connectionDifference struct {
	rows    []string
	headers []string
	ours    string
	why     string
}

func connectionDifferences() []connectionDifference {
	return []connectionDifference{
		{[]string{"SNI with a space", "SNI in UTF-8", "SNI with a slash", "SNI with a colon", "SNI with two dots", "SNI with a dot first",
			"SNI with a percent sign", "SNI with quotes", "SNI with a long label"}, []string{"X-V-ssl_server_name"}, notSent, "a server name that is no host name is not told"},
		{[]string{"SNI with line feeds"}, []string{"X-V-ssl_server_name", "X-Evil"}, notSent,
			"the same; in nginx 1.22 a client can write headers of its own with it"},
		{[]string{"SNI with a NUL", "SNI of 277 bytes"}, []string{notForwarded}, notSent,
			"OpenSSL ends the handshake, crypto/tls does not; no name is told"},
	}
}

// TestDialectsOfConnectionsAreTheirPeers brings nginx and the sidecar to the same connections,
// both with HTTP/2 and without.
func TestDialectsOfConnectionsAreTheirPeers(t *testing.T) {
	dir := newDialectMint(t).files()
	rsaServer(t, dir)
	nginxs := sessionsSay(t, dir)
	p := variableProfile("nginx", connectionVariables...)
	p.more = settings{
		"MTLS_CERT_FILE": filepath.Join(dir, "server.crt") + "," + filepath.Join(dir, "rsa.crt"),
		"MTLS_KEY_FILE":  filepath.Join(dir, "server.key") + "," + filepath.Join(dir, "rsa.key"),
	}
	ours, met := startDialectSidecar(t, dir, p), map[string]bool{}
	p.more = p.more.with(settings{"MTLS_HTTP2": "false"})
	without := startDialectSidecar(t, dir, p)
	for _, s := range tlsSessions() {
		if s.peerOnly != "" {
			continue
		}
		server := without
		if s.server == onHTTP2 {
			server = ours
		}
		got, want := s.over(t, server), nginxs.rows[s.name]
		for _, header := range connectionHeaders(got, want) {
			value, expected := got.value(header), want.value(header)
			for _, d := range connectionDifferences() {
				if slices.Contains(d.rows, s.name) && slices.Contains(d.headers, header) && d.ours != expected {
					expected = d.ours
					met[s.name] = true
				}
			}
			if value != expected {
				t.Errorf("%s: %s: got %q, want %q (nginx says %q)", s.name, header, value, expected, want.value(header))
			}
		}
	}
	for _, d := range connectionDifferences() {
		for _, row := range d.rows {
			if !met[row] {
				t.Errorf("%s: listed as a difference (%s), and there is none", row, d.why)
			}
		}
	}
}

// connectionHeaders are those to compare: all that tell of a connection and any that must not be there. Where nginx did
// not answer there is nothing to compare but that.
func connectionHeaders(got, want words) []string {
	if !want.forwarded() || !got.forwarded() {
		return []string{notForwarded}
	}
	return slices.DeleteFunc(bothHeaders(got, want), func(header string) bool {
		return strings.HasPrefix(header, "(") || header == "X-Info" || header == "ssl-client-verify"
	})
}
