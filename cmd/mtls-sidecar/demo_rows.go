package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"
)

// demoRow is one request of the demo and what must come of it.
type demoRow struct {
	sent        string
	path        string
	certificate string // name of its files; empty: none
	forged      bool   // the client sends identity headers of its own
	saw         string // what the application must have seen
	status      int
	answer      string // what the answer must contain
}

const (
	sawNone    = `VERIFIED: ["NONE"]`
	sawSuccess = `VERIFIED: ["SUCCESS"], DN: ["CN=client,O=Demo"]`
	sawNothing = "nothing"
)

func demoRows() []demoRow {
	return []demoRow{
		{"GET /, no certificate", "/", "", false, sawNone, 200, "Everybody"},
		{"GET /protected, no certificate", "/protected", "", false, sawNone, 401, "certificate"},
		{"GET /protected, certificate of our CA", "/protected", "client", false, sawSuccess, 200, "Hello, CN=client"},
		{"GET /protected, forged headers, no certificate", "/protected", "", true, sawNone, 401, "certificate"},
		{"GET /, expired certificate", "/", "expired", false, sawNothing, 400, "expired"},
		{"GET /, certificate of a stranger's CA", "/", "stranger", false, sawNothing, 400, "unknown_ca"},
	}
}

// showRows makes the requests, prints a line for each, and fails when one did
// not come out as it should.
func showRows(stdout io.Writer, folder, address string, app *demoApp) error {
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SENT\tTHE APPLICATION SAW\tANSWER")
	var wrong []error
	for _, row := range demoRows() {
		status, body, err := row.request(folder, address)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", row.sent, err))
			continue
		}
		saw := app.takeSeen()
		outcome := fmt.Sprintf("%d %s", status, http.StatusText(status))
		if row.saw == sawNothing {
			outcome += ": " + row.answer
		}
		if status != row.status || saw != row.saw || !contains(body, row.answer) {
			outcome += " WRONG"
			wrong = append(wrong, fmt.Errorf("%s: want %d after the application saw %s", row.sent, row.status, row.saw))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", row.sent, saw, outcome)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return errors.Join(wrong...)
}

func (row demoRow) request(folder, address string) (status int, body []byte, err error) {
	roots := x509.NewCertPool()
	ca, err := os.ReadFile(filepath.Join(folder, "ca.crt"))
	if err != nil {
		return 0, nil, err
	}
	roots.AppendCertsFromPEM(ca)
	config := &tls.Config{RootCAs: roots}
	if row.certificate != "" {
		path := filepath.Join(folder, row.certificate)
		pair, err := tls.LoadX509KeyPair(path+".crt", path+".key")
		if err != nil {
			return 0, nil, err
		}
		// Presented whatever CAs the server names: the stranger's must be sent
		// to be refused.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+row.path, nil)
	if err != nil {
		return 0, nil, err
	}
	if row.forged {
		request.Header.Set("VERIFIED", "SUCCESS")
		request.Header.Set("DN", "CN=admin")
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	return answer.StatusCode, body, err
}
