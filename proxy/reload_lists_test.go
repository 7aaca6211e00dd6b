package proxy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// listFolder is a sidecar whose revocation lists are in a folder, and its look.
type listFolder struct {
	*reloadWorld
	lists string
}

func newListFolder(t *testing.T, files func(p *reloadPKI) contents) *listFolder {
	t.Helper()
	w := &reloadWorld{t: t, reloadPKI: newReloadPKI(t), folder: folderFor(t), app: startTeller(t)}
	f := &listFolder{w, filepath.Join(w.folder, "lists")}
	works(t, os.Mkdir(f.lists, 0o700))
	for name, text := range w.worldFiles() {
		w.put(name, text)
	}
	for name, text := range files(w.reloadPKI) {
		w.put(filepath.Join("lists", name), text)
	}
	w.sidecar = startSidecar(t, w.app.url, append(worldEntries(w.folder), "MTLS_CRL="+f.lists)...)
	w.look = w.looker()
	return f
}

// says looks at the files and compares what is told of the first CA's client, which is
// revoked by some lists, and of the one that all of them revoke.
func (f *listFolder) says(what, first string) {
	f.t.Helper()
	f.look.look(false)
	if got := f.verdict(f.t, f.clients[0]); got != first {
		f.t.Errorf("%s: the client is told as %s, want %s", what, got, first)
	}
	if got := f.verdict(f.t, f.revoked); got != isRevoked {
		f.t.Errorf("%s: the revoked one is told as %s", what, got)
	}
}

func TestFilesInAFolderOfListsComeAndGo(t *testing.T) {
	f := newListFolder(t, func(p *reloadPKI) contents { return contents{"1.crl": p.list(p.cas[0], 1, p.revoked)} })
	newer := f.list(f.cas[0], 2, f.revoked, f.clients[0])
	f.says("one list", "SUCCESS")
	works(t, os.Mkdir(filepath.Join(f.lists, "..2026_11_22"), 0o700))
	f.put("lists/..2026_11_22/2.crl", newer)
	works(t, os.Mkdir(filepath.Join(f.lists, "sub"), 0o700))
	f.put("lists/sub/2.crl", newer)
	f.says("what stands in folders of the folder", "SUCCESS")
	f.put("lists/2.crl", newer)
	f.says("a newer one beside it", isRevoked)
	works(t, os.Remove(filepath.Join(f.lists, "1.crl")))
	f.says("the older one gone", isRevoked)
	if got := f.Troubles(); len(got) != 0 {
		t.Errorf("troubles: %v", got)
	}
	before := time.Now()
	works(t, os.Remove(filepath.Join(f.lists, "2.crl")))
	f.says("all gone", isRevoked)
	f.stands("revocation lists", before, "MTLS_CRL", f.lists, "; ")
	f.put("lists/1.crl", f.list(f.cas[0], 3, f.revoked))
	f.says("the one that takes it back", "SUCCESS")
	if got := f.Troubles(); len(got) != 0 {
		t.Errorf("troubles are left: %v", got)
	}
}

func TestFilesInAFolderOfCAsComeAndGo(t *testing.T) {
	p := newReloadPKI(t)
	folder := folderFor(t)
	at := func(name string) string { return filepath.Join(folder, name) }
	put(t, at("1.crt"), pki.CertPEM(p.cas[0].Cert))
	s := startSidecar(t, startTeller(t).url, "MTLS_RELOAD_INTERVAL=1h", "MTLS_CLIENT_CA_FILE="+folder, "MTLS_INVALID_CERT=failed")
	look := s.looker()
	says := func(what, first, second string) {
		t.Helper()
		look.look(false)
		if got := []string{s.verdict(t, p.clients[0]), s.verdict(t, p.clients[1])}; got[0] != first || got[1] != second {
			t.Errorf("%s: got %q, want %q and %q", what, got, first, second)
		}
	}
	says("the first", "SUCCESS", isUnknown)
	put(t, at("..2.crt"), pki.CertPEM(p.cas[1].Cert))
	says("a name that Kubernetes keeps for itself", "SUCCESS", isUnknown)
	put(t, at("2.crt"), pki.CertPEM(p.cas[1].Cert))
	says("both", "SUCCESS", "SUCCESS")
	works(t, os.Rename(at("1.crt"), at("..1.crt")))
	says("the second", isUnknown, "SUCCESS")
	works(t, os.Symlink(at("..1.crt"), at("linked.crt")))
	says("the first by a link", "SUCCESS", "SUCCESS")
	works(t, os.Remove(at("..1.crt")))
	says("whose target is gone", "SUCCESS", "SUCCESS")
	works(t, os.Remove(at("linked.crt")))
	says("the second again", isUnknown, "SUCCESS")
	works(t, os.Remove(at("2.crt")))
	says("none", isUnknown, "SUCCESS")
	if got := s.Troubles(); len(got) != 1 || !strings.Contains(got[0].Fault, folder) {
		t.Errorf("none: troubles: got %v, want one about %s", got, folder)
	}
	works(t, os.RemoveAll(folder))
	says("no folder", isUnknown, "SUCCESS")
	put(t, folder, pki.CertPEM(p.cas[0].Cert))
	says("a file where the folder was", "SUCCESS", isUnknown)
	works(t, os.Remove(folder))
	works(t, os.Mkdir(folder, 0o700))
	put(t, at("2.crt"), pki.CertPEM(p.cas[1].Cert))
	says("a folder where the file was", isUnknown, "SUCCESS")
	if got := s.Troubles(); len(got) != 0 {
		t.Errorf("troubles are left: %v", got)
	}
}

// Of several lists the sound ones count: a damaged file neither keeps the news of another
// out nor takes back what it had said itself.
func TestADamagedListKeepsTheNewsOfAnotherNotOut(t *testing.T) {
	f := newListFolder(t, func(p *reloadPKI) contents {
		return contents{"first.crl": p.list(p.cas[0], 1, p.revoked), "second.crl": p.list(p.cas[1], 1, p.clients[1])}
	})
	f.put("ca.crt", pki.CertPEM(f.cas[0].Cert, f.cas[1].Cert))
	f.says("both", "SUCCESS")
	before := time.Now()
	f.put("lists/first.crl", f.list(f.cas[0], 2, f.revoked, f.clients[0]))
	f.put("lists/second.crl", half(f.list(f.cas[1], 2)))
	for range 2 {
		f.says("the second damaged", isRevoked)
		if got := f.verdict(t, f.clients[1]); got != isRevoked {
			t.Errorf("whom the damaged list had revoked is told as %s", got)
		}
	}
	f.stands("revocation lists", before, filepath.Join(f.lists, "second.crl"), "MTLS_CRL", "; ")
	if got := len(f.ofFiles("some files could not be reloaded, the others are in force", "revocation lists")); got != 1 {
		t.Errorf("%d lines tell of the damaged list, want 1", got)
	}
	f.put("lists/second.crl", f.list(f.cas[1], 2))
	f.says("mended", isRevoked)
	if got := f.verdict(t, f.clients[1]); got != "SUCCESS" || len(f.Troubles()) > 0 {
		t.Errorf("mended: got %s and troubles %v", got, f.Troubles())
	}
}

// A list that is well formed and must not be believed is a trouble of its own.
func TestAListThatIsNotBelievedIsToldOnceUntilItIsGone(t *testing.T) {
	for name, text := range map[string]func(w *reloadWorld) []byte{
		"forged":           func(w *reloadWorld) []byte { return w.forged(w.cas[0], 9) },
		"older":            func(w *reloadWorld) []byte { return w.list(w.cas[0], 1) },
		"forged, revoking": func(w *reloadWorld) []byte { return w.forged(w.cas[0], 9, w.clients[0], w.revoked) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newReloadWorld(t)
			w.put("crl.pem", w.list(w.cas[0], 2, w.revoked))
			w.look.look(false)
			before := time.Now()
			w.put("crl.pem", text(w))
			for range 3 {
				w.look.look(false)
				if got := w.state(); got != soundState {
					t.Errorf("got %s, want still %s", got, soundState)
				}
			}
			w.stands("revocation lists refused", before, "MTLS_CRL", "first CA", "; ")
			if got := len(w.logged("faults of revocation lists, see which are in force")); got != 1 {
				t.Errorf("%d lines are logged, want 1", got)
			}
			if got := w.Count(CRLRefused); got != 1 {
				t.Errorf("counted %d refused lists, want 1", got)
			}
			w.put("crl.pem", w.list(w.cas[0], 3, w.revoked))
			w.look.look(false)
			if got := w.Troubles(); len(got) != 0 {
				t.Errorf("troubles are left: %v", got)
			}
			w.logsMended(1, "revocation lists refused")
		})
	}
}

func TestAForgedListAtTheStartEndsTheProgram(t *testing.T) {
	p := newReloadPKI(t)
	folder := folderFor(t)
	for name, text := range p.worldFiles() {
		put(t, filepath.Join(folder, name), text)
	}
	put(t, filepath.Join(folder, "crl.pem"), p.forged(p.cas[0], 1, p.revoked))
	config := environment(t, worldEntries(folder)...)
	material, err := Load(config)
	if err == nil {
		_, err = NewServer(config, material, silentLog())
	}
	wantFault(t, err, "MTLS_CRL", filepath.Join(folder, "crl.pem"), "first CA")
}
