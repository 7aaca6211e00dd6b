package trust

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// opensslOCSP is `openssl ocsp` as responder and as judge of answers.
type opensslOCSP struct {
	*ocspWorld
	program, dir string
}

func newOpenSSLOCSP(t *testing.T) *opensslOCSP {
	t.Helper()
	s := &opensslOCSP{program: need(t, "openssl"), ocspWorld: newOCSPWorld(t), dir: t.TempDir()}
	s.file("issuer.pem", pki.CertPEM(s.inter.Cert))
	s.file("root.pem", pki.CertPEM(s.root.Cert))
	s.file("cert.pem", pki.CertPEM(s.client))
	return s
}

func (s *opensslOCSP) file(name string, data []byte) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *opensslOCSP) run(args ...string) (string, error) {
	command := exec.Command(s.program, append([]string{"ocsp"}, args...)...)
	command.Dir = s.dir
	out, err := command.CombinedOutput()
	return string(out), err
}

// index writes the database of `openssl ca`, with the client's row only.
func (s *opensslOCSP) index(state string) {
	s.t.Helper()
	const form = "060102150405Z"
	revoked := ""
	if state == "R" {
		revoked = s.now.Add(-time.Minute).UTC().Format(form) + ",keyCompromise"
	}
	serial := fmt.Sprintf("%X", s.client.SerialNumber)
	if len(serial)%2 != 0 {
		serial = "0" + serial
	}
	row := strings.Join([]string{state, s.client.NotAfter.UTC().Format(form), revoked, serial, "unknown", "/CN=client"}, "\t") + "\n"
	if state == "" {
		row = ""
	}
	s.file("index.txt", []byte(row))
}

// signer writes whoever is to sign the answers.
func (s *opensslOCSP) signer(a *pki.Authority) {
	s.t.Helper()
	key, err := pki.KeyPEM(a.Key)
	s.file("signer.key", must(s.t, key, err))
	s.file("signer.pem", pki.CertPEM(a.Cert))
}

// responder answers over HTTP with what the program says.
func (s *opensslOCSP) responder(options ...string) *ocspResponder {
	return startOCSPResponder(s.t, func(r *http.Request) (int, string, []byte) {
		request, err := io.ReadAll(r.Body)
		if r.Method == http.MethodGet {
			request, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(r.URL.Path, "/"))
		}
		if err != nil {
			return 400, "", nil
		}
		if err := os.WriteFile(filepath.Join(s.dir, "request.der"), request, 0o600); err != nil {
			return 500, "", nil
		}
		out, err := s.run(append([]string{"-index", "index.txt", "-CA", "issuer.pem", "-rsigner", "signer.pem", "-rkey", "signer.key",
			"-reqin", "request.der", "-respout", "answer.der"}, options...)...)
		if err != nil {
			s.t.Errorf("openssl ocsp: %v\n%s", err, out)
			return 500, "", nil
		}
		answer, err := os.ReadFile(filepath.Join(s.dir, "answer.der"))
		if err != nil {
			s.t.Error(err)
		}
		return 200, answerType, answer
	})
}

func TestTheQuestionIsOpenSSLs(t *testing.T) {
	s := newOpenSSLOCSP(t)
	out, err := s.run("-issuer", "issuer.pem", "-cert", "cert.pem", "-no_nonce", "-reqout", "request.der")
	if err != nil {
		t.Fatalf("openssl ocsp: %v\n%s", err, out)
	}
	want, err := os.ReadFile(filepath.Join(s.dir, "request.der"))
	must(t, want, err)
	if got := s.question().request; !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

func TestAnswersOfOpenSSLAreUnderstood(t *testing.T) {
	s := newOpenSSLOCSP(t)
	signing := []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
	name := pkix.Name{CommonName: "Responder"}
	delegated := s.authority(s.keyed(s.inter, pki.Options{Subject: name, EKU: signing}))
	rsaSigner := s.authority(s.keyed(s.inter, pki.Options{Subject: name, EKU: signing, Key: rsaKey(t, 2048)}))
	unfit := s.authority(s.keyed(s.inter, pki.Options{Subject: name}))
	tests := []struct {
		name    string
		state   string // of the client in the index; empty: not there
		signer  *pki.Authority
		options []string
		later   time.Duration // how long after the answer was made it is judged
		want    string
	}{
		{"good", "V", s.inter, nil, 0, "SUCCESS"},
		{"good for a day", "V", s.inter, []string{"-ndays", "1"}, 0, "SUCCESS"},
		{"good, by key, without certificates", "V", s.inter, []string{"-resp_key_id", "-resp_no_certs"}, 0, "SUCCESS"},
		{"good, by a delegate", "V", delegated, []string{"-ndays", "1"}, 0, "SUCCESS"},
		{"good, by a delegate's key", "V", delegated, []string{"-resp_key_id"}, 0, "SUCCESS"},
		{"good, by RSA and SHA-512", "V", rsaSigner, []string{"-rmd", "sha512"}, 0, "SUCCESS"},
		{"good, with SHA-1", "V", rsaSigner, []string{"-rmd", "sha1"}, 0, "FAILED:certificate status request failed"},
		{"revoked", "R", s.inter, nil, 0, "FAILED:certificate revoked"},
		{"revoked, by a delegate", "R", delegated, nil, 0, "FAILED:certificate revoked"},
		{"unknown", "", s.inter, nil, 0, "FAILED:certificate status unknown"},
		{"a delegate without certificate", "V", delegated, []string{"-resp_no_certs"}, 0, "FAILED:certificate status request failed"},
		{"a client of the CA", "V", unfit, nil, 0, "FAILED:certificate status request failed"},
		{"the root", "V", s.root, nil, 0, "FAILED:certificate status request failed"},
		{"a stranger", "V", s.stranger, nil, 0, "FAILED:certificate status request failed"},
		{"expired", "V", s.inter, []string{"-nmin", "1"}, 10 * time.Minute, "FAILED:certificate status request failed"},
		{"from the future", "V", s.inter, []string{"-ndays", "1"}, -10 * time.Minute, "FAILED:certificate status request failed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s.index(test.state)
			s.signer(test.signer)
			o, _, reports := s.start(OCSPOptions{Responder: s.responder(test.options...).URL})
			got := o.Check(ocspCtx, s.believe, time.Now().Add(test.later))
			if got.Text() != test.want {
				t.Errorf("got %q, want %q (%v)", got.Text(), test.want, await(t, reports, "the report").Err)
			}
		})
	}
}

// TestOpenSSLAcceptsWhatWeAccept puts forgeries before `openssl ocsp -respin`.
func TestOpenSSLAcceptsWhatWeAccept(t *testing.T) {
	s := newOpenSSLOCSP(t)
	w := s.ocspWorld
	signing := []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
	delegate := func(issuer *pki.Authority, o pki.Options) *pki.Authority {
		o.Subject = pkix.Name{CommonName: "Responder"}
		return w.authority(w.keyed(issuer, o))
	}
	fit, client := delegate(w.inter, pki.Options{EKU: signing}), delegate(w.inter, pki.Options{})
	foreign := delegate(w.stranger, pki.Options{EKU: signing})
	expired := delegate(w.inter, pki.Options{EKU: signing, NotAfter: w.now.Add(-time.Minute)})
	encipher := delegate(w.inter, pki.Options{EKU: signing, KU: x509.KeyUsageKeyEncipherment})
	other := w.leaf(w.inter, pki.Options{})
	tests := []struct {
		name          string
		forge         func(*forgery)
		ours, openssl bool
	}{
		{"good", func(*forgery) {}, true, true},
		{"without nextUpdate", func(f *forgery) { f.singles[0].next = time.Time{} }, true, true},
		{"4 min early", func(f *forgery) { f.singles[0].this = w.now.Add(4 * time.Minute) }, true, true},
		{"by a delegate", func(f *forgery) { f.by(fit, fit.Cert) }, true, true},
		{"issuer enclosed", func(f *forgery) { f.enclosed = []*x509.Certificate{w.inter.Cert} }, true, true},
		{"uncritical extension", func(f *forgery) { f.extensions = forgedExtension(false) }, true, true},
		{"beside another", func(f *forgery) {
			f.singles = append(f.singles, forgedSingle{certID: forgedCertID(other, w.inter.Cert), status: forgedGood, this: w.now})
		}, true, true},
		{"10 min early", func(f *forgery) { f.singles[0].this = w.now.Add(10 * time.Minute) }, false, false},
		{"expired", func(f *forgery) {
			f.singles[0].this, f.singles[0].next = w.now.Add(-time.Hour), w.now.Add(-30*time.Minute)
		}, false, false},
		{"by a client", func(f *forgery) { f.by(client, client.Cert) }, false, false},
		{"by a stranger's delegate", func(f *forgery) { f.by(foreign, foreign.Cert) }, false, false},
		{"by an expired delegate", func(f *forgery) { f.by(expired, expired.Cert) }, false, false},
		{"by a stranger's key", func(f *forgery) { f.key = w.stranger.Key }, false, false},
		{"on another", func(f *forgery) { f.singles[0].certID = forgedCertID(other, w.inter.Cert) }, false, false},
		// Where we are stricter.
		{"by a delegate that may not sign", func(f *forgery) { f.by(encipher, encipher.Cert) }, false, true},
		{"critical extension", func(f *forgery) { f.extensions = forgedExtension(true) }, false, true},
		{"twice, once revoked", func(f *forgery) {
			f.singles = append(f.singles, forgedSingle{certID: f.singles[0].certID, status: forgedRevoked(w.now), this: w.now})
		}, false, true},
		{"a month old without nextUpdate", func(f *forgery) { f.singles[0].this, f.singles[0].next = w.now.AddDate(0, -1, 0), time.Time{} }, false, true},
		{"made in the future", func(f *forgery) { f.produced = w.now.Add(time.Hour) }, false, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := w.forge()
			test.forge(f)
			der := f.der(t)
			if _, err := w.judged(der); (err == nil) != test.ours {
				t.Errorf("we say %v, want accepted: %v", err, test.ours)
			}
			s.file("answer.der", der)
			out, err := s.run("-respin", "answer.der", "-issuer", "issuer.pem", "-cert", "cert.pem", "-no_nonce",
				"-CAfile", "root.pem", "-verify_other", "issuer.pem")
			accepted := err == nil && strings.Contains(out, "Response verify OK") && strings.Contains(out, "cert.pem: good") &&
				!strings.Contains(out, "WARNING")
			if accepted != test.openssl {
				t.Errorf("openssl accepts it: %v, want %v\n%s", accepted, test.openssl, out)
			}
		})
	}
}
