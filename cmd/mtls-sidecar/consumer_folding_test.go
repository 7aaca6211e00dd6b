package main_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// WSGI, PHP and Rack make variables of header fields, HTTP_X_CLIENT_DN of X-Client-DN and of several
// other spellings. Real servers of each kind show that none of those is a way round the sidecar.

// foldedNames are what back ends of each preset read, by those back ends' documentation, and what
// the preset sends besides.
var foldedNames = map[string][]string{
	"nginx":         {"VERIFIED", "DN"},
	"ingress-nginx": {"ssl-client-verify", "ssl-client-subject-dn", "ssl-client-issuer-dn", "ssl-client-cert"},
	"haproxy": {"X-SSL", "X-SSL-Client-Verify", "X-SSL-Client-Serial", "X-SSL-Client-Version", "X-SSL-Client-SHA1", "X-SSL-Client-DN",
		"X-SSL-Client-CN", "X-SSL-Issuer", "X-SSL-Client-NotBefore", "X-SSL-Client-NotAfter", "X-SSL-Client-DER"},
	"puppet": {"X-Client-Verify", "X-Client-DN", "X-Client-Cert"},
	"apache": {"SSL_CLIENT_VERIFY", "SSL_CLIENT_S_DN", "SSL_CLIENT_I_DN", "SSL_CLIENT_CERT", "SSL_CLIENT_M_SERIAL",
		"SSL_CLIENT_V_START", "SSL_CLIENT_V_END", "SSL_CLIENT_CERT_CHAIN_0"},
	"foreman": {"SSL-CLIENT-VERIFY", "SSL-CLIENT-S-DN", "SSL-CLIENT-CERT", "REMOTE_USER"},
	"tomcat":  {"ssl_client_cert", "ssl_client_escaped_cert", "ssl_cipher", "ssl_session_id", "ssl_cipher_usekeysize"},
}

// dialectsTogether are presets that one application can be told in at a time: those of one element
// have no name in common, however it is spelt.
var dialectsTogether = []string{"nginx ingress-nginx haproxy puppet", "apache", "foreman", "tomcat"}

// spellings are all ways to write a name that some application might take for it: each hyphen and
// underscore as a hyphen, an underscore or a dot, in three cases, and each as any other mark that a
// name can have.
func spellings(name string) []string {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' })
	mixes := []string{words[0]}
	for _, word := range words[1:] {
		var longer []string
		for _, mark := range "-_." {
			for _, m := range mixes {
				longer = append(longer, m+string(mark)+word)
			}
		}
		mixes = longer
	}
	all := []string{name}
	for _, m := range mixes {
		all = append(all, m, strings.ToLower(m), strings.ToUpper(m))
	}
	if len(words) > 1 {
		for _, mark := range "!#$%&'*+^`|~" {
			all = append(all, strings.Join(words, string(mark)))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// forgery is the value of every lie.
const forgery = "forged"

// lies are all spellings of all names, twice each, in portions that fit into a head (256 fields).
func lies() [][]string {
	var all []string
	for _, names := range foldedNames {
		for _, name := range names {
			for _, s := range spellings(name) {
				all = append(all, s+": "+forgery, s+": "+forgery+" again")
			}
		}
	}
	slices.Sort(all)
	return slices.Collect(slices.Chunk(slices.Compact(all), 200))
}

// variables are what the application saw, but for those that are another's for every request.
type variables map[string]string

func readVariables(t *testing.T, body string) variables {
	t.Helper()
	var all variables
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	// HTTP_VERSION is Rack's name for the protocol.
	maps.DeleteFunc(all, func(name, _ string) bool {
		return !strings.HasPrefix(name, "HTTP_") || name == "HTTP_X_REQUEST_ID" || name == "HTTP_VERSION"
	})
	return all
}

// tells is one folding application behind one sidecar.
type tells struct {
	*sidecar
	foldingServer
}

// seen asks with lies in the head, and in the trailer section when there are any.
func (s tells) seen(t *testing.T, cert *tls.Certificate, lies, trailers []string) variables {
	t.Helper()
	raw := "GET / HTTP/1.1\r\nHost: localhost\r\nX-Kept: kept\r\n"
	if len(lies) > 0 {
		raw += strings.Join(lies, "\r\n") + "\r\n"
	}
	if len(trailers) > 0 {
		raw = strings.Replace(raw, "GET", "POST", 1) + "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n" +
			"1\r\nx\r\n0\r\n" + strings.Join(trailers, "\r\n") + "\r\n"
	}
	status, _, body := client{cert: cert, version: tls.VersionTLS13}.once(t, s.addr, raw+"\r\n")
	if status != 200 {
		t.Fatalf("status %d, want 200: %s\n%s", status, body, s.tail(20))
	}
	return readVariables(t, body)
}

func TestNoSpellingOfAnIdentityNameReachesAFoldingApplication(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	colleague := c.leaf(c.good, pki.Options{Subject: named("colleague")})
	for _, server := range foldingServers() {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			application := server.start(t)
			server.believesLies(t, application.port)
			for _, dialects := range dialectsTogether {
				s := tells{c.car(t, application.port, dialects), server}
				s.tellsTheTruth(t, dialects, &colleague)
				s.tellsTheTruth(t, dialects, nil)
			}
		})
	}
}

// believesLies asks the application without a sidecar: were the lies no good, the test would prove
// nothing.
func (server foldingServer) believesLies(t *testing.T, port int) {
	t.Helper()
	request := "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
	for i, name := range []string{"verified", "x-client-dn", "SSL_Client_Cert"} {
		_, body, _ := strings.Cut(askPlain(t, port, request+name+": "+forgery+"\r\n\r\n"), "\r\n\r\n")
		variable := "HTTP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		want := forgery
		if i == 2 && server.dropsUnderscores {
			want = ""
		}
		if got := readVariables(t, body[strings.IndexByte(body, '{'):strings.LastIndexByte(body, '}')+1])[variable]; got != want {
			t.Errorf("asked directly with %s: %s=%q, want %q", name, variable, got, want)
		}
	}
}

// tellsTheTruth compares what the application sees of requests with lies and without.
func (s tells) tellsTheTruth(t *testing.T, dialects string, cert *tls.Certificate) {
	t.Helper()
	honest := s.seen(t, cert, nil, nil)
	if honest["HTTP_X_KEPT"] != "kept" {
		t.Errorf("%s: an ordinary field did not arrive: %q", dialects, honest)
	}
	s.identity(t, dialects, honest, cert != nil)
	connection := "Connection: VERIFIED, DN, ssl-client-verify, X-SSL-Client-Verify, SSL_CLIENT_VERIFY, X-Client-Verify"
	for _, portion := range lies() {
		s.same(t, dialects, s.seen(t, cert, append(portion, connection), nil), honest)
	}
	if !s.bodies {
		return
	}
	honest = s.seen(t, cert, nil, []string{"X-Trailer: kept"})
	for _, portion := range lies() {
		// A trailer section has 64 fields at most.
		var some []string
		for i := 0; i < len(portion); i += 4 {
			some = append(some, portion[i])
		}
		s.same(t, dialects, s.seen(t, cert, []string{"Trailer: VERIFIED, DN, ssl-client-verify"}, append(some, "X-Trailer: kept")), honest)
	}
}

// same compares two views of one client.
func (s tells) same(t *testing.T, dialects string, got, honest variables) {
	t.Helper()
	delete(got, "HTTP_TRAILER")
	delete(honest, "HTTP_TRAILER")
	if maps.Equal(got, honest) {
		return
	}
	for name := range got {
		if got[name] != honest[name] {
			t.Errorf("%s: with lies %s=%q, without %q", dialects, name, got[name], honest[name])
		}
	}
	for name := range honest {
		if _, there := got[name]; !there {
			t.Errorf("%s: %s is gone with lies, without it is %q", dialects, name, honest[name])
		}
	}
}

// identity checks that the application is told of the client at all, and by no name that the lies
// leave out.
func (s tells) identity(t *testing.T, dialects string, honest variables, believed bool) {
	t.Helper()
	known := map[string]bool{}
	for preset := range strings.FieldsSeq(dialects) {
		told := 0
		for _, name := range foldedNames[preset] {
			variable := "HTTP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
			known[variable] = true
			if honest[variable] != "" {
				told++
			}
			if !believed && honest[variable] != "" && honest[variable] != "NONE" && !ofConnection(name) {
				t.Errorf("%s: without a certificate the application was told %s=%q", dialects, variable, honest[variable])
			}
		}
		// Every preset tells of a believed client; these name what holds an underscore.
		if unheard := s.dropsUnderscores && (preset == "apache" || preset == "tomcat"); believed && (told > 0) == unheard {
			t.Errorf("%s: the application was told %d things of a believed client: %q", preset, told, honest)
		}
	}
	for name := range honest {
		if field := strings.ReplaceAll(strings.TrimPrefix(name, "HTTP_"), "_", "-"); !known[name] && !ordinary(field) && field != "X-KEPT" {
			t.Errorf("%s: the application was told %s, which no lie is about; add it to the list", dialects, name)
		}
	}
}

// ofConnection are the names that tell of the connection alone, certificate or not.
func ofConnection(name string) bool {
	return slices.Contains([]string{"X-SSL", "ssl_cipher", "ssl_cipher_usekeysize"}, name)
}

// askPlain sends raw bytes to a port of this machine and returns all that comes back.
func askPlain(t *testing.T, port int, raw string) string {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(hang))
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(conn) // what came before a reset counts
	return string(answer)
}
