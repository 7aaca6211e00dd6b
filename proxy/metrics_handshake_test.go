package proxy

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
)

// handshakeSeries is that of one handshake.
func handshakeSeries(result, version, resumed string) string {
	return `tls_handshakes_total{result="` + result + `",resumed="` + resumed + `",version="` + version + `"}`
}

func TestMetricsOfAHandshakeThatFails(t *testing.T) {
	expired := expiredClient(t)
	var unproved, unparsable *tls.Certificate
	for _, bad := range badClients(t) {
		switch bad.event {
		case CertificateNotProved:
			unproved = &bad.certificate
		case CertificateUnparsable:
			unparsable = &bad.certificate
		}
	}
	shakes := func(config *tls.Config) func(*testing.T, *sidecar) {
		return func(t *testing.T, s *sidecar) { _ = s.hears(t, config) }
	}
	says := func(text string) func(*testing.T, *sidecar) {
		return func(t *testing.T, s *sidecar) {
			socket, err := net.Dial("tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(socket, text)
			if text == "" {
				_ = socket.(*net.TCPConn).CloseWrite()
			}
			_, _ = io.Copy(io.Discard, socket)
			socket.Close()
		}
	}
	untrusting := &tls.Config{ServerName: "localhost"}
	old := clientConfig(nil)
	old.MinVersion, old.MaxVersion = tls.VersionTLS11, tls.VersionTLS11
	const alert, demanded = "MTLS_REJECT_WITH=alert", "MTLS_VERIFY_CLIENT=on"
	for _, test := range []struct {
		name    string
		entries []string
		client  func(*testing.T, *sidecar)
		want    []string
	}{
		{"plain HTTP", nil, says(simpleGet), []string{handshakeSeries("plain_http", "", "false"), refusedFor("plain_http")}},
		{"a probe", nil, says(""), []string{handshakeSeries("eof", "", "false")}},
		{"silence", []string{"MTLS_HANDSHAKE_TIMEOUT=50ms"}, says("\x16"), []string{handshakeSeries("timeout", "", "false"), limit("MTLS_HANDSHAKE_TIMEOUT")}},
		{"an alert of the client", nil, shakes(untrusting), []string{handshakeSeries("alert", "1.3", "false"), refusedFor("alert")}},
		{"no version in common", nil, shakes(old), []string{handshakeSeries("failed", "", "false"), refusedFor("no_common_version")}},
		{"no certificate", []string{alert, demanded}, shakes(clientConfig(nil)), []string{handshakeSeries("no_certificate", "1.3", "false"), refusedFor("no_certificate")}},
		{"no certificate in TLS 1.2", []string{alert, demanded}, shakes(clientOf(tls.VersionTLS12, nil)), []string{handshakeSeries("no_certificate", "1.2", "false"), refusedFor("no_certificate")}},
		{"an expired certificate", []string{alert}, shakes(clientConfig(expired)),
			[]string{handshakeSeries("refused", "1.3", "false"), refusedFor("expired"), `verdicts_total{reason="expired",status="FAILED"}`}},
		{"a stolen certificate", nil, shakes(clientConfig(unproved)), []string{handshakeSeries("not_proved", "1.3", "false"), refusedFor("certificate_not_proved")}},
		{"no certificate at all", nil, shakes(clientConfig(unparsable)), []string{handshakeSeries("bad_certificate", "1.3", "false"), refusedFor("certificate_unparsable")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := startSidecar(t, "http://127.0.0.1:1", test.entries...)
			before := s.scrape(t)
			test.client(t, s)
			s.counted(t, before, append(test.want, oneConnection)...)
		})
	}
}

func TestMetricsOfAHandshakeThatResumes(t *testing.T) {
	s := startSidecar(t, startBackend(t, answering(okAnswer)).url)
	for _, version := range []struct {
		number uint16
		name   string
	}{{tls.VersionTLS12, "1.2"}, {tls.VersionTLS13, "1.3"}} {
		before := s.scrape(t)
		c := s.dialWith(t, s.visited(t, clientOf(version.number, &testCA(t).client)))
		s.counted(t, before, oneConnection+" 2", oneDuration+" 2",
			handshakeSeries("ok", version.name, "false"), handshakeSeries("ok", version.name, "true"))
		c.Close()
	}
}

func TestMetricsOfProxyHeaders(t *testing.T) {
	for _, test := range []struct{ name, from, send, reason string }{
		{"missing", "127.0.0.0/8", simpleGet, "missing"},
		{"bad", "127.0.0.0/8", "PROXY what is this\r\n", "bad"},
		{"unexpected", "10.0.0.0/8", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "unexpected"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startSidecar(t, "http://127.0.0.1:1", "MTLS_PROXY_PROTOCOL_FROM="+test.from)
			before := s.scrape(t)
			socket, err := net.Dial("tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer socket.Close()
			_, _ = io.WriteString(socket, test.send)
			_, _ = io.Copy(io.Discard, socket)
			s.counted(t, before, oneConnection, `proxy_headers_refused_total{reason="`+test.reason+`"}`, refusedFor("proxy_header_"+test.reason))
		})
	}
}
