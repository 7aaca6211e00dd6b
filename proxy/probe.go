package proxy

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"mtls-sidecar/proxy/trust"
)

// probes is what is known of the application from outside of requests.
type probes struct {
	mu    sync.Mutex
	at    time.Time
	found error // nil: it accepts connections
}

// probe asks the application for a path on behalf of the kubelet, which cannot
// reach loopback. It knows no client: what is told is NONE, and nothing of
// the probe's own request but its method. The connection is one of its own.
func (a *Admin) probe(ctx context.Context, method, path string) (*http.Response, error) {
	s := a.server.Load()
	if s == nil {
		return nil, errStarting
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+s.upstreamHost()+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header, err = s.guestHeader()
	if err != nil {
		return nil, err
	}
	request.Header["User-Agent"] = []string{"mtls-sidecar-probe"}
	return s.probeTransport().RoundTrip(request)
}

// guestHeader is the identity block of a client without a certificate.
func (s *Server) guestHeader() (http.Header, error) {
	facts := factsOf(trust.Verdict{}, trust.Verdict{}.Text(), nil)
	facts.Now = s.wall(time.Now())
	lines, _, err := s.identity(facts)
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	for line := range bytes.SplitSeq(lines, []byte("\r\n")) {
		if name, value, found := bytes.Cut(line, []byte(": ")); found {
			header[string(name)] = append(header[string(name)], string(value)) // in our spelling
		}
	}
	return header, nil
}

// probeTransport speaks the application's protocol, and keeps no connection.
func (s *Server) probeTransport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(s.h2c == nil)
	protocols.SetUnencryptedHTTP2(s.h2c != nil)
	return &http.Transport{
		DisableKeepAlives:  true,
		DisableCompression: true, // else it asks for an encoding
		Protocols:          protocols,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			dialer := net.Dialer{Timeout: s.config.UpstreamConnectTimeout.Duration}
			conn, err := dialer.DialContext(ctx, s.config.UpstreamURL.Network, s.config.UpstreamURL.Address)
			if err == nil && s.exposure.allow(s) != nil {
				conn.Close()
				return nil, errUnsafeApp
			}
			return conn, err
		},
	}
}
