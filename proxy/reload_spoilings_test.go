package proxy

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// spoiling makes a file of the world unusable.
type spoiling struct {
	name     string
	set      string // of files
	variable string
	file     string // that is at fault
	spoil    func(w *spoiler)
}

// spoiler changes files in a folder.
type spoiler struct {
	*reloadPKI
	t      testing.TB
	folder string
}

func (s *spoiler) put(name string, text []byte) {
	s.t.Helper()
	put(s.t, filepath.Join(s.folder, name), text)
}

func (s *spoiler) remove(name string) {
	s.t.Helper()
	works(s.t, os.Remove(filepath.Join(s.folder, name)))
}

// turnIntoFolder makes an empty folder of a file.
func (s *spoiler) turnIntoFolder(name string) {
	s.t.Helper()
	s.remove(name)
	works(s.t, os.Mkdir(filepath.Join(s.folder, name), 0o700))
}

// half is a PEM block cut off in its middle.
func half(text []byte) []byte { return text[:len(text)/2] }

// spoilings are every way in which a file may be unfit, by the variable that names it.
func spoilings() []spoiling {
	var all []spoiling
	add := func(set, variable, file string, ways map[string]func(*spoiler)) {
		for name, spoil := range ways {
			all = append(all, spoiling{name: file + " " + name, set: set, variable: variable, file: file, spoil: spoil})
		}
	}
	common := func(file string) map[string]func(*spoiler) {
		return map[string]func(*spoiler){
			"missing": func(s *spoiler) { s.remove(file) },
			"empty":   func(s *spoiler) { s.put(file, nil) },
			"blank":   func(s *spoiler) { s.put(file, []byte(" \n\n")) },
			"garbage": func(s *spoiler) { s.put(file, []byte("it was here a moment ago\n")) },
			"a folder": func(s *spoiler) {
				s.turnIntoFolder(file)
			},
		}
	}
	for _, file := range []string{"tls.crt", "tls.key"} {
		variable := map[string]string{"tls.crt": "MTLS_CERT_FILE", "tls.key": "MTLS_KEY_FILE"}[file]
		add("server certificate", variable, file, common(file))
	}
	add("server certificate", "MTLS_CERT_FILE", "tls.crt", map[string]func(*spoiler){
		"cut short":  func(s *spoiler) { s.put("tls.crt", half(pki.ChainPEM(*s.servers[1]))) },
		"only a key": func(s *spoiler) { s.put("tls.crt", s.key(s.servers[1])) },
	})
	add("server certificate", "MTLS_KEY_FILE", "tls.key", map[string]func(*spoiler){
		"of another certificate": func(s *spoiler) { s.put("tls.key", s.key(s.servers[1])) },
		"cut short":              func(s *spoiler) { s.put("tls.key", half(s.key(s.servers[0]))) },
		"only a certificate":     func(s *spoiler) { s.put("tls.key", pki.ChainPEM(*s.servers[1])) },
	})
	for _, file := range []string{"ca.crt", "hints.crt"} {
		variable := map[string]string{"ca.crt": "MTLS_CLIENT_CA_FILE", "hints.crt": "MTLS_CA_HINTS"}[file]
		add("client CAs", variable, file, common(file))
		add("client CAs", variable, file, map[string]func(*spoiler){
			"only a key": func(s *spoiler) { s.put(file, s.key(s.clients[1])) },
			"cut short":  func(s *spoiler) { s.put(file, half(pki.CertPEM(s.cas[1].Cert))) },
			"cut short in its second block": func(s *spoiler) {
				s.put(file, append(pki.CertPEM(s.cas[1].Cert), half(pki.CertPEM(s.cas[0].Cert))...))
			},
			"a revocation list": func(s *spoiler) { s.put(file, s.list(s.cas[1], 7)) },
		})
	}
	add("client CAs", "MTLS_CLIENT_CA_FILE", "ca.crt", map[string]func(*spoiler){
		"without a CA": func(s *spoiler) { s.put("ca.crt", pki.ChainPEM(*s.clients[1])) },
	})
	add("revocation lists", "MTLS_CRL", "crl.pem", common("crl.pem"))
	add("revocation lists", "MTLS_CRL", "crl.pem", map[string]func(*spoiler){
		"cut short":  func(s *spoiler) { s.put("crl.pem", half(s.list(s.cas[0], 2))) },
		"a CA":       func(s *spoiler) { s.put("crl.pem", pki.CertPEM(s.cas[0].Cert)) },
		"only a key": func(s *spoiler) { s.put("crl.pem", s.key(s.clients[1])) },
	})
	add("ticket keys", "MTLS_TICKET_KEY_FILES", "ticket.key", ticketSpoilings())
	slices.SortFunc(all, func(a, b spoiling) int { return strings.Compare(a.name, b.name) })
	return all
}

func ticketSpoilings() map[string]func(*spoiler) {
	const file = "ticket.key"
	return map[string]func(*spoiler){
		"missing":             func(s *spoiler) { s.remove(file) },
		"empty":               func(s *spoiler) { s.put(file, nil) },
		"too short":           func(s *spoiler) { s.put(file, ticketMaterial(1)[:47]) },
		"too long":            func(s *spoiler) { s.put(file, append(ticketMaterial(1), 1)) },
		"a placeholder":       func(s *spoiler) { s.put(file, make([]byte, 48)) },
		"a folder":            func(s *spoiler) { s.turnIntoFolder(file) },
		"open to everybody":   func(s *spoiler) { works(s.t, os.Chmod(filepath.Join(s.folder, file), 0o644)) },
		"writable by anybody": func(s *spoiler) { works(s.t, os.Chmod(filepath.Join(s.folder, file), 0o602)) },
	}
}
