package proxy

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// loadReloads is how often the files change while clients ask.
const loadReloads = 1000

// keepStep is after how many reloads slow clients are waited for. It goes into none
// of the rhythms of the epochs, so that those clients, too, see all of them.
const keepStep = 37

// epochs are what the files have said, one after another. What is in force at any
// time is an epoch between the last that has come into force and the last that was begun.
type epochs struct {
	begun, inForce atomic.Int64
	mu             sync.Mutex
	turn           chan struct{} // closed with the next epoch
}

// begins tells everybody that the files are about to change.
func (e *epochs) begins(i int) {
	e.begun.Store(int64(i))
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.turn)
	e.turn = make(chan struct{})
}

func (e *epochs) next() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.turn
}

// What an epoch says. The second CA comes and goes, a client of the first is suspended and
// taken back, and the server's certificate changes, each in a rhythm of its own.
func secondIsTrusted(epoch int) bool { return epoch%3 != 1 }

func isSuspended(epoch int) bool { return epoch/4%2 == 1 }

func serverOf(epoch int) int { return epoch / 2 % 2 }

// loadFiles makes the files of each epoch.
type loadFiles struct {
	*reloadPKI
	suspended *tls.Certificate
	cas       [2][]byte // without the second CA, and with it
	chains    [2][]byte
	keys      [2][]byte
	second    []byte // its list
	first     []byte // the list of the first, made anew when it changes
}

func newLoadFiles(t *testing.T) *loadFiles {
	p := newReloadPKI(t)
	f := &loadFiles{reloadPKI: p, suspended: p.issue(p.cas[0], "suspended", x509.ExtKeyUsageClientAuth)}
	f.cas = [2][]byte{pki.CertPEM(p.cas[0].Cert), pki.CertPEM(p.cas[0].Cert, p.cas[1].Cert)}
	for i, server := range p.servers {
		f.chains[i], f.keys[i] = pki.ChainPEM(*server), p.key(server)
	}
	f.second = p.list(p.cas[1], 1)
	return f
}

func (f *loadFiles) of(epoch int) contents {
	if epoch%4 == 0 { // the list's turn
		revoked := []*tls.Certificate{f.revoked}
		if isSuspended(epoch) {
			revoked = append(revoked, f.suspended)
		}
		f.first = f.list(f.reloadPKI.cas[0], int64(epoch/4+1), revoked...)
	}
	cas := f.cas[0]
	if secondIsTrusted(epoch) {
		cas = f.cas[1]
	}
	generation := epoch / 5
	ticket := func(generation int) []byte { return fmt.Appendf(nil, "material%040d", generation) }
	return contents{
		"tls.crt": f.chains[serverOf(epoch)], "tls.key": f.keys[serverOf(epoch)],
		"ca.crt": cas, "crl.pem": append(bytes.Clone(f.first), f.second...),
		"ticket.key": ticket(generation + 1), "ticket.old": ticket(generation),
	}
}

// openFiles counts this process's descriptors, where the system tells them.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// volatileFolder is in memory, as Kubernetes keeps Secrets, where the system has
// such a place: a disk would make the test wait.
func volatileFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("/dev/shm", "reload-test-")
	if err != nil {
		return folderFor(t)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

func TestAThousandReloadsUnderLoadHarmNobodyAndDeceiveNobody(t *testing.T) {
	app := startTeller(t)
	files, routines := openFiles(), runtime.NumGoroutine()
	t.Run("reloads", func(t *testing.T) {
		f := newLoadFiles(t)
		volume := volatileFolder(t)
		swapData(t, volume, f.of(0))
		at := func(name string) string { return filepath.Join(volume, name) }
		s := startSidecar(t, app.url, "MTLS_CERT_FILE="+at("tls.crt"), "MTLS_KEY_FILE="+at("tls.key"), "MTLS_CLIENT_CA_FILE="+at("ca.crt"),
			"MTLS_CRL="+at("crl.pem"), "MTLS_TICKET_KEY_FILES="+at("ticket.key")+","+at("ticket.old"),
			"MTLS_INVALID_CERT=failed", "MTLS_RELOAD_INTERVAL=3ms")
		clients := loadClients(f)
		most := s.underLoad(t, clients, func(epoch int) {
			swapData(t, volume, f.of(epoch))
			works(t, s.Reload())
		})
		wantSoundLoad(t, s, clients)
		// Each client's connection has two ends here and one at the application, that one with two
		// ends, and a reload may have some files open.
		if bound := files + 5*len(clients) + 20; most > bound {
			t.Errorf("%d files were open at once, want at most %d", most, bound)
		}
	})
	waitFor(t, "no file is left open", func() bool { return openFiles() <= files })
	waitFor(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= routines })
}

// underLoad has the clients ask while the files change, and returns how many files were
// open at most.
func (s *sidecar) underLoad(t *testing.T, clients []*loadClient, change func(epoch int)) (most int) {
	t.Helper()
	e := &epochs{turn: make(chan struct{})}
	over := make(chan struct{})
	var group sync.WaitGroup
	defer group.Wait()
	defer close(over)
	for _, c := range clients {
		group.Go(func() { c.runs(t, s, e, over) })
	}
	for epoch := 1; epoch <= loadReloads && !t.Failed(); epoch++ {
		e.begins(epoch)
		change(epoch)
		e.inForce.Store(int64(epoch))
		if epoch%keepStep == 0 {
			most = max(most, openFiles())
			waitFor(t, "the clients keep step", func() bool {
				return t.Failed() || !slices.ContainsFunc(clients, func(c *loadClient) bool { return c.isDue(int64(epoch)) })
			})
		}
	}
	return most
}

// wantSoundLoad looks back: there was no trouble, and the clients saw belief come
// and go.
func wantSoundLoad(t *testing.T, s *sidecar, clients []*loadClient) {
	t.Helper()
	if got := s.Troubles(); len(got) != 0 || s.Count(ReloadFailed) != 0 || s.Count(CRLRefused) != 0 {
		t.Errorf("troubles %v, %d failed reloads, %d lists refused; want none", got, s.Count(ReloadFailed), s.Count(CRLRefused))
	}
	if got := s.Count(Reloaded); got < loadReloads {
		t.Errorf("counted %d reloads, want %d at least", got, loadReloads)
	}
	// The CAs of two epochs in three are not those of the one before, and lists change with others.
	if got := s.store.Generation(); got < loadReloads*2/3 {
		t.Errorf("belief has changed %d times, want %d at least", got, loadReloads*2/3)
	}
	for _, c := range clients {
		changes := c.told(4) != c.told(0) || c.told(1) != c.told(0)
		if changes && len(c.heard) < 2 || !changes && len(c.heard) != 1 {
			t.Errorf("%s heard %v in %d requests", c.name, c.heard, c.asked.Load())
		}
	}
}
