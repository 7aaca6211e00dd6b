package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"mtls-sidecar/proxy/pki"
)

// demoRow is one request of the demo and what must come of it.
type demoRow struct {
	sent        string
	path        string
	certificate string // name of its files; empty: none
	forged      bool   // the client sends identity headers of its own
	kept        bool   // the connection is kept, and used again by the next such row
	revoke      bool   // the certificate is revoked just before
	saw         string // what the application must have seen
	status      int
	answer      string // what the answer must contain
}

const (
	sawNone    = `VERIFIED: ["NONE"]`
	sawSuccess = `VERIFIED: ["SUCCESS"], DN: ["CN=client,O=Demo"]`
	sawLeaver  = `VERIFIED: ["SUCCESS"], DN: ["CN=leaver,O=Demo"]`
	sawNothing = "nothing"
)

func demoRows() []demoRow {
	return []demoRow{
		{sent: "GET /, no certificate", path: "/", saw: sawNone, status: 200, answer: "Everybody"},
		{sent: "GET /protected, no certificate", path: "/protected", saw: sawNone, status: 401, answer: "certificate"},
		{sent: "GET /protected, certificate of our CA", path: "/protected", certificate: "client", saw: sawSuccess, status: 200, answer: "Hello, CN=client"},
		{sent: "GET /protected, forged headers, no certificate", path: "/protected", forged: true, saw: sawNone, status: 401, answer: "certificate"},
		{sent: "GET /, expired certificate", path: "/", certificate: "expired", saw: sawNothing, status: 400, answer: "expired"},
		{sent: "GET /, certificate of a stranger's CA", path: "/", certificate: "stranger", saw: sawNothing, status: 400, answer: "unknown_ca"},
		{sent: "GET /protected, somebody who will leave", path: "/protected", certificate: "leaver", kept: true, saw: sawLeaver, status: 200, answer: "Hello, CN=leaver"},
		{sent: "the same connection, certificate now revoked", path: "/protected", certificate: "leaver", kept: true, revoke: true, saw: sawNothing, status: 400, answer: "revoked"},
	}
}

// demoRun is one showing of the rows.
type demoRun struct {
	folder, address string
	app             *demoApp
	ca              *pki.Authority
	reload          func() error
	kept            *http.Client
}

// showRows makes the requests, prints a line for each, and fails when one did
// not come out as it should.
func (run *demoRun) showRows(stdout io.Writer) error {
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SENT\tTHE APPLICATION SAW\tANSWER")
	var wrong []error
	for _, row := range demoRows() {
		status, body, err := run.request(row)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", row.sent, err))
			continue
		}
		saw := run.app.takeSeen()
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

func (run *demoRun) request(row demoRow) (status int, body []byte, err error) {
	client, err := run.client(row)
	if err != nil {
		return 0, nil, err
	}
	if row.revoke {
		if err := run.revoke(row.certificate); err != nil {
			return 0, nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	same := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { same = info.Reused },
	})
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+run.address+row.path, nil)
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
	if row.revoke && !same {
		err = errors.New("another connection was used")
	}
	return answer.StatusCode, body, err
}

// client makes a client of its own for each row that does not keep its connection.
func (run *demoRun) client(row demoRow) (*http.Client, error) {
	if row.kept && run.kept != nil {
		return run.kept, nil
	}
	ca, err := os.ReadFile(filepath.Join(run.folder, "ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	config := &tls.Config{RootCAs: roots}
	if row.certificate != "" {
		path := filepath.Join(run.folder, row.certificate)
		pair, err := tls.LoadX509KeyPair(path+".crt", path+".key")
		if err != nil {
			return nil, err
		}
		// Presented whatever CAs the server names: the stranger's must be sent
		// to be refused.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: !row.kept}}
	if row.kept {
		run.kept = client
	}
	return client, nil
}

// revoke puts a certificate on the CA's list and has the sidecar look at its files.
func (run *demoRun) revoke(certificate string) error {
	path := filepath.Join(run.folder, certificate)
	pair, err := tls.LoadX509KeyPair(path+".crt", path+".key")
	if err != nil {
		return err
	}
	if err := writeDemoCRL(run.folder, run.ca, 2, pair.Leaf); err != nil {
		return err
	}
	return run.reload()
}
