package main_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"sync/atomic"
	"testing"
)

// goClient is net/http with a client certificate, on connections that it counts.
type goClient struct {
	*http.Client
	base    string
	config  *tls.Config
	dialled atomic.Int32
}

// goClient presents a certificate of the vault, "" being none. What is offered
// by ALPN is h2 and http/1.1.
func (f *front) goClient(t *testing.T, certificate string) *goClient {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(f.ca.Cert)
	c := &goClient{base: f.url(""), config: &tls.Config{RootCAs: roots}}
	if certificate != "" {
		presented := f.certificate(certificate)
		// Certificates would present it only to who asks for its CA.
		c.config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &presented, nil }
	}
	transport := &http.Transport{
		TLSClientConfig:    c.config,
		ForceAttemptHTTP2:  true,
		DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c.dialled.Add(1)
			return (&net.Dialer{}).DialContext(ctx, "tcp", f.addr)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	c.Client = &http.Client{Transport: transport, Timeout: hang}
	return c
}

// onlyHTTP1 has it offer HTTP/1.1 alone.
func (c *goClient) onlyHTTP1() {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	c.Transport.(*http.Transport).Protocols = &protocols
}

// goAnswer is an answer that has been read to its end.
type goAnswer struct {
	*http.Response
	body   []byte
	reused bool // no new connection was made for it
	hints  []http.Header
}

// saw is what the application was told of the client.
func (a goAnswer) saw() string { return a.Header.Get("X-Saw") }

// try makes a request and reads the answer.
func (c *goClient) try(request *http.Request) (goAnswer, error) {
	var a goAnswer
	trace := &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { a.reused = info.Reused },
		Got1xxResponse: func(_ int, header textproto.MIMEHeader) error {
			a.hints = append(a.hints, http.Header(header))
			return nil
		},
	}
	var err error
	if a.Response, err = c.Do(request.WithContext(httptrace.WithClientTrace(request.Context(), trace))); err != nil {
		return a, err
	}
	defer a.Body.Close()
	a.body, err = io.ReadAll(a.Body)
	return a, err
}

func (c *goClient) request(t *testing.T, method, path string, body io.Reader) *http.Request {
	t.Helper()
	request, err := http.NewRequest(method, c.base+path, body)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// ask is try for requests that must be answered, over HTTP/2.
func (c *goClient) ask(t *testing.T, method, path string, body io.Reader) goAnswer {
	t.Helper()
	return c.send(t, c.request(t, method, path, body))
}

func (c *goClient) send(t *testing.T, request *http.Request) goAnswer {
	t.Helper()
	a, err := c.try(request)
	if err != nil {
		t.Fatalf("%s %s: %v", request.Method, request.URL.Path, err)
	}
	if a.Proto != "HTTP/2.0" {
		t.Errorf("%s %s: answered by %s, want HTTP/2.0", request.Method, request.URL.Path, a.Proto)
	}
	return a
}

// open makes a request and reads the head of the answer only.
func (c *goClient) open(t *testing.T, path string) *http.Response {
	t.Helper()
	answer, err := c.Get(c.base + path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

// bodySizes are those that bodies are sent in.
func bodySizes() []int { return []int{0, 1, 64 << 10, 8 << 20} }

// unsized hides from net/http how long a body is.
type unsized struct{ io.Reader }

func TestGoRelaysBodiesOverHTTP2(t *testing.T) {
	eachFront(t, nil, func(t *testing.T, f *front, _ *site) {
		c := f.goClient(t, "client")
		check := func(name string, got goAnswer, want []byte) {
			t.Helper()
			if got.StatusCode != 200 || got.saw() != saw("client") || !bytes.Equal(got.body, want) {
				t.Errorf("%s: got status %d, %q and %d bytes, want 200, %q and the %d bytes", name, got.StatusCode, got.saw(), len(got.body), saw("client"), len(want))
			}
		}
		for _, n := range bodySizes() {
			body := pattern(n)
			check("GET", c.ask(t, "GET", "/bytes?n="+strconv.Itoa(n), nil), body)
			for _, method := range []string{"POST", "PUT"} {
				got := c.ask(t, method, "/echo", bytes.NewReader(body))
				check(method+" with a length", got, body)
				if method, length := got.Header.Get("X-Method"), got.Header.Get("X-Length"); method != got.Request.Method || length != strconv.Itoa(n) {
					t.Errorf("%s: the application saw %s and the length %s, want %d", got.Request.Method, method, length, n)
				}
			}
			check("POST of unknown length", c.ask(t, "POST", "/echo?chunked", unsized{bytes.NewReader(body)}), body)
		}
		if got := c.dialled.Load(); got != 1 {
			t.Errorf("it took %d connections, want 1", got)
		}
	})
}

func TestGoHasAHundredStreamsAtOnceOnOneConnection(t *testing.T) {
	const n = 100
	eachFront(t, nil, func(t *testing.T, f *front, _ *site) {
		c := f.goClient(t, "client")
		c.ask(t, "GET", "/", nil) // else many connections are tried at first
		type outcome struct {
			answer goAnswer
			err    error
			want   string
		}
		outcomes := make(chan outcome, n)
		for i := range n {
			request := c.request(t, "GET", "/together?name=go&n="+strconv.Itoa(n)+"&i="+strconv.Itoa(i), nil)
			go func() {
				answer, err := c.try(request)
				outcomes <- outcome{answer, err, "together " + strconv.Itoa(i)}
			}()
		}
		for range n {
			if got := <-outcomes; got.err != nil || string(got.answer.body) != got.want || got.answer.saw() != saw("client") {
				t.Fatalf("got %q, %q (%v), want %q", got.answer.body, got.answer.saw(), got.err, got.want)
			}
		}
		if got := c.dialled.Load(); got != 1 {
			t.Errorf("it took %d connections, want 1", got)
		}
	})
}
