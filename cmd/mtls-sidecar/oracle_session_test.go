package main_test

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// keepRequest leaves the connection open.
const keepRequest = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

func sessionSettings() []setting {
	return []setting{{"optional", "optional", "10"}, {"optional_no_ca", "optional_no_ca", "10"}, {"on", "on", "10"}}
}

// peer is a proxy under test and the application behind it.
type peer struct {
	addrs       map[string]string // setting → address
	application *recorder
}

// askOn asks over an open connection.
func (p peer) askOn(conn *connection) (answer, error) {
	response, _, err := conn.ask(keepRequest)
	if err != nil {
		return answer{}, err
	}
	return p.seen(response), nil
}

// seen makes an answer of a response and of what the application saw.
func (p peer) seen(response *http.Response) answer {
	a := answer{status: response.StatusCode, verify: response.Header.Get("X-Client-Verify")}
	if saw := p.application.take(); saw != nil {
		a.verified, a.dn = strings.Join(saw.values("verified"), ", "), strings.Join(saw.values("dn"), ", ")
	}
	return a
}

// session dials and asks once; resumed tells whether an older session was used.
func (p peer) session(t *testing.T, c client, setting string) (a answer, resumed bool) {
	t.Helper()
	conn, err := c.dial(p.addrs[setting])
	if err != nil {
		t.Fatalf("%s: %v", setting, err)
	}
	defer conn.Close()
	if a, err = p.askOn(conn); err != nil {
		t.Fatalf("%s: %v", setting, err)
	}
	return a, conn.ConnectionState().DidResume
}

// sessionRows are enough to meet every kind of verdict.
func sessionRows(t *testing.T) *mint {
	m := newMint(t)
	m.rows = append(m.rows, row{"nothing", nil})
	m.issue("good", m.good, pki.Options{Subject: named("good")})
	m.issue("expired", m.good, pki.Options{NotBefore: days(-9), NotAfter: days(-1)})
	m.issue("unknown CA", m.stranger(pki.Options{Subject: named("Stranger")}), pki.Options{})
	return m
}

// resume asks twice about each row, the second time with the first one's
// session, and tells which of the second ones were really resumed.
func (m *mint) resume(p peer) (all answers, resumed map[string]bool) {
	all, resumed = answers{}, map[string]bool{}
	for _, s := range sessionSettings() {
		for tlsName, version := range tlsVersions() {
			for _, r := range m.rows {
				c := client{cert: r.cert, version: version, sessions: tls.NewLRUClientSessionCache(1)}
				first, _ := p.session(m.t, c, s.name)
				again, did := p.session(m.t, c, s.name)
				all[key(r.name, s.name, tlsName)] = first
				all[key(r.name+", again", s.name, tlsName)] = again
				resumed[key(r.name, s.name, tlsName)] = did
			}
		}
	}
	return all, resumed
}

// TestResumedSessionsHaveNginxsVerdicts also asserts that good sessions are
// resumed at all: a test of full handshakes would prove nothing.
func TestResumedSessionsHaveNginxsVerdicts(t *testing.T) {
	m := sessionRows(t)
	dir := m.files()
	want := nginxAnswers(t, "sessions.txt", func() answers {
		n := startNginx(t, dir, sessionSettings())
		all, resumed := m.resume(peer{n.addrs, n.recorder})
		for k, did := range resumed {
			if !did {
				t.Errorf("%s: nginx did not resume", k)
			}
		}
		return all
	})
	application := startRecorder(t)
	p := peer{map[string]string{}, application}
	for _, s := range sessionSettings() {
		p.addrs[s.name] = startSidecar(t, oracleSettings(dir, application.addr, s)).addr
	}
	got, resumed := m.resume(p)
	for k, a := range got {
		c := comparison{where: k, got: a, nginxs: want.at(t, k)}
		c.safer(t)
		c.equal(t)
	}
	for k, did := range resumed {
		if a := got[k]; (a.verified == "SUCCESS" || a.verified == "NONE") && !did {
			t.Errorf("%s: the session was not resumed", k)
		}
	}
}

// lifetime is how long the certificates of the next test are good for: long
// enough to connect a few times on a busy machine.
const lifetime = 4 * time.Second

// end waits until a certificate has ended, to the second that OpenSSL counts in.
func end(cert *tls.Certificate) {
	<-time.After(time.Until(cert.Leaf.NotAfter.Add(1100 * time.Millisecond)))
}

// shortLived is a client whose certificate ends soon, with an open connection
// on which it was believed and a session to resume.
type shortLived struct {
	client
	conn *connection
}

func (p peer) shortLived(t *testing.T, m *mint, version uint16) shortLived {
	t.Helper()
	cert := m.leaf(m.good, pki.Options{NotAfter: time.Now().Add(lifetime).Truncate(time.Second)})
	c := client{cert: &cert, version: version, sessions: tls.NewLRUClientSessionCache(1)}
	conn, err := c.dial(p.addrs["optional"])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	a, err := p.askOn(conn)
	if err != nil || a.verified != "SUCCESS" {
		t.Fatalf("while the certificate is good: got %v (%v), want SUCCESS", a, err)
	}
	return shortLived{c, conn}
}

// outlive asks on connections that were open, and with sessions that were made,
// while the certificate was still good. A connection that is closed instead of
// answered is the zero answer.
func (p peer) outlive(t *testing.T, m *mint) answers {
	t.Helper()
	all, clients := answers{}, map[string]shortLived{}
	for tlsName, version := range tlsVersions() {
		clients[tlsName] = p.shortLived(t, m, version)
	}
	for tlsName, c := range clients {
		end(c.cert)
		a, err := p.askOn(c.conn)
		if err != nil {
			a = answer{}
		}
		all[key("ended, connection open", "optional", tlsName)] = a
		a, _ = p.session(t, c.client, "optional")
		all[key("ended, session resumed", "optional", tlsName)] = a
	}
	return all
}

// TestNginxBelievesCertificatesThatEndedAndWeDoNot: nginx believes it for as long as
// the connection or the session lasts. We never do, which is the known
// difference to the safe side.
func TestNginxBelievesCertificatesThatEndedAndWeDoNot(t *testing.T) {
	m := newMint(t)
	dir := m.files()
	optional := sessionSettings()[:1]
	t.Run("Nginx", func(t *testing.T) {
		t.Parallel()
		all := nginxAnswers(t, "outlived.txt", func() answers {
			n := startNginx(t, dir, optional)
			return peer{n.addrs, n.recorder}.outlive(t, m)
		})
		for k, a := range all {
			if a.verified != "SUCCESS" {
				t.Errorf("%s: nginx says %v: the known difference is gone, and the README wrong", k, a)
			}
		}
	})
	t.Run("Sidecar", func(t *testing.T) {
		t.Parallel()
		application := startRecorder(t)
		car := startSidecar(t, oracleSettings(dir, application.addr, optional[0]))
		p := peer{map[string]string{"optional": car.addr}, application}
		for k, a := range p.outlive(t, m) {
			if a.status != 400 || a.verified != "" {
				t.Errorf("%s: got %v, want 400 and nothing told to the application", k, a)
			}
		}
	})
}
