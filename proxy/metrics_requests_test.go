package proxy

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
)

// requestCounts is one request on a connection of its own, and what it counts beside that
// connection's arrival.
type requestCounts struct {
	name    string
	entries []string
	client  *tls.Certificate
	app     exchangeFunc // nil: answers 200
	down    bool         // there is no application
	send    string
	arrival []string // nil: of a client without a certificate
	want    []string
}

// request is the series of a request, by the labels that matter.
func request(method, code, verified string) string {
	return `http_requests_total{code="` + code + `",method="` + method + `",protocol="1.1",verified="` + verified + `"}`
}

// lasted is that its duration was observed.
func lasted(class string) string {
	return `http_request_duration_seconds_count{code_class="` + class + `"}`
}

const (
	appAnswered = "upstream_response_seconds_count"
	noReason    = ""
)

func refusedFor(reason string) string { return `refusals_total{reason="` + reason + `"}` }
func appFailed(reason string) string  { return `upstream_errors_total{reason="` + reason + `"}` }
func limit(variable string) string    { return `limits_reached_total{variable="` + variable + `"}` }
func strippedName(name string) string { return `stripped_headers_total{header="` + name + `"}` }

// admittedCounts are of requests that the application gets.
func admittedCounts(t *testing.T) []requestCounts {
	good, expired := &testCA(t).client, expiredClient(t)
	saying := func(line string) exchangeFunc { return answering("HTTP/1.1 " + line + "\r\nContent-Length: 0\r\n\r\n") }
	return []requestCounts{
		{name: "a believed client", client: good, send: simpleGet, arrival: arrived("SUCCESS", noReason),
			want: []string{request("GET", "200", "SUCCESS"), lasted("2xx"), appAnswered}},
		{name: "no certificate", send: simpleGet,
			want: []string{request("GET", "200", "NONE"), lasted("2xx"), appAnswered}},
		{name: "an expired one that is told as failed", entries: []string{"MTLS_INVALID_CERT=failed"}, client: expired, send: simpleGet,
			arrival: arrived("FAILED", "expired"), want: []string{request("GET", "200", "FAILED"), lasted("2xx"), appAnswered}},
		{name: "an expired one that is told as none", entries: []string{"MTLS_INVALID_CERT=none"}, client: expired, send: simpleGet,
			arrival: arrived("FAILED", "expired"), want: []string{request("GET", "200", "NONE"), lasted("2xx"), appAnswered}},
		{name: "a path without identity", entries: []string{"MTLS_ROUTES=/=off"}, client: good, send: simpleGet,
			arrival: []string{oneConnection, oneHandshake, oneDuration}, want: []string{request("GET", "200", "NONE"), lasted("2xx"), appAnswered}},
		{name: "a method of its own", send: "BREW / HTTP/1.1\r\nHost: h\r\n\r\n",
			want: []string{request("_OTHER", "200", "NONE"), lasted("2xx"), appAnswered}},
		{name: "HTTP/1.0", send: "DELETE / HTTP/1.0\r\n\r\n",
			want: []string{`http_requests_total{code="200",method="DELETE",protocol="1.0",verified="NONE"}`, lasted("2xx"), appAnswered}},
		{name: "a code that nobody has registered", app: saying("599 Strange"), send: simpleGet,
			want: []string{request("GET", "5xx", "NONE"), lasted("5xx"), appAnswered}},
		{name: "the application's own 404", app: saying("404 Not Found"), send: post("x"),
			want: []string{request("POST", "404", "NONE"), lasted("4xx"), appAnswered}},
		{name: "an interim answer first", app: answering("HTTP/1.1 103 Early Hints\r\n\r\n" + okAnswer), send: simpleGet,
			want: []string{request("GET", "200", "NONE"), lasted("2xx"), appAnswered}},
		{name: "fields that speak for us", client: good, arrival: arrived("SUCCESS", noReason),
			send: "GET / HTTP/1.1\r\nHost: h\r\nVERIFIED: SUCCESS\r\nVerified: SUCCESS\r\nDN: CN=root\r\nX_SSL_Client_Verify: 0\r\nX-SSL-Whatever: 1\r\nX_Forwarded_For: ::1\r\n\r\n",
			want: []string{request("GET", "200", "SUCCESS"), lasted("2xx"), appAnswered, strippedName("verified") + " 2", strippedName("dn"),
				strippedName("x-ssl-client-verify"), strippedName("x-ssl-*"), strippedName("x-forwarded-for")}},
		{name: "such a field in a trailer", app: takingTrailers, send: "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nDN: CN=root\r\nVia: x\r\nX-Sum: 1\r\n\r\n",
			want: []string{request("POST", "200", "NONE"), lasted("2xx"), appAnswered, strippedName("dn")}},
	}
}

// takingTrailers reads a body and its trailers before it answers.
func takingTrailers(conn net.Conn, r *bufio.Reader, head string) bool {
	if _, _, err := appBody(r, head); err != nil {
		return false
	}
	_, err := io.WriteString(conn, okAnswer)
	return err == nil
}

// refusedCounts are of requests that get an answer of ours.
func refusedCounts(t *testing.T) []requestCounts {
	good, expired := &testCA(t).client, expiredClient(t)
	return []requestCounts{
		{name: "an expired certificate", client: expired, send: simpleGet, arrival: arrived("FAILED", "expired"),
			want: []string{request("GET", "400", "FAILED"), lasted("4xx"), refusedFor("expired")}},
		{name: "no certificate where one is demanded", entries: []string{"MTLS_VERIFY_CLIENT=on"}, send: simpleGet,
			want: []string{request("GET", "400", "NONE"), lasted("4xx"), refusedFor("no_certificate")}},
		{name: "no certificate on a path that demands one", entries: []string{"MTLS_ROUTES=/=require"}, send: simpleGet,
			want: []string{request("GET", "403", "NONE"), lasted("4xx"), refusedFor("certificate_required")}},
		{name: "what is no HTTP", send: "what is this?\r\n\r\n", arrival: []string{oneConnection, oneHandshake, oneDuration},
			want: []string{request("_OTHER", "400", "NONE"), lasted("4xx"), refusedFor("bad_request")}},
		{name: "a head that is too large", entries: []string{"MTLS_MAX_HEADER_BYTES=1KiB"}, arrival: []string{oneConnection, oneHandshake, oneDuration},
			send: "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 1<<10) + "\r\n\r\n",
			want: []string{request("_OTHER", "431", "NONE"), lasted("4xx"), refusedFor("bad_request"), limit("MTLS_MAX_HEADER_BYTES")}},
		{name: "a body that is too large", entries: []string{"MTLS_MAX_BODY_BYTES=1KiB"}, send: "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1025\r\n\r\n",
			want: []string{request("PUT", "413", "NONE"), lasted("4xx"), refusedFor("body_too_large"), limit("MTLS_MAX_BODY_BYTES")}},
		{name: "an identity that is too large", entries: []string{"MTLS_MAX_IDENTITY_BYTES=256", "MTLS_HEADERS=Cert=$ssl_client_escaped_cert"}, client: good, send: simpleGet,
			arrival: arrived("SUCCESS", noReason),
			want:    []string{request("GET", "431", "SUCCESS"), lasted("4xx"), refusedFor("identity_too_large"), limit("MTLS_MAX_IDENTITY_BYTES")}},
		{name: "no application", down: true, send: simpleGet,
			want: []string{request("GET", "502", "NONE"), lasted("5xx"), appFailed("refused"), refusedFor("upstream_down")}},
		{name: "an application that speaks something else", app: answering("220 mail.example ESMTP\r\n\r\n"), send: simpleGet,
			want: []string{request("GET", "502", "NONE"), lasted("5xx"), appFailed("invalid_answer"), refusedFor("upstream_broken")}},
		{name: "an application that does not answer", entries: []string{"MTLS_UPSTREAM_TIMEOUT=50ms"}, app: mute, send: simpleGet,
			want: []string{request("GET", "504", "NONE"), lasted("5xx"), appFailed("timeout"), refusedFor("upstream_timeout"), limit("MTLS_UPSTREAM_TIMEOUT")}},
	}
}

func TestMetricsOfARequest(t *testing.T) {
	for _, test := range slices.Concat(admittedCounts(t), refusedCounts(t)) {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := "http://127.0.0.1:1"
			if !test.down {
				app := test.app
				if app == nil {
					app = answering(okAnswer)
				}
				url = startBackend(t, app).url
			}
			s := startSidecar(t, url, test.entries...)
			before := s.scrape(t)
			c := s.dial(t, test.client)
			c.send(test.send)
			for {
				if answer, _ := c.answer("GET"); answer.StatusCode >= 200 {
					break
				}
			}
			if test.arrival == nil {
				test.arrival = arrived("NONE", noReason)
			}
			s.counted(t, before, append(test.arrival, test.want...)...)
		})
	}
}
