package proxy

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
	"mtls-sidecar/proxy/trust"
)

// routedRow is who asks for what on a sidecar with routes, and what comes of it.
type routedRow struct {
	who, path string
	status    int
	reason    string   // of the refusal
	verified  []string // as the application is told
}

// TestPathsAreServedAsMTLSRoutesSays is the gateway's own check, under each way
// to deal with an invalid certificate.
func TestPathsAreServedAsMTLSRoutesSays(t *testing.T) {
	stranger, err := pki.SelfSigned(pki.Options{Subject: pkix.Name{CommonName: "stranger"}})
	if err != nil {
		t.Fatal(err)
	}
	clients := map[string]*tls.Certificate{"nobody": nil, "client": &testCA(t).client, "stranger": &stranger}
	success, none, failed := []string{"SUCCESS"}, []string{"NONE"}, []string{"FAILED:self-signed certificate"}
	always := []routedRow{
		{"client", "/", 200, "", success},
		{"client", "/clients/7?a=b", 200, "", success},
		{"client", "/healthz", 200, "", none},
		{"nobody", "/clients/7", 403, "certificate_required", nil},
		{"nobody", "/CLIENTS", 403, "certificate_required", nil},
		{"nobody", "/a/..%2fclients/", 403, "certificate_required", nil},
		{"nobody", "/healthz", 200, "", none},
		{"nobody", "http://a/clients/7", 403, "certificate_required", nil},
		{"nobody", "http://a/healthz?x", 200, "", none},
		{"stranger", "/clients", 403, "self_signed", nil},
		{"stranger", "/healthz", 200, "", none},
	}
	for settings, rows := range map[string][]routedRow{
		"MTLS_INVALID_CERT=reject":          {{"nobody", "/", 200, "", none}, {"stranger", "/", 400, "self_signed", nil}},
		"MTLS_INVALID_CERT=failed":          {{"nobody", "/", 200, "", none}, {"stranger", "/", 200, "", failed}},
		"MTLS_INVALID_CERT=none":            {{"nobody", "/", 200, "", none}, {"stranger", "/", 200, "", none}},
		"MTLS_VERIFY_CLIENT=on":             {{"nobody", "/", 400, "no_certificate", nil}, {"stranger", "/", 400, "self_signed", nil}},
		"MTLS_VERIFY_CLIENT=optional_no_ca": {{"nobody", "/", 200, "", none}, {"stranger", "/", 200, "", failed}},
	} {
		app := startBackend(t, answering(okAnswer))
		s := startSidecar(t, app.url, settings, "MTLS_ROUTES=/clients/=require /healthz=off /=optional")
		for _, row := range append(rows, always...) {
			if modeOf(t) == overHTTP2 && strings.Contains(row.path, "://") {
				continue // a :path is a path (RFC 9113 §8.3.1)
			}
			c := s.dial(t, clients[row.who])
			c.send("GET " + row.path + " HTTP/1.1\r\nHost: a\r\nVERIFIED: SUCCESS\r\nX-Original-URL: /clients\r\nx-rewrite-url: /clients\r\nSCRIPT_NAME: /x\r\nPath-Info: /clients\r\n\r\n")
			answer, body := c.answer("GET")
			if answer.StatusCode != row.status || !strings.Contains(body, row.reason) {
				t.Errorf("%s: %s asks for %s: %d, want %d %s\n%s", settings, row.who, row.path, answer.StatusCode, row.status, row.reason, body)
			}
			if row.verified == nil {
				app.sawNothing(t)
				continue
			}
			head := app.seen(t)
			if got := values(head, "VERIFIED"); !slices.Equal(got, row.verified) {
				t.Errorf("%s: %s asks for %s: VERIFIED %q, want %q", settings, row.who, row.path, got, row.verified)
			}
			if dn := values(head, "DN"); (len(dn) > 0) != slices.Equal(row.verified, success) {
				t.Errorf("%s: %s asks for %s: DN %q", settings, row.who, row.path, dn)
			}
			for _, line := range lines(head) {
				if strings.Contains(line, "/clients") && !strings.HasPrefix(line, "X-") || strings.Contains(line, "/x") {
					t.Errorf("%s: the application was told of another path: %s", settings, line)
				}
			}
		}
	}
}

// TestASecondPathIsLookedAtToo: WebDAV writes where Destination says.
func TestASecondPathIsLookedAtToo(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_ROUTES=/clients/=require /healthz=off /=optional")
	for destination, want := range map[string]int{
		"/public/x": 200, "https://a/public/x": 200, "https://a/": 200, "http://[::1]:8080/public": 200, "/clients/x": 403, "https://a/clients/x": 403, "HTTP://a/CLIENTS": 403,
		"/public/..%2fclients/x": 403, "clients/x": 403, "//a/clients/x": 403, "https://a/public/x\r\ndestination: /clients/x": 403,
		"/public/x\r\nDestination: /public/y": 403, "/pub/x://y/clients/x": 403, "/pub/x?/../../clients/x": 403, "https://a/pub/x?/../../clients/x": 403, "/?/../clients/x": 403, "/pub/x?y": 403, "http://clients%2fx": 403, "http://a": 403, "http://a\\clients/x": 403,
		"http://u@a/public": 403, "http:///x": 403, "http:/x": 403, "*": 403, "": 403, "ftp://a/x": 403, "/public/" + strings.Repeat("x", maxTarget): 403,
	} {
		c := s.dial(t, nil)
		c.send("MOVE /public/y HTTP/1.1\r\nHost: a\r\nDestination: " + destination + "\r\n\r\n")
		if answer, _ := c.answer("MOVE"); answer.StatusCode != want {
			t.Errorf("Destination: %s: %d, want %d", destination, answer.StatusCode, want)
		}
		if want == 200 {
			app.seen(t)
		}
		app.sawNothing(t)
	}
}

func TestTheFirstPathCountsBesideASecondOne(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_ROUTES=/clients/=require /=optional")
	c := s.dial(t, nil)
	c.send("MOVE /clients/x HTTP/1.1\r\nHost: a\r\nDestination: /public/y\r\n\r\n")
	if answer, _ := c.answer("MOVE"); answer.StatusCode != 403 {
		t.Errorf("%d, want 403", answer.StatusCode)
	}
	app.sawNothing(t)
	if refusals := s.logged("client certificate refused"); len(refusals) != 1 || refusals[0].ContextMap()["destination"] != "/public/y" {
		t.Errorf("the log says %v", refusals)
	}
}

// TestNobodyIsAdmittedWithoutIdentityLines: a believed client of whom the
// application cannot be told gets the same page everywhere but where nobody is asked.
func TestNobodyIsAdmittedWithoutIdentityLines(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_MAX_IDENTITY_BYTES=256", "MTLS_ROUTES=/clients/=require /healthz=off /=optional")
	wordy := issue(t, pki.Options{Subject: pkix.Name{CommonName: strings.Repeat("n", 300)}})
	for path, want := range map[string]int{"/": 431, "/clients": 431, "/healthz": 200} {
		c := s.dial(t, wordy)
		c.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
		if answer, _ := c.answer("GET"); answer.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, answer.StatusCode, want)
		}
	}
}

// TestWhoIsNotAskedIsNotJudged: nothing is to be waited for, and nothing to be cut.
func TestWhoIsNotAskedIsNotJudged(t *testing.T) {
	var s *sidecar
	var told []bool
	app := startBackend(t, func(conn net.Conn, r *bufio.Reader, head string) bool {
		for _, c := range s.conns.identified() {
			told = append(told, len(c.telling()) > 0)
		}
		return answering(okAnswer)(conn, r, head)
	})
	s = startSidecar(t, app.url, "MTLS_ROUTES=/healthz=off /=optional")
	certificate := issue(t, pki.Options{})
	c := s.dial(t, certificate)
	for _, step := range []struct {
		path   string
		told   bool
		judged bool
	}{{"/healthz", false, false}, {"/", true, true}, {"/healthz", false, true}} {
		told = nil
		c.send("GET " + step.path + " HTTP/1.1\r\nHost: a\r\n\r\n")
		c.answer("GET")
		if !slices.Equal(told, []bool{step.told}) {
			t.Errorf("%s: told of a certificate %v, want %t", step.path, told, step.told)
		}
		id := trust.ChainID([]*x509.Certificate{certificate.Leaf})
		if _, judged := s.chains.Known(s.store.Current(), id, time.Now()); judged != step.judged {
			t.Errorf("%s: judged %t, want %t", step.path, judged, step.judged)
		}
	}
}

// TestOneConnectionServesPathsOfEveryNeed: what one request was told must not be
// told to the next.
func TestOneConnectionServesPathsOfEveryNeed(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s, clock := startWithClock(t, app.url, "MTLS_ROUTES=/clients/=require /healthz=off /=optional")
	c := s.dial(t, issue(t, pki.Options{NotAfter: time.Now().Add(time.Hour)}))
	for _, step := range []struct{ path, want string }{
		{"/healthz", "NONE"}, {"/", "SUCCESS"}, {"/healthz", "NONE"}, {"/clients", "SUCCESS"}, {"/healthz", "NONE"},
	} {
		c.send("GET " + step.path + " HTTP/1.1\r\nHost: a\r\n\r\n")
		c.answer("GET")
		if got := values(app.seen(t), "VERIFIED"); !slices.Equal(got, []string{step.want}) {
			t.Errorf("%s: VERIFIED %q, want %s", step.path, got, step.want)
		}
	}
	clock.set(2 * time.Hour) // the certificate has ended
	c.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
	c.answer("GET")
	if got := values(app.seen(t), "VERIFIED"); !slices.Equal(got, []string{"NONE"}) {
		t.Errorf("VERIFIED %q, want NONE", got)
	}
	c.send("GET /clients HTTP/1.1\r\nHost: a\r\n\r\n")
	if answer, body := c.answer("GET"); answer.StatusCode != 403 || !strings.Contains(body, "expired") {
		t.Errorf("%d after the certificate's end, want 403 expired\n%s", answer.StatusCode, body)
	}
	app.sawNothing(t)
	refusals := s.logged("client certificate refused")
	if len(refusals) != 1 {
		t.Fatalf("%d refusals in the log, want 1", len(refusals))
	}
	if fields := refusals[0].ContextMap(); fields["url.path"] != "/clients" || fields["error.type"] != "expired" || fields["http.response.status_code"] != int64(403) {
		t.Errorf("the log says %v", fields)
	}
}

func TestAKeptNameOfAnotherPathIsWarnedOf(t *testing.T) {
	for settings, want := range map[string]int{
		"MTLS_KEEP_HEADERS=X-Original-URI,X-SSL-Client-Cert MTLS_ROUTES=/=require": 1,
		"MTLS_KEEP_HEADERS=X-SSL-Client-Cert MTLS_ROUTES=/=require":                0,
		"MTLS_KEEP_HEADERS=X-Forwarded-Prefix":                                     0,
	} {
		config, err := Environment(strings.Fields(settings))
		if err != nil {
			t.Fatal(err)
		}
		warnings := config.warnings()
		if len(warnings) != want || want == 1 && !strings.HasPrefix(warnings[0], "MTLS_KEEP_HEADERS: X-Original-URI tells") {
			t.Errorf("%s: warned of %q", settings, warnings)
		}
	}
}

// TestAnIslandInAStrictSiteIsNoScript: what no rule names is not protected by name.
func TestAnIslandInAStrictSiteIsNoScript(t *testing.T) {
	r := routesOf(t, "/=require /pub/=optional /admin/=require")
	for path, want := range map[string]need{
		"/pub/x.phpbb/y": needOptional, "/pub/x.php5": needOptional, "/pub/js/app.php.js": needOptional, "/pub/index.phpdoc/a": needOptional,
		"/pub/index.phpadmin/x": needRequire, "/pub/index.php5admin": needRequire, "/pub/index.php%61dmin": needRequire, "/pub/index.php/../admin": needRequire, "/pub/index.php../admin": needRequire,
		"/pub/x.phpbb/a%20b": needOptional,
	} {
		if got := r.decide([]byte(path)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// TestAPathMayBeginAsAnEndingGoesOn: .php5 is .php and a 5 to some.
func TestAPathMayBeginAsAnEndingGoesOn(t *testing.T) {
	r := routesOf(t, "/3d/=require /5g/=require /=optional")
	for path, want := range map[string]need{
		"/index.php3d/x": needRequire, "/index.php5g": needRequire, "/index.php33d": needRequire, "/index.php3/3d": needRequire, "/index.php5": needOptional, "/index.php3e": needOptional,
	} {
		if got := r.decide([]byte(path)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestRoutesThatContradictTheModeAreFaults(t *testing.T) {
	for _, c := range []struct {
		settings []string
		want     string // empty: no fault
	}{
		{[]string{"MTLS_ROUTES=/a/=off /=require", "MTLS_REJECT_WITH=alert"}, "MTLS_REJECT_WITH=alert refuses clients before their path is known"},
		{[]string{"MTLS_ROUTES=/a/=optional /=require", "MTLS_REJECT_WITH=alert"}, ""},
		{[]string{"MTLS_ROUTES=/a/=require /=optional", "MTLS_VERIFY_CLIENT=off"}, "asks no client for one"},
		{[]string{"MTLS_ROUTES=/a/=off /=optional", "MTLS_VERIFY_CLIENT=off"}, ""},
		{[]string{"MTLS_ROUTES=/a/=require"}, "add /=optional"},
		{[]string{"MTLS_ROUTES=/a/=require /b=on /=optional"}, `MTLS_ROUTES="`},
	} {
		_, err := Environment(c.settings)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: got %v, want %q", c.settings, err, c.want)
		}
	}
}
