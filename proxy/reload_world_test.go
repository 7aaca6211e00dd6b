package proxy

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"mtls-sidecar/proxy/pki"
)

// reloadPKI is what the files of these tests are made of: two of everything.
type reloadPKI struct {
	t       testing.TB
	cas     [2]*pki.Authority
	clients [2]*tls.Certificate // of the first CA, and of the second
	revoked *tls.Certificate    // of the first CA, on each of its lists
	servers [2]*tls.Certificate
}

func newReloadPKI(t testing.TB) *reloadPKI {
	t.Helper()
	p := &reloadPKI{t: t}
	for i, name := range []string{"first", "second"} {
		ca, err := pki.NewRoot(pki.Options{Subject: pkix.Name{CommonName: name + " CA"}})
		if err != nil {
			t.Fatal(err)
		}
		p.cas[i] = ca
		p.clients[i] = p.issue(ca, name, x509.ExtKeyUsageClientAuth)
		p.servers[i] = p.issue(testCA(t).ca, name+" server", x509.ExtKeyUsageServerAuth)
	}
	p.revoked = p.issue(p.cas[0], "revoked", x509.ExtKeyUsageClientAuth)
	return p
}

func (p *reloadPKI) issue(ca *pki.Authority, name string, usage x509.ExtKeyUsage) *tls.Certificate {
	p.t.Helper()
	certificate, err := ca.Issue(pki.Options{Subject: pkix.Name{CommonName: name}, EKU: []x509.ExtKeyUsage{usage}})
	if err != nil {
		p.t.Fatal(err)
	}
	return &certificate
}

func (p *reloadPKI) key(of *tls.Certificate) []byte {
	p.t.Helper()
	text, err := pki.KeyPEM(of.PrivateKey)
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// list is a revocation list of a CA, good for an hour.
func (p *reloadPKI) list(ca *pki.Authority, number int64, revoked ...*tls.Certificate) []byte {
	p.t.Helper()
	now := time.Now()
	template := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Hour)}
	for _, c := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: c.Leaf.SerialNumber, RevocationTime: now.Add(-time.Minute)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, ca.Cert, ca.Key)
	if err != nil {
		p.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

// forged is a list in a CA's name that somebody else has signed.
func (p *reloadPKI) forged(ca *pki.Authority, number int64, revoked ...*tls.Certificate) []byte {
	p.t.Helper()
	forger, err := pki.NewRoot(pki.Options{Subject: ca.Cert.Subject})
	if err != nil {
		p.t.Fatal(err)
	}
	forger.Cert.SubjectKeyId = ca.Cert.SubjectKeyId
	return p.list(forger, number, revoked...)
}

// contents are files by their names.
type contents map[string][]byte

// padded makes all PEM files of a group one size, so that no change shows in it.
func padded(files contents) contents {
	const size = 8 << 10
	all := contents{}
	for name, text := range files {
		all[name] = append(bytes.Clone(text), bytes.Repeat([]byte("\n"), size-len(text))...)
	}
	return all
}

// folderFor makes a temporary one whose name has no comma, which would end a
// list's element.
func folderFor(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "reload-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

func put(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func works(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// swapData does what the kubelet does with a volume (AtomicWriter): the files are in a
// folder with a date, ..data is a link to it that is replaced by renaming, and what
// people see are links through ..data, so that all files change at one
// instant. The old folder is deleted.
func swapData(t testing.TB, folder string, files contents) {
	t.Helper()
	data := filepath.Join(folder, "..data")
	old, oldErr := os.Readlink(data)
	dated, err := os.MkdirTemp(folder, "..2026_11_22_")
	works(t, err)
	for name, text := range files {
		put(t, filepath.Join(dated, name), text)
	}
	works(t, os.Symlink(filepath.Base(dated), data+"_tmp"))
	works(t, os.Rename(data+"_tmp", data))
	for name := range files {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(folder, name)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	removeOthers(t, folder, files)
	if oldErr == nil {
		works(t, os.RemoveAll(filepath.Join(folder, old)))
	}
}

// removeOthers removes what people see in the folder and is not among the files.
func removeOthers(t testing.TB, folder string, files contents) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	works(t, err)
	for _, entry := range entries {
		if _, stays := files[entry.Name()]; !stays && !strings.HasPrefix(entry.Name(), "..") {
			works(t, os.Remove(filepath.Join(folder, entry.Name())))
		}
	}
}

// sorted gives the order in which people would write files: the certificate
// before the key.
func sorted(files contents) []string { return slices.Sorted(maps.Keys(files)) }

// waysToReplace are the ways in which files change under a program. Each puts the
// files into a folder, in place of what is there.
var waysToReplace = []struct {
	name string
	put  func(t testing.TB, folder string, files contents)
}{
	{"Kubernetes swaps ..data", swapData},
	{"renamed over", func(t testing.TB, folder string, files contents) {
		t.Helper()
		for _, name := range sorted(files) {
			put(t, folder+".new", files[name])
			works(t, os.Rename(folder+".new", filepath.Join(folder, name)))
		}
		removeOthers(t, folder, files)
	}},
	{"truncated and rewritten in place", func(t testing.TB, folder string, files contents) {
		t.Helper()
		for _, name := range sorted(files) {
			put(t, filepath.Join(folder, name), files[name])
		}
		removeOthers(t, folder, files)
	}},
	{"of the same size, time and inode", rewriteUnnoticed},
	{"removed and made anew", func(t testing.TB, folder string, files contents) {
		t.Helper()
		removeOthers(t, folder, nil)
		for _, name := range sorted(files) {
			put(t, filepath.Join(folder, name), files[name])
		}
	}},
	{"the folder replaced", func(t testing.TB, folder string, files contents) {
		t.Helper()
		works(t, os.Mkdir(folder+".new", 0o700))
		for name, text := range files {
			put(t, filepath.Join(folder+".new", name), text)
		}
		works(t, os.Rename(folder, folder+".old"))
		works(t, os.Rename(folder+".new", folder))
		works(t, os.RemoveAll(folder+".old"))
	}},
}

// rewriteUnnoticed leaves nothing that a look at the file's attributes would show.
func rewriteUnnoticed(t testing.TB, folder string, files contents) {
	t.Helper()
	for _, name := range sorted(files) {
		path := filepath.Join(folder, name)
		before, err := os.Stat(path)
		put(t, path, files[name])
		if err != nil {
			continue // the first time
		}
		works(t, os.Chtimes(path, before.ModTime(), before.ModTime()))
		after, err := os.Stat(path)
		works(t, err)
		if after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) || !os.SameFile(before, after) {
			t.Fatalf("%s: the change shows: %v, %v", name, before, after)
		}
	}
	removeOthers(t, folder, files)
}

// startTeller is an application whose answer is the VERIFIED that it was told.
func startTeller(t testing.TB) *backend {
	t.Helper()
	b := startBackend(t, func(conn net.Conn, _ *bufio.Reader, head string) bool {
		verdict := strings.Join(values(head, "VERIFIED"), "|")
		_, err := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(verdict), verdict)
		return err == nil
	})
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-b.requests:
			case <-done:
				return
			}
		}
	}()
	t.Cleanup(func() { close(done) })
	return b
}

// verdict is what a startTeller application is told on a new connection.
func (s *sidecar) verdict(t testing.TB, certificate *tls.Certificate) string {
	t.Helper()
	c := s.dial(t, certificate)
	defer c.Close()
	return c.verdict()
}

func (c *client) verdict() string {
	c.t.Helper()
	_, _ = io.WriteString(c, getRequest)
	_, body := c.answer("GET")
	return body
}

// shows is the name in the certificate that new connections are shown.
func (s *sidecar) shows(t testing.TB) string {
	t.Helper()
	c := s.dial(t, nil)
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// looker looks at the files when the test says so.
func (s *sidecar) looker() *reloader { return &reloader{server: s.Server, seen: s.belief.seen} }

// What OpenSSL and thereby nginx say of these clients.
const (
	isRevoked = "FAILED:certificate revoked"
	isUnknown = "FAILED:unable to verify the first certificate"
)

func silentLog() *zap.Logger { return zap.NewNop() }
