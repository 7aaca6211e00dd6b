package main_test

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// profile is one way to set the sidecar up, beside a peer that is set up to say the same.
type profile struct {
	name    string
	peer    string // nginx, haproxy or apache
	headers string // MTLS_HEADERS
	more    settings
	asked   []string // headers of the peer that the sidecar has too, in lower case
	alone   []string // headers that the sidecar sends and this peer is not asked for
	every   bool     // ask in both versions of TLS, and on resumed sessions
}

// variableProfile asks for each variable by itself.
func variableProfile(peer string, variables ...string) profile {
	p := profile{name: "variables-of-" + peer, peer: peer, more: settings{"MTLS_INVALID_CERT": "failed"}}
	for _, name := range variables {
		p.headers += fmt.Sprintf(" X-V-%s=\"$%s\"", name, name)
		p.asked = append(p.asked, "x-v-"+name)
	}
	return p
}

func profiles() []profile {
	failed, noCA := settings{"MTLS_INVALID_CERT": "failed"}, settings{"MTLS_VERIFY_CLIENT": "optional_no_ca"}
	nginxVariables := variableProfile("nginx", certificateVariables...)
	nginxVariables.headers += ` X-Info="$ssl_client_serial/${ssl_protocol}, $ssl_client_verify"`
	nginxVariables.asked = append(nginxVariables.asked, "x-info")
	nginxVariables.every = true
	apaches := profile{name: "variables-of-apache", peer: "apache", more: noCA, headers: "SSL_CLIENT_S_DN_CN=$ssl_client_cn SSL_CLIENT_V_REMAIN=$ssl_client_v_remain " +
		"SSL_CLIENT_SAN_DNS_0=$ssl_client_san_dns SSL_CLIENT_SAN_Email_0=$ssl_client_san_email SSL_PROTOCOL=$ssl_protocol SSL_CIPHER=$ssl_cipher"}
	for entry := range strings.FieldsSeq(apaches.headers) {
		header, _, _ := strings.Cut(entry, "=")
		apaches.asked = append(apaches.asked, strings.ToLower(header))
	}
	return []profile{
		nginxVariables,
		apaches,
		variableProfile("haproxy", "ssl_client_s_dn", "ssl_client_i_dn", "ssl_client_serial", "ssl_client_fingerprint", "ssl_client_fingerprint_sha256",
			"ssl_client_cert_base64", "ssl_protocol"),
		{name: "ingress-nginx", peer: "nginx", headers: "ingress-nginx", more: failed, asked: []string{"ssl-client-verify", "ssl-client-subject-dn", "ssl-client-issuer-dn", "ssl-client-cert"}},
		{name: "haproxy", peer: "haproxy", headers: "haproxy", more: failed, asked: []string{"x-ssl", "x-ssl-client-verify", "x-ssl-client-serial", "x-ssl-client-version", "x-ssl-client-sha1",
			"x-ssl-client-dn", "x-ssl-client-cn", "x-ssl-issuer", "x-ssl-client-notbefore", "x-ssl-client-notafter", "x-ssl-client-der"}},
		{name: "keycloak-haproxy", peer: "haproxy", headers: "keycloak-haproxy", more: failed, asked: []string{"client-cert", "client-cert-chain"}},
		{name: "apache", peer: "apache", headers: "apache", more: noCA, asked: []string{"ssl_client_verify", "ssl_client_s_dn", "ssl_client_i_dn", "ssl_client_m_serial", "ssl_client_v_start",
			"ssl_client_v_end", "ssl_client_cert"}},
		{name: "foreman", peer: "apache", headers: "foreman", more: noCA, asked: []string{"ssl-client-verify", "ssl-client-s-dn", "ssl-client-cert"}},
		{name: "tomcat", peer: "apache", headers: "tomcat", more: noCA, asked: []string{"ssl_client_cert", "ssl_cipher", "ssl_cipher_usekeysize"}},
		{name: "puppet", peer: "apache", headers: "puppet", more: noCA, asked: []string{"x-client-verify", "x-client-dn"}, alone: []string{"x-client-cert"}},
		{name: "puppet-nginx", peer: "nginx", headers: "puppet", more: failed, asked: []string{"x-client-cert"}, alone: []string{"x-client-verify", "x-client-dn"}},
	}
}

// dialectCase is one header of one client under one profile.
type dialectCase struct {
	profile     profile
	row, header string
	peers, ours string            // notSent for none
	records     map[string]record // of all peers
	differences []dialectDifference
	protocol    string // $ssl_protocol of our connection
	began       time.Time
	end         time.Time // of the certificate, zero without one
}

// notSent stands for a header that is not there, as opposed to one without a value.
const notSent = "(not sent)"

func (c dialectCase) String() string {
	return c.profile.name + ": " + c.row + ": " + c.header
}

// forwarded reports whether an application saw the request at all.
func (w words) forwarded() bool { return w[notForwarded] == "" }

// value looks a header up, whatever its letters' case.
func (w words) value(name string) string {
	for header, value := range w {
		if strings.EqualFold(header, name) {
			return value
		}
	}
	return notSent
}

// verdict is nginx's of a row.
func (c dialectCase) verdict() string { return c.records["nginx"].rows[c.row]["X-V-ssl_client_verify"] }

// TestDialectsAreTheirPeers compares every header of every client with what nginx, HAProxy and Apache say.
func TestDialectsAreTheirPeers(t *testing.T) {
	m := dialectRows(t)
	dir := m.files()
	records, began, tally := map[string]record{}, time.Now(), differenceTally{}
	differences := dialectDifferences()
	records["nginx"] = nginxSays(t, m, dir)
	records["haproxy"] = haproxySays(t, m, dir)
	records["apache"] = apacheSays(t, m, dir)
	for _, p := range profiles() {
		t.Run(p.name, func(t *testing.T) {
			ours := startDialectSidecar(t, dir, p)
			c := dialectCase{profile: p, records: records, differences: differences, began: began, protocol: "TLSv1.3"}
			c.compareRows(t, m.rows, ours.aboutAll(m, tls.VersionTLS13), tally)
			if !p.every {
				return
			}
			again, resumed := ours.aboutResumed(m, tls.VersionTLS13)
			c.compareRows(t, m.rows, again, tally)
			if !resumed["client"] || !resumed["three intermediates"] || !resumed["nothing"] {
				t.Error("sessions were not resumed, so nothing was shown of resumed ones")
			}
			c.protocol = "TLSv1.2"
			c.compareRows(t, m.rows, ours.aboutAll(m, tls.VersionTLS12), tally)
		})
	}
	for _, d := range differences {
		for _, row := range d.allRows() {
			if tally[d.why][row] == 0 && !t.Failed() {
				t.Errorf("%s: %s: listed as a difference (%s), and there is none", d.profiles, row, d.why)
			}
		}
	}
}

// startDialectSidecar runs the sidecar before an application of its own.
func startDialectSidecar(t *testing.T, dir string, p profile) proxyServer {
	t.Helper()
	application := startHeadApplication(t)
	all := oracleSettings(dir, application.addr, setting{verify: "optional", depth: "none"})
	all = all.with(settings{"MTLS_HEADERS": p.headers, "MTLS_MAX_IDENTITY_BYTES": "256KiB"}).with(p.more)
	return proxyServer{startSidecar(t, all).addr, application}
}

// differenceTally counts by a difference's reason and its rows.
type differenceTally map[string]map[string]int

func (tally differenceTally) met(why, row string) {
	if tally[why] == nil {
		tally[why] = map[string]int{}
	}
	tally[why][row]++
}

// compareRows checks all that the sidecar told about all clients.
func (c dialectCase) compareRows(t *testing.T, rows []row, all map[string]words, tally differenceTally) {
	t.Helper()
	for _, r := range rows {
		c.row, c.end = r.name, time.Time{}
		if r.cert != nil && r.cert.Leaf != nil {
			c.end = r.cert.Leaf.NotAfter
		}
		compareRow(t, c, all[r.name], tally)
	}
}

// compareRow checks all that the sidecar told about one client.
func compareRow(t *testing.T, c dialectCase, ours words, tally differenceTally) {
	t.Helper()
	theirs := c.records[c.profile.peer].rows[c.row]
	if !ours.forwarded() || !theirs.forwarded() {
		c.header, c.ours, c.peers = notForwarded, fmt.Sprint(!ours.forwarded()), fmt.Sprint(!theirs.forwarded())
		c.check(t, tally)
		return
	}
	for header := range ours {
		if !slices.Contains(c.profile.asked, strings.ToLower(header)) && !slices.Contains(c.profile.alone, strings.ToLower(header)) {
			t.Errorf("%v: %s is sent, and %s was not asked for it", c, header, c.profile.peer)
		}
	}
	for _, c.header = range c.profile.asked {
		c.ours, c.peers = ours.value(c.header), theirs.value(c.header)
		switch c.header {
		case "x-info":
			c.peers = strings.Replace(c.peers, "TLSv1.3", c.protocol, 1) // nginx was asked over TLS 1.3
		case "x-v-ssl_client_v_remain", "ssl_client_v_remain":
			c.checkRemaining(t)
			continue
		}
		c.check(t, tally)
	}
}

// check compares after the first listed difference that applies and makes one.
func (c dialectCase) check(t *testing.T, tally differenceTally) {
	t.Helper()
	want := c.peers
	for _, d := range c.differences {
		row, applies := d.about(c)
		if !applies {
			continue
		}
		expected := d.expected(c)
		if expected == pathOf3 {
			expected = c.records["haproxy"].rows["three intermediates"].value("client-cert-chain")
		}
		if expected != want {
			tally.met(d.why, row)
			want = expected
			break
		}
	}
	if c.ours != want {
		t.Errorf("%v: got %q, want %q (%s says %q)", c, c.ours, want, c.profile.peer, c.peers)
	}
}

// checkRemaining compares with nginx's rule for $ssl_client_v_remain: whole days, at the moment when the test began or now.
func (c dialectCase) checkRemaining(t *testing.T) {
	t.Helper()
	days := func(at time.Time) string {
		if c.end.IsZero() {
			return notSent
		}
		return fmt.Sprint(max(0, (c.end.Unix()-at.Unix())/86400))
	}
	if first, last := days(c.began), days(time.Now()); c.ours != first && c.ours != last {
		t.Errorf("%v: got %q, want %s", c, c.ours, last)
	}
}
