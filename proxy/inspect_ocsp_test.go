package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"mtls-sidecar/proxy/pki"
)

// oracle answers for several CAs, by the serial number of the certificate asked about.
type oracle struct {
	url    string
	issued map[string]oracleEntry
	asked  atomic.Int32
}

type oracleEntry struct {
	issuer *pki.Authority
	status int
}

func startOracle(t *testing.T, issued map[string]oracleEntry) *oracle {
	t.Helper()
	o := &oracle{issued: issued}
	server := httptest.NewServer(o)
	t.Cleanup(server.Close)
	o.url = server.URL
	return o
}

func (o *oracle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.asked.Add(1)
	der, err := io.ReadAll(r.Body)
	if r.Method == http.MethodGet {
		der, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(r.URL.Path, "/"))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	question, err := ocsp.ParseRequest(der)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	entry, known := o.issued[question.SerialNumber.String()]
	if !known {
		http.Error(w, "nothing is known of it", http.StatusNotFound)
		return
	}
	now := time.Now()
	answer, err := ocsp.CreateResponse(entry.issuer.Cert, entry.issuer.Cert, ocsp.Response{
		Status: entry.status, SerialNumber: question.SerialNumber, ThisUpdate: now, NextUpdate: now.Add(time.Hour), RevokedAt: now,
	}, entry.issuer.Key)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/ocsp-response")
	_, _ = w.Write(answer)
}

func TestAnswersOfRespondersAreToldOfEachCertificate(t *testing.T) {
	root := testCA(t).ca
	intermediate, err := root.Intermediate(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	books := map[string]oracleEntry{intermediate.Cert.SerialNumber.String(): {root, ocsp.Good}}
	minted := func(status int) *tls.Certificate {
		certificate, err := intermediate.Issue(pki.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if status >= 0 {
			books[certificate.Leaf.SerialNumber.String()] = oracleEntry{intermediate, status}
		}
		chain := pki.With(certificate, intermediate.Cert)
		return &chain
	}
	clients := map[string]*tls.Certificate{
		"good": minted(ocsp.Good), "revoked": minted(ocsp.Revoked), "unknown": minted(ocsp.Unknown), "nobody answers": minted(-1),
	}
	o := startOracle(t, books)
	for _, c := range []struct {
		client, settings string
		verify           string
		leaf, above      string // what the responder is told to say
	}{
		{"good", "MTLS_OCSP=leaf", "SUCCESS", "good", ""},
		{"good", "MTLS_OCSP=on", "SUCCESS", "good", "good"},
		{"revoked", "MTLS_OCSP=on", "FAILED:certificate revoked", "revoked", "good"},
		{"unknown", "MTLS_OCSP=on", "FAILED:certificate status unknown", "unknown", "good"},
		{"unknown", "MTLS_OCSP=on MTLS_OCSP_FAIL=allow", "FAILED:certificate status unknown", "unknown", "good"},
		{"nobody answers", "MTLS_OCSP=leaf", "FAILED:certificate status request failed", "no answer", ""},
		{"nobody answers", "MTLS_OCSP=leaf MTLS_OCSP_FAIL=allow", "SUCCESS", "no answer", ""},
		{"good", "", "SUCCESS", "", ""},
	} {
		entries := strings.Fields(c.settings)
		if c.settings != "" {
			entries = append(entries, "MTLS_OCSP_RESPONDER="+o.url)
		}
		f := newInspection(t).judge(clients[c.client], entries...)
		if f.Verify != c.verify || len(f.Chain) != 3 {
			t.Errorf("%s, %s: got %q, a chain of %d, want %q", c.client, c.settings, f.Verify, len(f.Chain), c.verify)
			continue
		}
		for n, want := range []string{c.leaf, c.above, ""} {
			got := ""
			if answer := f.Chain[n].Answer; answer != nil {
				got = DescribeOCSP(*answer, time.Now())
			}
			if !strings.HasPrefix(got, want) || want == "" && got != "" || want != "" && !strings.Contains(got, o.url) {
				t.Errorf("%s, %s, certificate %d: got %q, want %q", c.client, c.settings, n, got, want)
			}
			if f.Chain[n].Unasked != "" {
				t.Errorf("%s, %s, certificate %d: told as not asked: %q", c.client, c.settings, n, f.Chain[n].Unasked)
			}
		}
	}
}

// TestAnAnswerIsToldInEveryFileThatItCounts: the intermediate is asked about once.
func TestAnAnswerIsToldInEveryFileThatItCountsFor(t *testing.T) {
	root := testCA(t).ca
	intermediate, err := root.Intermediate(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	books := map[string]oracleEntry{intermediate.Cert.SerialNumber.String(): {root, ocsp.Good}}
	o := startOracle(t, books)
	i := newInspection(t)
	inspector := i.inspector("MTLS_OCSP=on", "MTLS_OCSP_RESPONDER="+o.url)
	for n := range 3 {
		leaf, err := intermediate.Issue(pki.Options{})
		if err != nil {
			t.Fatal(err)
		}
		books[leaf.Leaf.SerialNumber.String()] = oracleEntry{intermediate, ocsp.Good}
		chain := pki.With(leaf, intermediate.Cert)
		f, err := inspector.Inspect(context.Background(), i.present(&chain))
		if err != nil {
			t.Fatal(err)
		}
		if !f.Success || f.Chain[0].Answer == nil || f.Chain[1].Answer == nil || f.Chain[1].Answer.Status != "good" {
			t.Errorf("file %d: got %v %q, answers %v and %v", n, f.Success, f.Verify, f.Chain[0].Answer, f.Chain[1].Answer)
		}
	}
	if got := o.asked.Load(); got != 4 {
		t.Errorf("asked %d times, want once about each of 3 clients and about the intermediate", got)
	}
}

func TestACAIsNotAskedAboutWhomIsRefusedAlready(t *testing.T) {
	o := startOracle(t, nil)
	stranger, err := pki.SelfSigned(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := newInspection(t).judge(&stranger, "MTLS_OCSP=on", "MTLS_OCSP_RESPONDER="+o.url)
	if f.Success || f.Reason != "self_signed" || o.asked.Load() != 0 {
		t.Errorf("got %v %q, and %d questions", f.Success, f.Reason, o.asked.Load())
	}
	expired := issue(t, pki.Options{NotBefore: time.Now().AddDate(0, 0, -9), NotAfter: time.Now().AddDate(0, 0, -1)})
	f = newInspection(t).judge(expired, "MTLS_OCSP=leaf", "MTLS_OCSP_RESPONDER="+o.url)
	if f.Reason != "expired" || o.asked.Load() != 0 || !strings.Contains(f.Chain[0].Unasked, "refused already") {
		t.Errorf("got %q, %d questions, %q", f.Reason, o.asked.Load(), f.Chain[0].Unasked)
	}
	large := issue(t, pki.Options{ExtraExtensions: []pkix.Extension{{Id: []int{1, 3, 6, 1, 4, 1, 99999, 1}, Value: make([]byte, 260<<10)}}})
	f = newInspection(t).judge(large, "MTLS_OCSP=leaf", "MTLS_OCSP_RESPONDER="+o.url)
	if f.Reason != "certificate_too_large" || o.asked.Load() != 0 {
		t.Errorf("larger than TLS takes: got %q, %d questions", f.Reason, o.asked.Load())
	}
	root := tls.Certificate{Certificate: [][]byte{testCA(t).ca.Cert.Raw}}
	f = newInspection(t).judge(&root, "MTLS_OCSP=leaf", "MTLS_OCSP_RESPONDER="+o.url)
	if len(f.Chain) != 1 || f.Chain[0].Answer != nil || f.Chain[0].Unasked == "" {
		t.Errorf("a trusted root: got %q %+v", f.Verify, f.Chain)
	}
}

func TestInTheHandshakeAnAnswerOfTheCARefusesOnlyOnceItIsKnown(t *testing.T) {
	client := issue(t, pki.Options{})
	o := startOracle(t, map[string]oracleEntry{client.Leaf.SerialNumber.String(): {testCA(t).ca, ocsp.Revoked}})
	f := newInspection(t).judge(client, "MTLS_OCSP=leaf", "MTLS_REJECT_WITH=alert", "MTLS_OCSP_RESPONDER="+o.url)
	if f.Reason != "ocsp_revoked" || !strings.HasPrefix(f.Answer, "400 ") || !strings.Contains(f.Answer, "TLS handshake fails") {
		t.Errorf("got %q %q", f.Reason, f.Answer)
	}
}
