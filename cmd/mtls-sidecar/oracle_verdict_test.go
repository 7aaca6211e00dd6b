package main_test

import (
	"crypto/tls"
	"strings"
	"testing"
)

// tlsVersions are those that every question is asked in.
func tlsVersions() map[string]uint16 {
	return map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}
}

const plainRequest = "GET / HTTP/1.1\r\nHost: localhost\r\nVERIFIED: SUCCESS\r\nDN: CN=admin\r\nConnection: close\r\n\r\n"

// look turns one exchange into an answer; application is what stands behind addr.
func look(t *testing.T, c client, addr string, application *recorder) (answer, string) {
	t.Helper()
	status, header, body := c.once(t, addr, plainRequest)
	a := answer{status: status, verify: header.Get("X-Client-Verify")}
	if saw := application.take(); saw != nil {
		a.verified = strings.Join(saw.values("verified"), ", ")
		a.dn = strings.Join(saw.values("dn"), ", ")
	}
	return a, body
}

// askAll asks each setting about each certificate in both TLS versions.
func (m *mint) askAll(n *nginx, settings []setting) answers {
	all := answers{}
	for _, s := range settings {
		for tlsName, version := range tlsVersions() {
			for _, r := range m.rows {
				a, _ := look(m.t, client{cert: r.cert, version: version}, n.addrs[s.name], n.recorder)
				all[key(r.name, s.name, tlsName)] = a
			}
		}
	}
	return all
}

// TestVerdictsAreNginxs asks the sidecar what nginx was asked: status, VERIFIED
// and DN must be nginx's, but for the differences listed.
func TestVerdictsAreNginxs(t *testing.T) {
	m := oracleRows(t)
	dir := m.files()
	want := nginxAnswers(t, "verdicts.txt", func() answers {
		return m.askAll(startNginx(t, dir, verifySettings()), verifySettings())
	})
	met := map[difference]bool{}
	for _, s := range verifySettings() {
		t.Run(strings.ReplaceAll(s.name, " ", "_"), func(t *testing.T) {
			application := startRecorder(t)
			car := startSidecar(t, oracleSettings(dir, application.addr, s))
			for tlsName, version := range tlsVersions() {
				for _, r := range m.rows {
					c := comparison{where: key(r.name, s.name, tlsName)}
					c.nginxs = want.at(t, c.where)
					c.got, c.body = look(t, client{cert: r.cert, version: version}, car.addr, application)
					c.safer(t)
					if d := differenceFrom(c.nginxs, r.name); d != nil {
						met[*d] = true
						c.listed(t, d.page())
						continue
					}
					c.equal(t)
					c.explained(t)
				}
			}
		})
	}
	for _, d := range verdictDifferences() {
		if !met[d] && !t.Failed() {
			t.Errorf("the difference listed for %q is about no certificate and no setting", d.row)
		}
	}
}

// comparison is our answer beside nginx's.
type comparison struct {
	where       string
	got, nginxs answer
	body        string
}

// safer fails when we believe what nginx does not: there is no exception to this.
func (c comparison) safer(t *testing.T) {
	t.Helper()
	if strings.Contains(c.got.verified, "SUCCESS") && c.nginxs.verified != "SUCCESS" {
		t.Errorf("%s: UNSAFE: we say %v, nginx %v", c.where, c.got, c.nginxs)
	}
}

// equal checks an answer that must be nginx's. One difference is general: a
// subject that is not believed is not told (FAILED comes without DN).
func (c comparison) equal(t *testing.T) {
	t.Helper()
	want := answer{status: c.nginxs.status, verified: c.nginxs.verified, dn: c.nginxs.dn}
	if strings.HasPrefix(want.verified, "FAILED") {
		want.dn = ""
	}
	if c.got != want {
		t.Errorf("%s: got %v, nginx says %v (%s)", c.where, c.got, want, c.nginxs.verify)
	}
}

// listed checks an answer that differs from nginx's on purpose.
func (c comparison) listed(t *testing.T, want answer) {
	t.Helper()
	if c.got != want {
		t.Errorf("%s: got %v, the listed difference is %v", c.where, c.got, want)
	}
}

// explained checks that a refused client reads why, in OpenSSL's words.
func (c comparison) explained(t *testing.T) {
	t.Helper()
	reason, failed := strings.CutPrefix(c.nginxs.verify, "FAILED:")
	if failed && c.got.status == 400 && !strings.Contains(c.body, reason) {
		t.Errorf("%s: the page does not say %q: %.300q", c.where, reason, c.body)
	}
}

// TestFailedTextIsNginxs lets every invalid certificate through as FAILED: the
// reason must be the one that nginx has in $ssl_client_verify.
func TestFailedTextIsNginxs(t *testing.T) {
	m := oracleRows(t)
	dir := m.files()
	// The same answers that TestVerdictsAreNginxs compares with a live nginx.
	_, want := readAnswers(t, "verdicts.txt")
	for _, s := range []setting{{"optional", "optional", "10"}, {"optional depth 1", "optional", "1"}} {
		application := startRecorder(t)
		car := startSidecar(t, oracleSettings(dir, application.addr, s).with(settings{"MTLS_INVALID_CERT": "failed"}))
		for tlsName, version := range tlsVersions() {
			for _, r := range m.rows {
				c := comparison{where: key(r.name, s.name, tlsName)}
				c.nginxs = want.at(t, c.where)
				c.got, _ = look(t, client{cert: r.cert, version: version}, car.addr, application)
				c.safer(t)
				if d := differenceFrom(c.nginxs, r.name); d != nil {
					c.listed(t, d.failed())
					continue
				}
				// What nginx answers itself, it has a text for all the same.
				c.nginxs.status, c.nginxs.verified = 200, c.nginxs.verify
				c.equal(t)
			}
		}
	}
}
