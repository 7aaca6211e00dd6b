package proxy

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// ticketMaterial is the content of a ticket key file, other for each seed.
func ticketMaterial(seed byte) []byte {
	return append(bytes.Repeat([]byte{seed}, 47), 'x')
}

// resumes makes one connection of a visitor, and reports whether it was resumed.
func (v *visitor) resumes(t *testing.T, s *sidecar) bool {
	t.Helper()
	c := s.dialWith(t, v.config())
	defer c.Close()
	if got := c.verdict(); got != "SUCCESS" {
		t.Errorf("got %s, want SUCCESS", got)
	}
	return c.ConnectionState().DidResume
}

func TestANewServerCertificateEndsNeitherConnectionsNorSessions(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		w := newReloadWorld(t)
		works(t, os.Remove(w.path("ticket.key"))) // the world's; this sidecar has none
		random := startSidecar(t, w.app.url, "MTLS_RELOAD_INTERVAL=1h", "MTLS_CLIENT_CA_FILE="+w.path("ca.crt"),
			"MTLS_CERT_FILE="+w.path("tls.crt"), "MTLS_KEY_FILE="+w.path("tls.key"))
		v := newVisitor(version, w.clients[0])
		if v.resumes(t, random) {
			t.Error("the first visit was resumed")
		}
		open := random.dialWith(t, clientOf(version, w.clients[0]))
		if got := open.verdict(); got != "SUCCESS" {
			t.Errorf("before: got %s", got)
		}
		for i := range 2 {
			next := w.servers[1-i]
			w.put("tls.crt", pki.ChainPEM(*next))
			w.put("tls.key", w.key(next))
			works(t, random.Reload())
			if got := random.shows(t); got != next.Leaf.Subject.CommonName {
				t.Errorf("a new connection is shown %s, want %s", got, next.Leaf.Subject.CommonName)
			}
			if got := open.verdict(); got != "SUCCESS" {
				t.Errorf("on the open connection: got %s", got)
			}
			if !v.resumes(t, random) {
				t.Error("a session made before was not resumed")
			}
		}
	})
}

func TestNewTicketKeysComeIntoForceHoweverTheirFilesWereReplaced(t *testing.T) {
	p := newReloadPKI(t)
	app := startTeller(t)
	for _, way := range waysToReplace {
		t.Run(way.name, func(t *testing.T) {
			outer := folderFor(t)
			put(t, filepath.Join(outer, "ca.crt"), pki.CertPEM(p.cas[0].Cert))
			folder := filepath.Join(outer, "mount")
			works(t, os.Mkdir(folder, 0o700))
			keys := func(current, previous byte) contents {
				return contents{"current": ticketMaterial(current), "previous": ticketMaterial(previous)}
			}
			way.put(t, folder, keys(2, 1))
			s := startSidecar(t, app.url, "MTLS_RELOAD_INTERVAL=1h", "MTLS_CLIENT_CA_FILE="+filepath.Join(outer, "ca.crt"),
				"MTLS_TICKET_KEY_FILES="+filepath.Join(folder, "current")+","+filepath.Join(folder, "previous"))
			bothVersions(t, func(t *testing.T, version uint16) {
				way.put(t, folder, keys(2, 1))
				works(t, s.Reload())
				kept, lost := newVisitor(version, p.clients[0]), newVisitor(version, p.clients[0])
				kept.resumes(t, s)
				lost.resumes(t, s)
				for generation := byte(3); generation < 6; generation++ {
					way.put(t, folder, keys(generation, generation-1))
					works(t, s.Reload())
					if !kept.resumes(t, s) {
						t.Errorf("rotated to %d: a session of the key before was not resumed", generation)
					}
				}
				if lost.resumes(t, s) {
					t.Error("a session was resumed whose key is gone")
				}
			})
		})
	}
}

// A key that everybody can read is no key: the ones of before stay.
func TestATicketKeyThatEverybodyMayReadDoesNotReplaceTheOldOnes(t *testing.T) {
	w := newReloadWorld(t)
	v := newVisitor(tlsVersions[1].version, w.clients[0])
	v.resumes(t, w.sidecar)
	before := time.Now()
	path := w.path("ticket.key")
	for name, change := range map[string]func(){
		"the same file, opened to all": func() { works(t, os.Chmod(path, 0o604)) },
		"another key, open to all": func() {
			w.put("ticket.key", ticketMaterial(9))
			works(t, os.Chmod(path, 0o644))
		},
	} {
		change()
		w.look.look(false)
		if !v.resumes(t, w.sidecar) {
			t.Errorf("%s: the session is lost", name)
		}
		w.stands("ticket keys", before, "MTLS_TICKET_KEY_FILES", path, "; ", "0440")
	}
	w.put("ticket.key", ticketMaterial(9))
	works(t, os.Chmod(path, 0o440))
	w.look.look(false)
	if got := w.Troubles(); len(got) != 0 {
		t.Errorf("troubles are left: %v", got)
	}
	if v.resumes(t, w.sidecar) {
		t.Error("the new key opens what the old one sealed")
	}
}
