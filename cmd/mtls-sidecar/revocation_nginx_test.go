package main_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"text/template"

	"mtls-sidecar/proxy/pki"
)

// exile is a client that is revoked between two runs of a server, which shares its
// ticket keys with the one before, as replicas do and as a reload of nginx does.
type exile struct {
	t   *testing.T
	m   *mint
	dir string
}

func newExile(t *testing.T) exile {
	t.Helper()
	m := newMint(t)
	e := exile{t, m, m.files()}
	ticket := make([]byte, 80)
	_, _ = rand.Read(ticket) // never fails
	write(t, filepath.Join(e.dir, "ticket.key"), string(ticket))
	e.list(1)
	return e
}

func (e exile) list(number int64, revoked ...*x509.Certificate) {
	e.t.Helper()
	text, err := e.m.good.CRL(number, revoked...)
	if err != nil {
		e.t.Fatal(err)
	}
	write(e.t, filepath.Join(e.dir, "ca.crl"), string(text))
}

// run starts a server, asks it, and stops it.
type run func(ask func(peer))

// tale asks with a session made before the revocation and without one. resumed tells
// where the session was used.
func (e exile) tale(first, second run) (all answers, resumed map[string]bool) {
	e.t.Helper()
	all, resumed = answers{}, map[string]bool{}
	clients := map[string]client{}
	var leaving []*x509.Certificate
	for name, version := range tlsVersions() {
		cert := e.m.leaf(e.m.good, pki.Options{Subject: named("exile")})
		leaving = append(leaving, cert.Leaf)
		clients[name] = client{cert: &cert, version: version, sessions: tls.NewLRUClientSessionCache(1)}
	}
	first(func(p peer) {
		for name, c := range clients {
			if a, _ := p.session(e.t, c, "optional"); a.verified != "SUCCESS" {
				e.t.Errorf("TLS %s, while all is well: got %v", name, a)
			}
		}
	})
	e.list(2, leaving...)
	second(func(p peer) {
		for name, c := range clients {
			k := key("revoked, session resumed", "optional", name)
			all[k], resumed[k] = p.session(e.t, c, "optional")
			all[key("revoked, no session", "optional", name)], _ = p.session(e.t, client{cert: c.cert, version: c.version}, "optional")
		}
	})
	return all, resumed
}

// nginx runs the real one once.
func (e exile) nginx(ask func(peer)) {
	e.t.Helper()
	n := &nginx{recorder: startRecorder(e.t)}
	page, err := template.ParseFiles(nginxData("revoked.conf.tmpl"))
	if err != nil {
		e.t.Fatal(err)
	}
	for range 5 { // a port that was free a moment ago may be taken by now
		port := freePorts(e.t, 1)[0]
		n.addrs = map[string]string{"optional": fmt.Sprintf("127.0.0.1:%d", port)}
		file, err := os.Create(filepath.Join(e.dir, "nginx.conf"))
		if err != nil {
			e.t.Fatal(err)
		}
		err = page.Execute(file, map[string]any{"Dir": e.dir, "Port": port, "Application": n.recorder.addr})
		if closed := file.Close(); err != nil || closed != nil {
			e.t.Fatal(err, closed)
		}
		p := start(e.t, "nginx", exec.Command(need(e.t, "nginx"), "-p", e.dir, "-c", filepath.Join(e.dir, "nginx.conf")))
		if n.listens(p) {
			ask(peer{n.addrs, n.recorder})
			p.stop(e.t)
			return
		}
	}
	e.t.Fatal("nginx did not start")
}

// sidecar runs ours once.
func (e exile) sidecar(ask func(peer)) {
	e.t.Helper()
	application := startRecorder(e.t)
	car := startSidecar(e.t, oracleSettings(e.dir, application.addr, setting{"optional", "optional", "10"}).with(settings{
		"MTLS_CRL":              filepath.Join(e.dir, "ca.crl"),
		"MTLS_TICKET_KEY_FILES": filepath.Join(e.dir, "ticket.key"),
	}))
	ask(peer{map[string]string{"optional": car.addr}, application})
	car.stop(e.t)
}

// TestNginxBelievesARevokedClientsSessionAndWeDoNot: OpenSSL keeps the result of a verification
// in the session, and a resumed one is not verified again. That is the known difference to the safe side.
func TestNginxBelievesARevokedClientsSessionAndWeDoNot(t *testing.T) {
	t.Run("Nginx", func(t *testing.T) {
		t.Parallel()
		all := nginxAnswers(t, "revoked.txt", func() answers {
			e := newExile(t)
			all, resumed := e.tale(e.nginx, e.nginx)
			for k, did := range resumed {
				if !did {
					t.Errorf("%s: nginx did not resume", k)
				}
			}
			return all
		})
		for name := range tlsVersions() {
			if a := all.at(t, key("revoked, session resumed", "optional", name)); a.verified != "SUCCESS" {
				t.Errorf("TLS %s: nginx says %v: the known difference is gone, and the README wrong", name, a)
			}
			if a := all.at(t, key("revoked, no session", "optional", name)); a.status != 400 || a.verify != "FAILED:certificate revoked" {
				t.Errorf("TLS %s: nginx says %v of a revoked certificate", name, a)
			}
		}
	})
	t.Run("Sidecar", func(t *testing.T) {
		t.Parallel()
		e := newExile(t)
		all, resumed := e.tale(e.sidecar, e.sidecar)
		for k, a := range all {
			if a.status != 400 || a.verified != "" || resumed[k] {
				t.Errorf("%s: got %v, resumed %v, want a full handshake, 400 and nothing told to the application", k, a, resumed[k])
			}
		}
	})
	t.Run("SidecarResumesWhoIsNotRevoked", func(t *testing.T) {
		t.Parallel()
		e := newExile(t)
		_, resumed := e.tale(e.sidecar, func(ask func(peer)) {
			e.list(3) // everybody is released again
			e.sidecar(ask)
		})
		for k, did := range resumed {
			if !did {
				t.Errorf("%s: not resumed, so that the test above proves nothing", k)
			}
		}
	})
}
