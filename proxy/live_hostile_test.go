package proxy

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// huge is a list of the intermediate with 100,000 entries, the outcast's among
// them.
func (w *liveWorld) huge(number int64) []byte {
	w.t.Helper()
	now := time.Now()
	template := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: now.Add(time.Duration(number-60) * time.Second), NextUpdate: now.Add(time.Hour)}
	add := func(serial *big.Int) {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: serial, RevocationTime: now})
	}
	for n := range int64(100_000) {
		add(big.NewInt(n + 1))
	}
	add(w.outcast.certificate.Leaf.SerialNumber)
	list, err := x509.CreateRevocationList(rand.Reader, template, w.inter.Cert, w.inter.Key)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// load is clients that ask without pause, some on kept connections, some anew.
type load struct {
	w      *liveWorld
	stop   atomic.Bool
	asked  atomic.Int64
	faults chan error
	done   chan struct{}
}

// loads starts n clients of each kind, who must be told SUCCESS each time, and as many
// outcasts, who must never be.
func (w *liveWorld) loads(n int) *load {
	l := &load{w: w, faults: make(chan error, 3*n), done: make(chan struct{}, 3*n)}
	for i := range n {
		version := tlsVersions[i%2].version
		go l.run(newVisitor(version, w.victim.certificate), true, "SUCCESS")
		go l.run(newVisitor(version, w.victim.certificate), false, "SUCCESS")
		go l.run(newVisitor(version, w.outcast.certificate), false, "")
	}
	return l
}

// run asks on one connection, or on one after another.
func (l *load) run(v *visitor, kept bool, want string) {
	defer func() { l.done <- struct{}{} }()
	var c *client
	for n := 0; !l.stop.Load(); n++ {
		if c == nil {
			var err error
			if c, err = l.w.reach(l.w.t, v.config(), nil); err != nil {
				l.faults <- fmt.Errorf("connecting: %w", err)
				return
			}
		}
		err := l.ask(c, fmt.Sprintf("/plain/%p/%d", v, n), want)
		if !kept || err != nil {
			c.Close()
			c = nil
		}
		if err != nil {
			l.faults <- err
			return
		}
		l.asked.Add(1)
	}
	if c != nil {
		c.Close()
	}
}

func (l *load) ask(c *client, path, want string) error {
	if _, err := io.WriteString(c, get(path)); err != nil {
		return fmt.Errorf("asking: %w", err)
	}
	answer, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return fmt.Errorf("reading the body: %w", err)
	}
	head := l.w.app.head(path)
	switch {
	case want == "" && (answer.StatusCode != 400 || head != ""):
		return fmt.Errorf("status %d for one who is revoked; the application saw %q", answer.StatusCode, head)
	case want != "" && (answer.StatusCode != 200 || told(head) != toldAs(want, "CN=victim")):
		return fmt.Errorf("status %d, the application saw %q", answer.StatusCode, told(head))
	}
	return nil
}

// ends stops the clients and wants every one of their requests well answered.
func (l *load) ends(t *testing.T) {
	t.Helper()
	l.stop.Store(true)
	for range cap(l.done) {
		await(t, "a client's end", l.done)
	}
	close(l.faults)
	for err := range l.faults {
		t.Error(err)
	}
}

// goesOn waits until so many more requests were answered, or one badly.
func (l *load) goesOn(t *testing.T, requests int64) {
	t.Helper()
	from := l.asked.Load()
	waitFor(t, "requests are answered", func() bool { return len(l.faults) > 0 || l.asked.Load() >= from+requests })
}

func TestListsMayBeHugeOrDamagedWhileRequestsRun(t *testing.T) {
	w := newLiveWorld(t, liveSetting{books: newGoRegistrar, withLists: true})
	w.sidecar.start(t)
	first := w.huge(10)
	second := w.huge(11)
	older := w.inter.makes(listSpec{1, time.Now().Add(-time.Hour), time.Now().Add(time.Hour)})
	l := w.loads(2)
	w.puts("crl/inter.crl", first)
	w.reloads()
	l.goesOn(t, 20)
	for what, damaged := range map[string][]byte{
		"cut short": first[:len(first)/2], "empty": nil, "another's signature": altered(bytes.Clone(second)), "older": older,
		"PEM of nothing": []byte("-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n"), "trailing": append(bytes.Clone(second), 0),
		"zeros": make([]byte, 1<<20), "a folder's worth": bytes.Repeat([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff}, 1<<16),
	} {
		w.puts("crl/inter.crl", damaged)
		w.reloads()
		l.goesOn(t, 20)
		if what != "another's signature" && len(w.Troubles()) == 0 {
			t.Errorf("%s: nothing troubles the sidecar", what)
		}
	}
	w.inter.marks(w.other.certificate.Leaf, revoked)
	w.puts("crl/inter.crl", second)
	w.reloads()
	l.goesOn(t, 20)
	l.ends(t)
	if troubles := w.Troubles(); len(troubles) > 0 {
		t.Errorf("in the end: %v", troubles)
	}
	var entries int
	for _, list := range w.belief.lists.All() {
		entries = max(entries, list.Entries())
	}
	if entries != 100_001 {
		t.Errorf("the largest list in force has %d entries, want 100001", entries)
	}
}

// hostileAnswers are what a responder should not say.
func (w *liveWorld) hostileAnswers() map[string]http.HandlerFunc {
	write := func(status int, text []byte) http.HandlerFunc {
		return func(answer http.ResponseWriter, _ *http.Request) {
			answer.Header().Set("Content-Type", "application/ocsp-response")
			answer.WriteHeader(status)
			_, _ = answer.Write(text)
		}
	}
	some := make([]byte, 64<<10)
	endless := func(answer http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := answer.Write(some); err != nil {
				return
			}
		}
	}
	return map[string]http.HandlerFunc{
		"nothing":      write(200, nil),
		"not found":    write(404, []byte("404")),
		"garbage":      write(200, []byte("<html>it works</html>")),
		"deep":         write(200, bytes.Repeat([]byte{0x30, 0x80}, 32<<10)),
		"giant length": write(200, []byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x0a, 0x01}),
		"zeros":        write(200, make([]byte, 8<<20)),
		"endless":      endless,
		"redirected":   http.RedirectHandler("http://169.254.169.254/", http.StatusFound).ServeHTTP,
		"silent":       func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"broken off": func(answer http.ResponseWriter, _ *http.Request) {
			answer.Header().Set("Content-Length", "5000")
			answer.WriteHeader(200)
			_, _ = answer.Write([]byte{0x30, 0x82})
		},
	}
}

func TestAResponderMaySayAnythingAndNobodyIsBelievedForIt(t *testing.T) {
	for _, fail := range []string{"reject", "allow"} {
		w := newLiveWorld(t, liveSetting{books: newGoRegistrar, withOCSP: true,
			entries: []string{"MTLS_OCSP_FAIL=" + fail, "MTLS_OCSP_TIMEOUT=300ms"}})
		w.sidecar.start(t)
		d := doubtOCSPFailed
		if fail == "allow" {
			d = nil
		}
		for what, handler := range w.hostileAnswers() {
			t.Run(fail+"/"+what, func(t *testing.T) {
				w.t = t
				who := w.inter.issues("client of "+what, pki.Options{})
				*who.certificate = pki.With(*who.certificate, w.inter.Cert)
				w.hostile.Store(&handler)
				before := allocated(0)
				w.asks(w.dial(t, who.certificate), who.cn, d)
				if n := allocated(before); n > 16<<20 {
					t.Errorf("the answer took %d MiB", n>>20)
				}
				w.hostile.Store(nil)
				w.asks(w.dial(t, w.victim.certificate), "victim", nil)
			})
		}
	}
}
