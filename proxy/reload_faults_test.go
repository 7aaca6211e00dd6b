package proxy

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zaptest/observer"

	"mtls-sidecar/proxy/pki"
)

// reloadWorld is a sidecar with one file of each kind, looked at when the test
// says so.
type reloadWorld struct {
	*sidecar
	*reloadPKI
	t      *testing.T
	folder string
	app    *backend
	look   *reloader
}

// worldFiles are sound: the first server, the first CA and its list.
func (p *reloadPKI) worldFiles() contents {
	return contents{
		"tls.crt": pki.ChainPEM(*p.servers[0]), "tls.key": p.key(p.servers[0]),
		"ca.crt": pki.CertPEM(p.cas[0].Cert), "hints.crt": pki.CertPEM(p.cas[0].Cert),
		"crl.pem":    p.list(p.cas[0], 1, p.revoked),
		"ticket.key": ticketMaterial(1),
	}
}

// worldEntries name the files by their variables.
func worldEntries(folder string) []string {
	at := func(name string) string { return filepath.Join(folder, name) }
	return []string{
		"MTLS_CERT_FILE=" + at("tls.crt"), "MTLS_KEY_FILE=" + at("tls.key"), "MTLS_CLIENT_CA_FILE=" + at("ca.crt"),
		"MTLS_CA_HINTS=" + at("hints.crt"), "MTLS_CRL=" + at("crl.pem"), "MTLS_TICKET_KEY_FILES=" + at("ticket.key"),
		"MTLS_INVALID_CERT=failed", "MTLS_RELOAD_INTERVAL=1h",
	}
}

func newReloadWorld(t *testing.T) *reloadWorld {
	t.Helper()
	w := &reloadWorld{t: t, reloadPKI: newReloadPKI(t), folder: folderFor(t), app: startTeller(t)}
	for name, text := range w.worldFiles() {
		w.put(name, text)
	}
	w.sidecar = startSidecar(t, w.app.url, worldEntries(w.folder)...)
	w.look = w.looker()
	return w
}

func (w *reloadWorld) path(name string) string { return filepath.Join(w.folder, name) }

func (w *reloadWorld) put(name string, text []byte) {
	w.t.Helper()
	put(w.t, w.path(name), text)
}

// state is all that shows of what is in force.
func (w *reloadWorld) state() string {
	w.t.Helper()
	names, _ := w.offered(w.t, tlsVersions[1].version)
	return fmt.Sprintf("server: %s; offered: %s; first: %s; second: %s; revoked: %s", w.shows(w.t), strings.Join(names, ","),
		w.verdict(w.t, w.clients[0]), w.verdict(w.t, w.clients[1]), w.verdict(w.t, w.revoked))
}

const soundState = "server: first server; offered: first CA; first: SUCCESS; second: " + isUnknown + "; revoked: " + isRevoked

// What cannot be used leaves all as it was, is told once, stands until it is
// mended, and then its end is told.
func TestAFaultLeavesTheOldBeliefAndIsToldOnceUntilItIsMended(t *testing.T) {
	for _, fault := range spoilings() {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			w := newReloadWorld(t)
			if got := w.state(); got != soundState {
				t.Fatalf("at the start: got %s, want %s", got, soundState)
			}
			before := time.Now()
			fault.spoil(&spoiler{w.reloadPKI, t, w.folder})
			for range 3 {
				w.look.look(false)
				if got := w.state(); got != soundState {
					t.Errorf("got %s, want still %s", got, soundState)
				}
			}
			w.stands(fault.set, before, fault.variable, w.path(fault.file), "; ")
			w.logsFaults(1, fault.set, fault.variable, w.path(fault.file))
			works(t, os.RemoveAll(w.path(fault.file)))
			for name, text := range w.worldFiles() {
				w.put(name, text)
			}
			w.look.look(false)
			if got := w.Troubles(); len(got) != 0 {
				t.Errorf("mended, but troubles stand: %v", got)
			}
			w.logsMended(1, fault.set)
			if got := w.state(); got != soundState {
				t.Errorf("mended: got %s, want %s", got, soundState)
			}
		})
	}
}

// stands wants one trouble, with these texts in it, that began after an instant.
func (w *reloadWorld) stands(name string, after time.Time, texts ...string) Trouble {
	w.t.Helper()
	all := w.Troubles()
	if len(all) != 1 || all[0].Name != name {
		w.t.Fatalf("troubles: got %v, want one of %s", all, name)
	}
	if since := all[0].Since; since.Before(after) || since.After(time.Now()) {
		w.t.Errorf("the trouble stands since %v, want after %v", since, after)
	}
	for _, text := range texts {
		if !strings.Contains(all[0].Fault, text) {
			w.t.Errorf("the trouble does not say %q: %s", text, all[0].Fault)
		}
	}
	return all[0]
}

// logsFaults wants so many lines about a failed reload of files, the last with
// these texts.
func (w *reloadWorld) logsFaults(n int, files string, texts ...string) {
	w.t.Helper()
	got := w.ofFiles("reload failed, what was in force stays", files)
	if len(got) != n {
		w.t.Fatalf("failed reloads of %s: %d lines are logged, want %d", files, len(got), n)
	}
	faults := fmt.Sprint(got[n-1].ContextMap()["faults"])
	for _, text := range texts {
		if !strings.Contains(faults, text) {
			w.t.Errorf("the log does not say %q: %s", text, faults)
		}
	}
}

func (w *reloadWorld) logsMended(n int, files string) {
	w.t.Helper()
	if got := len(w.ofFiles("mended", files)); got != n {
		w.t.Errorf("%s mended: %d lines are logged, want %d", files, got, n)
	}
}

// ofFiles are the lines with a message about a set of files.
func (s *sidecar) ofFiles(message, files string) []observer.LoggedEntry {
	return slices.DeleteFunc(s.logged(message), func(line observer.LoggedEntry) bool { return line.ContextMap()["files"] != files })
}

func TestASecondFaultIsToldAnewAndTheTroubleKeepsItsBeginning(t *testing.T) {
	w := newReloadWorld(t)
	before := time.Now()
	w.put("ca.crt", nil)
	w.look.look(false)
	first := w.stands("client CAs", before, "empty")
	w.put("ca.crt", []byte("no certificate\n"))
	w.look.look(false)
	second := w.stands("client CAs", before, "MTLS_CLIENT_CA_FILE")
	w.logsFaults(2, "client CAs")
	if !second.Since.Equal(first.Since) || second.Fault == first.Fault {
		t.Errorf("after %v came %v: want another fault, standing as long", first, second)
	}
	if got := w.Count(ReloadFailed); got != 2 {
		t.Errorf("counted %d failed reloads, want 2", got)
	}
}

// Who asks wants to know, also what has been told before.
func TestAFaultIsToldAgainToWhoeverAsks(t *testing.T) {
	w := newReloadWorld(t)
	w.put("ca.crt", nil)
	for n := range 3 {
		works(t, w.Reload())
		w.logsFaults(n+1, "client CAs", "empty")
	}
	if got := len(w.Troubles()); got != 1 {
		t.Errorf("got %d troubles, want 1", got)
	}
}

// The sets are independent: of each two, the one damaged and the other renewed.
func TestAFaultInOneSetDoesNotKeepTheNewsOfAnotherOut(t *testing.T) {
	renewals := []struct {
		set   string
		renew func(w *reloadWorld)
		state string
	}{
		{"server certificate", func(w *reloadWorld) {
			w.put("tls.crt", pki.ChainPEM(*w.servers[1]))
			w.put("tls.key", w.key(w.servers[1]))
		}, strings.Replace(soundState, "first server", "second server", 1)},
		{"client CAs", func(w *reloadWorld) { w.put("hints.crt", pki.CertPEM(w.cas[1].Cert)) },
			strings.Replace(soundState, "first CA", "second CA", 1)},
		{"revocation lists", func(w *reloadWorld) { w.put("crl.pem", w.list(w.cas[0], 2, w.revoked, w.clients[0])) },
			strings.Replace(soundState, "SUCCESS", isRevoked, 1)},
	}
	damages := map[string]func(w *reloadWorld){
		"server certificate": func(w *reloadWorld) { w.put("tls.key", nil) },
		"client CAs":         func(w *reloadWorld) { w.put("ca.crt", nil) },
		"revocation lists":   func(w *reloadWorld) { w.put("crl.pem", nil) },
		"ticket keys":        func(w *reloadWorld) { w.put("ticket.key", []byte("short")) },
	}
	for damaged, damage := range damages {
		for _, renewal := range renewals {
			if damaged == renewal.set {
				continue
			}
			t.Run(damaged+" damaged, "+renewal.set+" renewed", func(t *testing.T) {
				w := newReloadWorld(t)
				damage(w)
				renewal.renew(w)
				before := time.Now().Add(-time.Minute)
				w.look.look(false)
				if got := w.state(); got != renewal.state {
					t.Errorf("got %s, want %s", got, renewal.state)
				}
				w.stands(damaged, before)
			})
		}
	}
}

func TestAtTheStartEachFaultEndsTheProgramByVariablePathAndRemedy(t *testing.T) {
	p := newReloadPKI(t)
	for _, fault := range spoilings() {
		t.Run(fault.name, func(t *testing.T) {
			folder := folderFor(t)
			for name, text := range p.worldFiles() {
				put(t, filepath.Join(folder, name), text)
			}
			config := environment(t, worldEntries(folder)...)
			if _, err := Load(config); err != nil {
				t.Fatalf("sound: %v", err)
			}
			fault.spoil(&spoiler{p, t, folder})
			_, err := Load(config)
			wantFault(t, err, fault.variable, filepath.Join(folder, fault.file))
		})
	}
}
