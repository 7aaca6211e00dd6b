package proxy

import (
	"crypto/tls"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/youmark/pkcs8"

	"mtls-sidecar/proxy/pki"
)

// reloadGroup is a group of files, and how their content shows.
type reloadGroup struct {
	name          string
	entries       string // of the environment, one a line; FOLDER stands for where the files are
	before, after contents
	shows         func(t *testing.T, s *sidecar) string
	was, becomes  string
}

// encrypted is a key under a pass phrase.
func (p *reloadPKI) encrypted(of *tls.Certificate, phrase string) []byte {
	p.t.Helper()
	der, err := pkcs8.MarshalPrivateKey(of.PrivateKey, []byte(phrase), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der})
}

func reloadGroups(p *reloadPKI) []reloadGroup {
	one, two := p.servers[0], p.servers[1]
	ca1, ca2 := pki.CertPEM(p.cas[0].Cert), pki.CertPEM(p.cas[1].Cert)
	join := func(texts ...[]byte) (all []byte) {
		for _, text := range texts {
			all = append(all, text...)
		}
		return all
	}
	server := func(t *testing.T, s *sidecar) string { return s.shows(t) }
	clients := func(t *testing.T, s *sidecar) string {
		return s.verdict(t, p.clients[0]) + ", " + s.verdict(t, p.clients[1])
	}
	lists := func(t *testing.T, s *sidecar) string {
		return s.verdict(t, p.revoked) + ", " + s.verdict(t, p.clients[0])
	}
	hints := func(t *testing.T, s *sidecar) string {
		names, _ := s.offered(t, tls.VersionTLS13)
		return strings.Join(names, ", ")
	}
	const listed = "MTLS_CLIENT_CA_FILE=FOLDER/../ca.crt\nMTLS_CRL="
	return []reloadGroup{
		{"server certificate and key", "MTLS_CERT_FILE=FOLDER/tls.crt\nMTLS_KEY_FILE=FOLDER/tls.key",
			contents{"tls.crt": pki.ChainPEM(*one), "tls.key": p.key(one)},
			contents{"tls.crt": pki.ChainPEM(*two), "tls.key": p.key(two)},
			server, "first server", "second server"},
		{"server certificate and key in one file", "MTLS_CERT_FILE=FOLDER/tls.pem\nMTLS_KEY_FILE=FOLDER/tls.pem",
			contents{"tls.pem": join(p.key(one), pki.ChainPEM(*one))},
			contents{"tls.pem": join(p.key(two), pki.ChainPEM(*two))},
			server, "first server", "second server"},
		{"encrypted key and its pass phrase", "MTLS_CERT_FILE=FOLDER/tls.crt\nMTLS_KEY_FILE=FOLDER/tls.key\nMTLS_KEY_PASSPHRASE_FILE=FOLDER/phrase",
			contents{"tls.crt": pki.ChainPEM(*one), "tls.key": p.encrypted(one, "open sesame"), "phrase": []byte("open sesame\n")},
			contents{"tls.crt": pki.ChainPEM(*two), "tls.key": p.encrypted(two, "swordfish"), "phrase": []byte("swordfish\n")},
			server, "first server", "second server"},
		{"client CA", "MTLS_CLIENT_CA_FILE=FOLDER/ca.crt",
			contents{"ca.crt": ca1}, contents{"ca.crt": ca2},
			clients, "SUCCESS, " + isUnknown, isUnknown + ", SUCCESS"},
		{"folder of client CAs", "MTLS_CLIENT_CA_FILE=FOLDER",
			contents{"first.crt": ca1}, contents{"second.crt": ca2},
			clients, "SUCCESS, " + isUnknown, isUnknown + ", SUCCESS"},
		{"CA names offered", "MTLS_CA_HINTS=FOLDER/hints.crt",
			contents{"hints.crt": ca1}, contents{"hints.crt": join(ca2, ca1)},
			hints, "first CA", "second CA, first CA"},
		{"revocation list", listed + "FOLDER/crl.pem",
			contents{"crl.pem": p.list(p.cas[0], 1, p.revoked)},
			contents{"crl.pem": p.list(p.cas[0], 2, p.revoked, p.clients[0])},
			lists, isRevoked + ", SUCCESS", isRevoked + ", " + isRevoked},
		{"folder of revocation lists", listed + "FOLDER",
			contents{"1.crl": p.list(p.cas[0], 1, p.revoked)},
			contents{"1.crl": p.list(p.cas[0], 1, p.revoked), "2.crl": p.list(p.cas[0], 2, p.revoked, p.clients[0])},
			lists, isRevoked + ", SUCCESS", isRevoked + ", " + isRevoked},
	}
}

// environ are the group's entries for files in a folder, beside which is the
// file of the first CA.
func (g reloadGroup) environ(folder string) []string {
	return strings.Split(strings.ReplaceAll(g.entries, "FOLDER", folder), "\n")
}

func TestChangedFilesComeIntoForceHoweverTheyWereReplaced(t *testing.T) {
	p := newReloadPKI(t)
	app := startTeller(t)
	for _, group := range reloadGroups(p) {
		for _, way := range waysToReplace {
			for _, interval := range []string{"10ms", "1h"} {
				name := group.name + "/" + way.name + "/SIGHUP"
				if interval != "1h" {
					name = group.name + "/" + way.name + "/poll"
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					outer := folderFor(t)
					put(t, filepath.Join(outer, "ca.crt"), pki.CertPEM(p.cas[0].Cert))
					folder := filepath.Join(outer, "mount")
					works(t, os.Mkdir(folder, 0o700))
					way.put(t, folder, padded(group.before))
					s := startSidecar(t, app.url, append(group.environ(folder), "MTLS_INVALID_CERT=failed", "MTLS_RELOAD_INTERVAL="+interval)...)
					if got := group.shows(t, s); got != group.was {
						t.Fatalf("at the start: got %s, want %s", got, group.was)
					}
					way.put(t, folder, padded(group.after))
					if interval == "1h" {
						works(t, s.Reload())
						if got := group.shows(t, s); got != group.becomes {
							t.Errorf("after the reload: got %s, want %s", got, group.becomes)
						}
					}
					waitFor(t, group.becomes, func() bool { return group.shows(t, s) == group.becomes })
					waitFor(t, "no trouble is left", func() bool { return len(s.Troubles()) == 0 })
				})
			}
		}
	}
}

// What no look at content shows to have changed is left alone: belief is not
// made anew, so that no client has to be judged again.
func TestFilesThatAreOnlyTouchedChangeNothing(t *testing.T) {
	p := newReloadPKI(t)
	folder := folderFor(t)
	files := contents{"ca.crt": pki.CertPEM(p.cas[0].Cert), "tls.crt": pki.ChainPEM(*p.servers[0]), "tls.key": p.key(p.servers[0])}
	swapData(t, folder, files)
	s := startSidecar(t, startTeller(t).url, "MTLS_RELOAD_INTERVAL=1h", "MTLS_CLIENT_CA_FILE="+filepath.Join(folder, "ca.crt"),
		"MTLS_CERT_FILE="+filepath.Join(folder, "tls.crt"), "MTLS_KEY_FILE="+filepath.Join(folder, "tls.key"))
	look := s.looker()
	snapshot, config := s.store.Current(), s.tls.Load()
	swapData(t, folder, files)
	look.look(false)
	if s.store.Current() != snapshot || s.tls.Load() != config {
		t.Error("the same files at another place were taken for a change")
	}
	if got := s.Count(Reloaded) + s.Count(ReloadFailed); got != 0 {
		t.Errorf("counted %d reloads", got)
	}
}

// A renewal is two files, and somebody writes them one after the other. Whatever
// a look catches, the old pair stays whole until the new one is.
func TestAPairCaughtHalfWrittenIsTakenOnceItIsWhole(t *testing.T) {
	p := newReloadPKI(t)
	folder := folderFor(t)
	certFile, keyFile := filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	put(t, certFile, pki.ChainPEM(*p.servers[0]))
	put(t, keyFile, p.key(p.servers[0]))
	s := startSidecar(t, startTeller(t).url, "MTLS_RELOAD_INTERVAL=1h", "MTLS_CERT_FILE="+certFile, "MTLS_KEY_FILE="+keyFile)
	look := s.looker()
	certificate, key := pki.ChainPEM(*p.servers[1]), p.key(p.servers[1])
	for _, step := range []struct {
		name, path string
		text       []byte
	}{
		{"certificate truncated", certFile, nil},
		{"certificate half written", certFile, certificate[:len(certificate)/2]},
		{"certificate written, key not yet", certFile, certificate},
		{"key truncated", keyFile, nil},
		{"key half written", keyFile, key[:len(key)/2]},
	} {
		put(t, step.path, step.text)
		look.look(false)
		if got := s.shows(t); got != "first server" {
			t.Errorf("%s: got %s, want first server", step.name, got)
		}
		if got := s.Troubles(); len(got) != 1 || got[0].Name != "server certificate" {
			t.Errorf("%s: troubles: got %v, want one of the server certificate", step.name, got)
		}
	}
	put(t, keyFile, key)
	look.look(false)
	if got := s.shows(t); got != "second server" {
		t.Errorf("both written: got %s, want second server", got)
	}
	if got := s.Troubles(); len(got) != 0 {
		t.Errorf("both written: troubles are left: %v", got)
	}
}

// Whatever is read meanwhile, it is one of the versions, and whole.
func TestFilesThatKeepChangingWhileTheyAreReadAreLeftToTheNextLook(t *testing.T) {
	p := newReloadPKI(t)
	folder := folderFor(t)
	path := filepath.Join(folder, "ca.crt")
	put(t, path, pki.CertPEM(p.cas[0].Cert))
	s := startSidecar(t, startTeller(t).url, "MTLS_RELOAD_INTERVAL=1h", "MTLS_CLIENT_CA_FILE="+path, "MTLS_INVALID_CERT=failed")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			texts := [][]byte{pki.CertPEM(p.cas[0].Cert), pki.CertPEM(p.cas[1].Cert), nil, []byte("-----BEGIN CERTIFICATE-----\nMII")}
			if err := os.WriteFile(path, texts[i%len(texts)], 0o600); err != nil {
				t.Errorf("writing: %v", err)
				return
			}
		}
	}()
	look := s.looker()
	for range 60 {
		look.look(false)
		first, second := s.verdict(t, p.clients[0]), s.verdict(t, p.clients[1])
		if (first == "SUCCESS") == (second == "SUCCESS") {
			t.Fatalf("got %s and %s: one of the two CAs is in the file whenever it is whole", first, second)
		}
	}
	close(stop)
	<-stopped
	put(t, path, append(pki.CertPEM(p.cas[1].Cert), "# never seen before\n"...))
	look.look(false)
	if got := s.verdict(t, p.clients[1]); got != "SUCCESS" || len(s.Troubles()) > 0 {
		t.Errorf("once it is quiet: got %s and troubles %v", got, s.Troubles())
	}
}

// A file that is another at each reading stands for one that is being written all
// the time: nothing of it is taken, and nobody is alarmed.
func TestWhatIsNeverTwiceTheSameIsNotTaken(t *testing.T) {
	const restless = "/proc/sys/kernel/random/uuid"
	if _, err := os.Stat(restless); err != nil {
		absent(t, "this system has no %s", restless)
	}
	p := newReloadPKI(t)
	folder := folderFor(t)
	at := func(name string) string { return filepath.Join(folder, name) }
	put(t, at("first.crt"), pki.CertPEM(p.cas[0].Cert))
	s := startSidecar(t, startTeller(t).url, "MTLS_RELOAD_INTERVAL=1h", "MTLS_CLIENT_CA_FILE="+folder, "MTLS_INVALID_CERT=failed")
	look := s.looker()
	put(t, at("second.crt"), pki.CertPEM(p.cas[1].Cert))
	works(t, os.Symlink(restless, at("restless")))
	for range 3 {
		look.look(false)
		if got := s.verdict(t, p.clients[1]); got != isUnknown {
			t.Errorf("got %s, want %s", got, isUnknown)
		}
	}
	if all := s.Troubles(); s.Count(Reloaded) != 0 || len(all) != 1 || !strings.Contains(all[0].Fault, "keeps changing") {
		t.Errorf("counted %d reloads, troubles %v; want one that says why", s.Count(Reloaded), all)
	}
	works(t, os.Remove(at("restless")))
	look.look(false)
	if got := s.verdict(t, p.clients[1]); got != "SUCCESS" || len(s.Troubles()) > 0 {
		t.Errorf("once it is quiet: got %s, troubles %v", got, s.Troubles())
	}
}
