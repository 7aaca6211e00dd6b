package main_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
)

// Calls as they are on the wire, made with net/http: what a proxy does to them
// shows, which gRPC's own library hides.

// client is a net/http client of a front, over HTTP/2 alone or HTTP/1.1 alone.
func (f grpcFront) client(t *testing.T, as string, http2 bool) *http.Client {
	t.Helper()
	ca, err := os.ReadFile(f.path("ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}
	config.RootCAs.AppendCertsFromPEM(ca)
	if as != "" {
		certificate := f.certificate(as)
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil }
	}
	transport := &http.Transport{TLSClientConfig: config, DisableCompression: true, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP2(http2)
	transport.Protocols.SetHTTP1(!http2)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: hang}
}

// grpcEmpty is an empty message: no compression, four bytes of length.
const grpcEmpty = "\x00\x00\x00\x00\x00"

func grpcRequest(t *testing.T, addr, path string, fields map[string]string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+addr+path, io.MultiReader(strings.NewReader(grpcEmpty)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("TE", "trailers")
	for name, value := range fields {
		r.Header.Set(name, value)
	}
	return r
}

// rawCall makes a call and reads all of the answer.
func rawCall(t *testing.T, c *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	return answer, string(body)
}

func TestARawGRPCCallGetsItsTrailers(t *testing.T) {
	t.Parallel()
	w := startGRPC(t, nil)
	c := w.client(t, "client", true)
	const emptyCall = "/grpc.testing.TestService/EmptyCall"
	for name, call := range map[string]struct {
		path   string
		fields map[string]string
		body   string
		header string // grpc-status among the headers: a trailers-only answer
		status string // among the trailers
	}{
		"Unary":        {emptyCall, map[string]string{"Content-Type": "application/grpc+proto"}, grpcEmpty, "", "0"},
		"TrailersOnly": {emptyCall, map[string]string{"X-Refuse": "9 no"}, "", "9", ""},
		"NoSuchMethod": {"/grpc.testing.TestService/None", nil, "", "12", ""},
		// The server ends it by itself, since nobody cancels: grpc-go with this
		// status or by RST_STREAM with CANCEL, whichever of two goroutines is first.
		"DeadlineInTheServer": {"/sidecar.Witness/Wait", map[string]string{"Grpc-Timeout": "50m"}, "", "4", ""},
	} {
		t.Run(name, func(t *testing.T) {
			answer, body := rawCall(t, c, grpcRequest(t, w.addr, call.path, call.fields))
			if answer.StatusCode != 200 || answer.Proto != "HTTP/2.0" || !strings.HasPrefix(answer.Header.Get("Content-Type"), "application/grpc") {
				t.Errorf("got %s %d, %s", answer.Proto, answer.StatusCode, answer.Header)
			}
			if body != call.body || answer.Header.Get("Grpc-Status") != call.header || answer.Trailer.Get("Grpc-Status") != call.status {
				t.Errorf("got the message %q, headers %v, trailers %v; want %q, grpc-status %q in the headers, %q in the trailers",
					body, answer.Header, answer.Trailer, call.body, call.header, call.status)
			}
		})
	}
}

// TestARefusalOfAGRPCCallIsOneHeadersFrame: status 200 and a grpc-message that
// HTTP can carry (PROTOCOL-HTTP2.md, Trailers-Only).
func TestARefusalOfAGRPCCallIsOneHeadersFrame(t *testing.T) {
	t.Parallel()
	app := startGRPCServer(t)
	v := newVault(t)
	car := startGRPCSidecar(t, v, app.addr, v.clients())
	f := grpcFront{car.addr, v}
	for _, kind := range []string{"application/grpc", "application/grpc+proto", "application/grpc+json", "application/grpc;charset=utf-8", "Application/GRPC"} {
		answer, body := rawCall(t, f.client(t, "expired", true), grpcRequest(t, f.addr, "/any.Service/Method", map[string]string{"Content-Type": kind}))
		message := answer.Header.Get("Grpc-Message")
		if answer.StatusCode != 200 || answer.Header.Get("Grpc-Status") != "16" || body != "" || len(answer.Trailer) > 0 ||
			!strings.HasPrefix(answer.Header.Get("Content-Type"), "application/grpc") {
			t.Errorf("%s: got %d, headers %v, body %q, trailers %v", kind, answer.StatusCode, answer.Header, body, answer.Trailer)
		}
		words, err := url.PathUnescape(message)
		if err != nil || !strings.Contains(words, "expired") || strings.ContainsFunc(message, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%s: grpc-message is %q (%v)", kind, message, err)
		}
	}
	// These are HTTP: grpc-web's clients read the status of HTTP.
	for _, kind := range []string{"application/grpc-web", "application/grpc-web+proto", "application/json", "application/grpcx", ""} {
		answer, body := rawCall(t, f.client(t, "expired", true), grpcRequest(t, f.addr, "/any.Service/Method", map[string]string{"Content-Type": kind}))
		if answer.StatusCode != 400 || answer.Header.Get("Grpc-Status") != "" || !strings.Contains(body, "expired") {
			t.Errorf("%s: got %d, headers %v, body %q, want a page", kind, answer.StatusCode, answer.Header, body)
		}
	}
	if calls := app.said("/any.Service"); calls > 0 {
		t.Errorf("the application saw %d of the refused calls", calls)
	}
}
