package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// rulesHeaders are what the application is told of a client.
func rulesHeaders() []string { return []string{"VERIFIED", "DN", "X-Forwarded-For"} }

// forged is what a client says that lies about itself.
const forged = "forged-by-the-client"

// keepsRules asks a peer with and without a certificate, each time with forged headers,
// and looks at what the application is told: who does less work than the others is not
// compared with them.
func (w *world) keepsRules(ctx context.Context, address string) error {
	for _, certificate := range []*tls.Certificate{w.client, {}} {
		told, err := w.askRules(ctx, address, certificate)
		if err == nil {
			err = judgeRules(told, certificate == w.client)
		}
		if err != nil {
			return fmt.Errorf("it does not keep the rules: %w", err)
		}
	}
	return nil
}

func (w *world) askRules(ctx context.Context, address string, certificate *tls.Certificate) (http.Header, error) {
	transport := &http.Transport{TLSClientConfig: w.clientTLS(certificate), DisableKeepAlives: true}
	client := &http.Client{Timeout: patience, Transport: transport}
	// The name is the one the certificate has; the address is this peer's.
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/rules", nil)
	if err != nil {
		return nil, err
	}
	request.Host = "localhost"
	request.Header = http.Header{"Verified": {"SUCCESS"}, "Dn": {"CN=" + forged}}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, text)
	}
	told := http.Header{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\n"), ": ")
		told.Add(name, value)
	}
	return told, err
}

// judgeRules takes any way to write a name: they differ.
func judgeRules(told http.Header, known bool) error {
	verified, dn, from := told.Values("VERIFIED"), strings.Join(told.Values("DN"), " "), told.Values("X-Forwarded-For")
	want := "NONE"
	if known {
		want = "SUCCESS"
	}
	switch {
	case len(verified) != 1 || verified[0] != want:
		return fmt.Errorf("VERIFIED is %q, want %q", verified, want)
	case strings.Contains(dn, forged):
		return fmt.Errorf("DN is the client's own: %q", dn)
	case known && !strings.Contains(dn, clientName):
		return fmt.Errorf("DN is %q, want the certificate's", dn)
	case len(from) != 1 || from[0] != "127.0.0.1":
		return fmt.Errorf("X-Forwarded-For is %q, want the client's address", from)
	}
	return nil
}

// guard is when a run's connections give up, of which some are made long before all are:
// none takes so long but one that hangs.
func guard(length time.Duration, connections int) time.Time {
	return time.Now().Add(3*length + patience + time.Duration(connections)*20*time.Millisecond)
}
