package main_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// tlsSession is one way to connect, for the variables that tell of the connection.
type tlsSession struct {
	name    string
	client  func(*tls.Config)
	server  string // nginx's listener
	resumed bool
	// peerOnly is why only nginx can be brought to it; its record is then compared with what package headers renders.
	peerOnly string
}

const (
	onECDSA  = "ECDSA"
	onRSA    = "RSA"
	onHTTP2  = "HTTP/2"
	onAES128 = "TLS_AES_128_GCM_SHA256"
	onAES256 = "TLS_AES_256_GCM_SHA384"
	onChaCha = "TLS_CHACHA20_POLY1305_SHA256"
)

// sessionServers are the listeners that the sessions need of nginx.
func sessionServers() []string {
	return []string{onECDSA, onRSA, onHTTP2, onAES128, onAES256, onChaCha}
}

func sessionListeners() []nginxListener {
	var all []nginxListener
	for _, name := range sessionServers() {
		l := nginxListener{Variables: connectionVariables, HTTP2: name == onHTTP2}
		switch {
		case name == onRSA:
			l.Options = []string{"ssl_certificate rsa.crt", "ssl_certificate_key rsa.key"}
		case strings.HasPrefix(name, "TLS_"):
			l.Options = []string{"ssl_conf_command Ciphersuites " + name}
		}
		all = append(all, l)
	}
	return all
}

func tlsSessions() []tlsSession {
	all := suiteSessions()
	for name, curve := range map[string]tls.CurveID{"X25519": tls.X25519, "P-256": tls.CurveP256, "P-384": tls.CurveP384, "P-521": tls.CurveP521} {
		for version, number := range tlsVersions() {
			offer := func(c *tls.Config) {
				versions(number)(c)
				c.CurvePreferences, c.CipherSuites = []tls.CurveID{curve}, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
			}
			// In TLS 1.2 the curve of the server's key has to be one that the client offers, too (RFC 8422 section 5.1): RSA has none.
			all = append(all, tlsSession{name: "TLS " + version + ", " + name, client: offer, server: onRSA},
				tlsSession{name: "TLS " + version + ", " + name + ", resumed", client: offer, server: onRSA, resumed: true})
		}
	}
	for name, sni := range map[string]string{
		"no SNI": "", "SNI": "localhost", "SNI in capitals": "Api.Example.ORG", "SNI with underscores": "a_b.example.org", "SNI in punycode": "xn--bcher-kva.example",
		"SNI of one label and digits": "host1", "SNI with a space": "a b.example", "SNI with line feeds": "a\r\nX-Evil: 1", "SNI in UTF-8": "bücher.example",
		"SNI with a slash": "a/b", "SNI with a colon": "a:443", "SNI with two dots": "a..example", "SNI with a dot first": ".example", "long SNI": strings.Repeat("label.", 40) + "example",
		"SNI with a NUL": "a\x00b", "SNI with a percent sign": "a%0d.example", "SNI with a hyphen first": "-a.example", "SNI with quotes": `a";b="c`,
		"SNI with a long label": strings.Repeat("a", 64) + ".example", "SNI of 277 bytes": strings.Repeat("label.", 45) + "example",
	} {
		all = append(all, tlsSession{name: name, client: func(c *tls.Config) { versions(tls.VersionTLS13)(c); c.ServerName = sni }, server: onECDSA})
	}
	for _, offer := range []string{"http/1.1", "http/1.0 http/1.1", "http/1.0", "h2 http/1.1", "h2", "unknown", "unknown http/1.1"} {
		client := func(c *tls.Config) { versions(tls.VersionTLS13)(c); c.NextProtos = strings.Fields(offer) }
		all = append(all, tlsSession{name: "ALPN " + offer, client: client, server: onECDSA}, tlsSession{name: "ALPN " + offer + ", with HTTP/2", client: client, server: onHTTP2})
	}
	return all
}

func versions(version uint16) func(*tls.Config) {
	return func(c *tls.Config) { c.MinVersion, c.MaxVersion = version, version }
}

func suiteSessions() (all []tlsSession) {
	for _, suite := range tls.CipherSuites() {
		if strings.HasPrefix(suite.Name, "TLS_RSA") {
			continue // without forward secrecy: crypto/tls does not offer them
		}
		s := tlsSession{name: suite.Name, server: suite.Name, peerOnly: "the server chooses"}
		s.client = versions(tls.VersionTLS13)
		if rest, ok := strings.CutPrefix(suite.Name, "TLS_ECDHE_"); ok {
			s.client = func(c *tls.Config) { versions(tls.VersionTLS12)(c); c.CipherSuites = []uint16{suite.ID} }
			s.server, _, _ = strings.Cut(rest, "_")
			s.peerOnly = ""
		}
		again := s
		again.name, again.resumed = s.name+", resumed", true
		all = append(all, s, again)
	}
	return all
}

// over connects as s says and asks what the application is told. What the client itself sees of the connection is told
// as well, under names that no header has.
func (s tlsSession) over(t *testing.T, p proxyServer) words {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256}}
	if s.resumed {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	s.client(config)
	if s.resumed {
		if _, err := ask(p, config); err != nil {
			t.Fatalf("%s: before resuming: %v", s.name, err)
		}
		p.application.take()
	}
	state, err := ask(p, config)
	head := p.application.take()
	if err != nil || head == "" {
		return words{notForwarded: "no answer"}
	}
	if state.DidResume != s.resumed {
		t.Errorf("%s: resumed: got %v, want %v", s.name, state.DidResume, s.resumed)
	}
	all := tell(head)
	all["(version)"], all["(suite)"] = fmt.Sprint(state.Version), fmt.Sprint(state.CipherSuite)
	all["(curve)"], all["(resumed)"] = fmt.Sprint(uint16(state.CurveID)), fmt.Sprint(state.DidResume)
	all["(ALPN)"], all["(SNI)"] = state.NegotiatedProtocol, config.ServerName
	return all
}

// ask makes one request over a connection of its own, in HTTP/2 where that was agreed on.
func ask(p proxyServer, config *tls.Config) (state tls.ConnectionState, err error) {
	plain, err := net.DialTimeout("tcp", p.addr, hang)
	if err != nil {
		return state, err
	}
	conn := tls.Client(plain, config)
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(hang))
	if err := conn.Handshake(); err != nil {
		return state, err
	}
	state = conn.ConnectionState()
	var response *http.Response
	if state.NegotiatedProtocol == "h2" {
		transport := &http.Transport{Protocols: new(http.Protocols), DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
		transport.Protocols.SetHTTP2(true)
		defer transport.CloseIdleConnections()
		response, err = (&http.Client{Transport: transport}).Get("https://localhost/")
	} else {
		response, _, err = (&connection{conn, bufio.NewReader(conn)}).ask(dialectRequest)
	}
	if err != nil {
		return state, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	return state, err
}
