package proxy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// identityNames are the names in which some terminator tells its back ends who
// the client is, as their documentations spell them, and names that tell an
// application where the request came from.
const identityNames = `
VERIFIED DN ssl-client-verify ssl-client-subject-dn ssl-client-issuer-dn ssl-client-cert
SSL_CLIENT_VERIFY SSL_CLIENT_S_DN SSL_CLIENT_S_DN_CN SSL_CLIENT_I_DN SSL_CLIENT_CERT SSL_CLIENT_CERT_CHAIN_0 SSL_CLIENT_M_SERIAL
SSL_CLIENT_SAN_DNS_0 SSL-CLIENT-S-DN ssl_client_escaped_cert ssl_cipher ssl_cipher_usekeysize ssl_session_id
ssl-cert-chain ssl-cert-chain_0 CERT_CHAIN CERT_CHAIN_0
X-SSL X-SSL-Client-Verify X-SSL-Client-DN X-SSL-Client-CN X-SSL-Client-Serial X-SSL-Client-SHA1 X-SSL-Client-DER X-SSL-Client-NotBefore
X-SSL-Issuer X-SSL-Client-Subject X-SSL-Client-Cert X-SSL-Client-Certificate X-SSL-Cert
X-Forwarded-Client-Cert X-Forwarded-Tls-Client-Cert X-Forwarded-Tls-Client-Cert-Info l5d-client-id
Client-Cert Client-Cert-Chain
X-Amzn-Mtls-Clientcert X-Amzn-Mtls-Clientcert-Subject X-Amzn-Mtls-Clientcert-Leaf X-Amzn-Tls-Version X-Amzn-Tls-Cipher-Suite
CloudFront-Viewer-Cert-Subject CloudFront-Viewer-Cert-Present CloudFront-Viewer-Cert-Pem
X-Client-Cert X-Client-Cert-Present X-Client-Cert-Chain-Verified X-Client-Cert-Subject-DN X-Client-Verify X-Client-DN
Cf-Client-Cert-Der-Base64 Cf-Client-Cert-Sha256 Cf-Cert-Verified X-ARR-ClientCert WL-Proxy-Client-Cert $WSCC $WSRU $WSAT Client-To-Edge
SM_USER SM_USERDN REMOTE_USER REMOTE_USER_GROUPS
X-Real-IP X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Port X-Forwarded-Ssl X-Forwarded-Prefix X-Forwarded-User
X-Forwarded Forwarded`

// spellings are forms of a name that some application reads as that name: CGI,
// WSGI, Rack and PHP fold case and separators.
func spellings(name string) []string {
	all := []string{name, strings.ToLower(name), strings.ToUpper(name)}
	for _, separator := range []string{"_", ".", "-", "~"} {
		all = append(all, strings.NewReplacer("-", separator, "_", separator).Replace(name))
	}
	mixed := []byte(name)
	for i, separator := 0, 0; i < len(mixed); i++ {
		if mixed[i] == '-' || mixed[i] == '_' {
			mixed[i] = "_-."[separator%3]
			separator++
		} else if i%2 == 0 {
			mixed[i] = strings.ToUpper(string(mixed[i]))[0]
		}
	}
	return append(all, string(mixed))
}

// foldedName is a field name as the most lenient application reads it.
func foldedName(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789", r) {
			return r
		}
		return '-'
	}, strings.ToLower(name))
}

// verdicts are the values of every line of a head that some application could
// read as VERIFIED.
func verdicts(head string) []string {
	var found []string
	for _, line := range lines(head) {
		if name, value, _ := strings.Cut(line, ":"); foldedName(name) == "verified" {
			found = append(found, strings.TrimSpace(value))
		}
	}
	return found
}

func TestNoSpellingOfAnIdentityNameReachesTheApplication(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_FORWARDED_FOR=replace")
	c := s.dial(t, nil)
	for name := range strings.FieldsSeq(identityNames) {
		var fields strings.Builder
		for _, spelling := range spellings(name) {
			fmt.Fprintf(&fields, "%s: spoofed\r\n%s:spoofed again\r\n", spelling, spelling)
		}
		c.send("GET / HTTP/1.1\r\nHost: h\r\n", fields.String(), "\r\n")
		c.wantAnswer("GET", 200, "ok")
		head := app.seen(t)
		if strings.Contains(head, "spoofed") {
			t.Errorf("%s: the application saw\n%s", name, head)
		}
		if got := verdicts(head); !slices.Equal(got, []string{"NONE"}) {
			t.Errorf("%s: VERIFIED is %q, want exactly one NONE", name, got)
		}
	}
}

func TestTheVerdictOfABelievedClientStandsOnce(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	c := s.dial(t, &testCA(t).client)
	c.send("GET / HTTP/1.1\r\nHost: h\r\nverified: NONE\r\nVERIFIED: SUCCESS\r\ndn: CN=root\r\n\r\n")
	c.wantAnswer("GET", 200, "ok")
	head := app.seen(t)
	if got := verdicts(head); !slices.Equal(got, []string{"SUCCESS"}) {
		t.Errorf("VERIFIED is %q, want one SUCCESS", got)
	}
	if strings.Contains(head, "root") {
		t.Errorf("the client's own DN arrived:\n%s", head)
	}
}

func TestIdentityNamesDoNotArriveInTrailers(t *testing.T) {
	got := make(chan received, 1)
	app := startBackend(t, readingAll(got, okAnswer))
	s := startSidecar(t, app.url)
	c := s.dial(t, nil)
	for name := range strings.FieldsSeq(identityNames) {
		var trailer strings.Builder
		for _, spelling := range spellings(name) {
			fmt.Fprintf(&trailer, "%s: spoofed\r\n", spelling)
		}
		for _, announced := range []string{"", "Trailer: X-Sum, " + strings.Join(spellings(name), ", ") + ", x-last\r\n"} {
			c.send(chunkedPost(announced, "2\r\nhi\r\n0\r\nX-Sum: 1\r\n"+trailer.String()+"x-last:2\r\n\r\n"))
			c.wantAnswer("POST", 200, "ok")
			app.seen(t)
			body := await(t, "the body", got)
			want := "X-Sum: 1\r\nx-last: 2"
			if announced == "" && !c.passesUnannounced() {
				want = ""
			}
			if arrived := strings.Join(body.trailer, "\r\n"); body.body != "hi" || c.kept(arrived) != c.kept(want) {
				t.Errorf("%s: the application got %q with the trailers %q, want %q", name, body.body, arrived, want)
			}
		}
	}
}

func TestTheTrailerFieldAnnouncesNoIdentityNames(t *testing.T) {
	got := make(chan received, 1)
	app := startBackend(t, readingAll(got, okAnswer))
	s := startSidecar(t, app.url)
	for _, test := range []struct{ sent, want string }{
		{"VERIFIED, X-Sum,dn , x_last", "X-Sum, x_last"},
		{"X-Sum", "X-Sum"},
		{"VERIFIED, Ssl_Client.Verify", ""},
		{"Content-Length, Host, X-Forwarded-For, Authorization", ""},
		{"VERIFIED,\tX-Real-IP,,X-Sum", "X-Sum"},
	} {
		c := s.dial(t, nil)
		c.send(chunkedPost("Trailer: "+test.sent+"\r\n", "0\r\n\r\n"))
		c.wantAnswer("POST", 200, "ok")
		await(t, "the body", got)
		var want []string
		if test.want != "" {
			want = []string{test.want}
		}
		announced := values(app.seen(t), "Trailer")
		if !c.keepsFields() {
			announced, want = keptList(announced), keptList(want)
		}
		if !slices.Equal(announced, want) {
			t.Errorf("Trailer: %s arrives as %q, want %q", test.sent, announced, want)
		}
	}
}

func TestAConnectionFieldTakesNothingOfOursAway(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	c := s.dial(t, nil)
	for _, option := range []string{
		"VERIFIED, DN, X-Real-IP, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, X-Request-Id",
		"verified\r\nConnection: x-real-ip,x-forwarded-for , X-FORWARDED-PROTO\r\nconnection: x-forwarded-host, keep-alive, x-request-id",
	} {
		c.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: ", option, "\r\nX-Real-IP: 1.2.3.4\r\n\r\n")
		c.wantAnswer("GET", 200, "ok")
		head := app.seen(t)
		for name, want := range map[string]string{
			"VERIFIED": "NONE", "X-Real-IP": "127.0.0.1", "X-Forwarded-For": "127.0.0.1",
			"X-Forwarded-Proto": "https", "X-Forwarded-Host": "h",
		} {
			if got := values(head, name); !slices.Equal(got, []string{want}) {
				t.Errorf("Connection: %s: %s is %q, want %q once", option, name, got, want)
			}
		}
		if got := values(head, "X-Request-Id"); len(got) != 1 {
			t.Errorf("Connection: %s: X-Request-Id is %q, want one", option, got)
		}
		if got := values(head, "Connection"); len(got) != 0 {
			t.Errorf("the application got Connection: %q", got)
		}
	}
}

func TestNominatedAndHopByHopFieldsGoNoFurther(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	c := s.dial(t, nil)
	c.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: x-mine, TE\r\nConnection: X-Too,keep-alive\r\nX-Mine: 1\r\nx-TOO: 2\r\nX-Stays: 3\r\n",
		"Keep-Alive: timeout=5\r\nTE: gzip\r\nProxy-Connection: keep-alive\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\nProxy-Authorization: x\r\n\r\n")
	c.wantAnswer("GET", 200, "ok")
	head := app.seen(t)
	for _, line := range lines(head) {
		name, _, _ := strings.Cut(line, ":")
		switch strings.ToLower(name) {
		case "x-mine", "x-too", "connection", "keep-alive", "te", "proxy-connection", "upgrade", "http2-settings":
			t.Errorf("the application got %q", line)
		}
	}
	if got := values(head, "X-Stays"); !slices.Equal(got, []string{"3"}) {
		t.Errorf("X-Stays: got %q", got)
	}
}

// A client that reads trailers says so hop by hop, and so do we (RFC 9110
// §10.1.4); no other member of TE is for the application.
func TestThatTrailersAreUnderstoodIsTold(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	c := s.dial(t, nil)
	for sent, told := range map[string]bool{
		"TE: trailers": true, "te: gzip;q=0.5,\tTrailers": true, "TE: deflate\r\nTE: trailers": true,
		"TE: gzip": false, "TE: trailers;q=1": false, "TE:": false, "T_E: trailers": false,
	} {
		c.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: TE, X-Mine\r\n", sent, "\r\n\r\n")
		c.wantAnswer("GET", 200, "ok")
		var connection, te []string
		if told {
			connection, te = []string{"TE"}, []string{"trailers"}
		}
		head := app.seen(t)
		if got := values(head, "Connection"); !slices.Equal(got, connection) {
			t.Errorf("%s: Connection is %q, want %q", sent, got, connection)
		}
		if got := values(head, "TE"); !slices.Equal(got, te) {
			t.Errorf("%s: TE is %q, want %q", sent, got, te)
		}
	}
}

func TestOtherSpellingsOfFramingNamesDoNotArrive(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	c := s.dial(t, nil)
	for _, name := range []string{"Transfer_Encoding", "content.length", "Content_Length", "X_Request_Id", "X_Forwarded_For",
		"X.Real.IP", "Keep_Alive", "HTTP2.Settings", "X_Original_URL", "Proxy_Connection"} {
		c.send("GET / HTTP/1.1\r\nHost: h\r\n", name, ": spoofed\r\n\r\n")
		c.wantAnswer("GET", 200, "ok")
		if head := app.seen(t); strings.Contains(head, "spoofed") {
			t.Errorf("%s arrived:\n%s", name, head)
		}
	}
}

func TestOperatorsAddAndExceptNames(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_STRIP_HEADERS=X-Internal", "MTLS_KEEP_HEADERS=X-Client-Cert")
	c := s.dial(t, nil)
	c.send("GET / HTTP/1.1\r\nHost: h\r\nx_internal: spoofed\r\nX-Client-Cert: kept\r\nX-Client-DN: spoofed\r\n\r\n")
	c.wantAnswer("GET", 200, "ok")
	head := app.seen(t)
	if strings.Contains(head, "spoofed") || !strings.Contains(head, "X-Client-Cert: kept\r\n") {
		t.Errorf("the application saw\n%s", head)
	}
}
