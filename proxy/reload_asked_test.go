package proxy

import (
	"crypto/x509/pkix"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap/zaptest/observer"

	"mtls-sidecar/proxy/pki"
)

// Whoever asks gets an answer, also when the server ends meanwhile.
func TestReloadsAskedForAtOnceAllEnd(t *testing.T) {
	w := newReloadWorld(t)
	var group sync.WaitGroup
	returned := make(chan error, 16*8)
	for range 16 {
		group.Go(func() {
			for range 8 {
				returned <- w.Reload()
			}
		})
	}
	for range 16 {
		if err := await(t, "a reload", returned); err != nil {
			t.Errorf("while the server runs: %v", err)
		}
	}
	w.shutsDown(t)
	group.Wait()
	close(returned)
	for err := range returned {
		if err != nil && !errors.Is(err, ErrNotStarted) {
			t.Errorf("got %v", err)
		}
	}
	if err := w.Reload(); !errors.Is(err, ErrNotStarted) {
		t.Errorf("after the shutdown: got %v, want %v", err, ErrNotStarted)
	}
}

// What a reload returns for is in force for the very next connection.
func TestWhatAReloadWasAskedForIsInForceWhenItReturns(t *testing.T) {
	w := newReloadWorld(t)
	for i := range 20 {
		next := w.servers[i%2]
		w.put("tls.crt", pki.ChainPEM(*next))
		w.put("tls.key", w.key(next))
		w.put("ca.crt", pki.CertPEM(w.cas[i%2].Cert))
		works(t, w.Reload())
		if got, told := w.shows(t), w.verdict(t, w.clients[i%2]); got != next.Leaf.Subject.CommonName || told == isUnknown {
			t.Errorf("reload %d: got %s and %s", i, got, told)
		}
	}
}

// A warning is told when it is news, not at every look.
func TestAWarningOfAReloadIsToldOnce(t *testing.T) {
	w := newReloadWorld(t)
	expired, err := pki.NewRoot(pki.Options{Subject: pkix.Name{CommonName: "Old CA"}, NotBefore: time.Now().AddDate(-2, 0, 0), NotAfter: time.Now().AddDate(-1, 0, 0)})
	works(t, err)
	warned := func() int {
		return len(slices.DeleteFunc(w.logs.All(), func(line observer.LoggedEntry) bool { return !strings.Contains(line.Message, "Old CA") }))
	}
	good := pki.CertPEM(w.cas[0].Cert)
	for i, step := range []struct {
		text []byte
		want int
	}{
		{pki.CertPEM(w.cas[0].Cert, expired.Cert), 1},
		{pki.CertPEM(expired.Cert, w.cas[0].Cert), 1},
		{good, 1},
		{pki.CertPEM(w.cas[0].Cert, expired.Cert), 2},
	} {
		w.put("ca.crt", step.text)
		w.look.look(false)
		w.look.look(true)
		if got := warned(); got != step.want {
			t.Errorf("step %d: the warning was told %d times, want %d", i, got, step.want)
		}
	}
}

// The files are looked at without anybody asking, and a fault that stands is
// told once however often they are.
func TestAFaultThatStandsIsNotToldAtEveryPoll(t *testing.T) {
	p := newReloadPKI(t)
	folder := folderFor(t)
	for name, text := range p.worldFiles() {
		put(t, filepath.Join(folder, name), text)
	}
	s := startSidecar(t, startTeller(t).url, append(worldEntries(folder), "MTLS_RELOAD_INTERVAL=1ms")...)
	w := &reloadWorld{sidecar: s, reloadPKI: p, t: t, folder: folder}
	w.put("hints.crt", nil)
	waitFor(t, "the trouble", func() bool { return len(s.Troubles()) == 1 })
	for i := range 20 { // each comes into force by a later look than the last
		w.put("tls.crt", pki.ChainPEM(*p.servers[1-i%2]))
		w.put("tls.key", p.key(p.servers[1-i%2]))
		waitFor(t, "another look", func() bool { return w.shows(t) == p.servers[1-i%2].Leaf.Subject.CommonName })
	}
	w.logsFaults(1, "client CAs", "MTLS_CA_HINTS", w.path("hints.crt"))
	w.put("hints.crt", pki.CertPEM(p.cas[0].Cert))
	waitFor(t, "it is mended", func() bool { return len(s.Troubles()) == 0 })
	w.logsMended(1, "client CAs")
}
