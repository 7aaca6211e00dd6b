package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// AskDrain asks the sidecar that runs with this configuration, in the same pod, to
// begin a drain, and returns what it says to that. The error is a *ConfigError
// where it has no admin port.
func AskDrain(ctx context.Context, config *Config) (string, error) {
	return config.askAdmin(ctx, http.MethodPost, "/drain")
}

// AskReady asks it whether requests should be sent to it; an error says why not.
func AskReady(ctx context.Context, config *Config) (string, error) {
	return config.askAdmin(ctx, http.MethodGet, "/readyz")
}

// maxSaid is how much of an answer is told, in bytes.
const maxSaid = 1 << 10

// askAdmin asks the admin port from inside the pod. An answer other than a 2xx is
// an error with its text.
func (c *Config) askAdmin(ctx context.Context, method, path string) (string, error) {
	if c.AdminAddr.Off() {
		return "", &ConfigError{[]Fault{{"MTLS_ADMIN_ADDR", string(adminOff),
			"leaves no way to ask the running sidecar; open the admin port (SIGTERM drains as well)"}}}
	}
	network, address := c.AdminAddr.Dial()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, address)
	}}
	// Not the address: as a socket's path, and with the zone that a link-local one needs,
	// it makes no URL.
	request, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, nil)
	if err != nil {
		return "", err
	}
	if method == http.MethodPost {
		request.Header["Mtls-Sidecar"] = []string{strings.TrimPrefix(path, "/")} // no web page can send it unasked
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return "", fmt.Errorf("MTLS_ADMIN_ADDR=%q: no sidecar answers there: %w; is it running, in this pod and with the same MTLS_ADMIN_ADDR?", c.AdminAddr, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxSaid))
	if err != nil {
		return "", fmt.Errorf("MTLS_ADMIN_ADDR=%q: reading the answer: %w", c.AdminAddr, err)
	}
	said := Printable(strings.TrimSpace(string(text)))
	switch {
	case answer.StatusCode == http.StatusServiceUnavailable && method == http.MethodGet:
		return "", fmt.Errorf("MTLS_ADMIN_ADDR=%q: %s", c.AdminAddr, said)
	case answer.StatusCode/100 != 2:
		return "", fmt.Errorf("MTLS_ADMIN_ADDR=%q answers %d to %s: %s; is it a sidecar of this version that listens there?", c.AdminAddr, answer.StatusCode, path, said)
	}
	return said, nil
}
