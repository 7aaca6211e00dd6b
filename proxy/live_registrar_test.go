package proxy

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"mtls-sidecar/headers"
	"mtls-sidecar/proxy/pki"
)

// standing of a certificate with its CA.
type standing string

const (
	good    standing = "V" // as the database of `openssl ca` has it
	revoked standing = "R"
	onHold  standing = "H" // revoked, reason certificateHold: the one that can be taken back
)

// listSpec is a revocation list to be made.
type listSpec struct {
	number     int64
	this, next time.Time
}

// registrar is the part of a CA that knows which of its certificates stand.
type registrar interface {
	set(c *x509.Certificate, s standing) error
	list(spec listSpec) ([]byte, error)        // of all that are not good
	answer(ocspRequest []byte) ([]byte, error) // an OCSP answer, good for ten hours
}

// goRegistrar is for machines with Go alone.
type goRegistrar struct {
	ca     *pki.Authority
	mu     sync.Mutex
	states map[string]standing // by serial
}

func newGoRegistrar(_ *testing.T, ca *pki.Authority) registrar {
	return &goRegistrar{ca: ca, states: map[string]standing{}}
}

func (r *goRegistrar) set(c *x509.Certificate, s standing) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.states[c.SerialNumber.String()] = s
	return nil
}

func (r *goRegistrar) list(spec listSpec) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	template := &x509.RevocationList{Number: big.NewInt(spec.number), ThisUpdate: spec.this, NextUpdate: spec.next}
	for decimal, state := range r.states {
		serial, ok := new(big.Int).SetString(decimal, 10)
		if !ok || state == good {
			continue
		}
		entry := x509.RevocationListEntry{SerialNumber: serial, RevocationTime: spec.this}
		if state == onHold {
			entry.ReasonCode = 6
		}
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, entry)
	}
	return x509.CreateRevocationList(rand.Reader, template, r.ca.Cert, r.ca.Key)
}

func (r *goRegistrar) answer(request []byte) ([]byte, error) {
	question, err := ocsp.ParseRequest(request)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	template := ocsp.Response{
		Status: ocsp.Unknown, SerialNumber: question.SerialNumber, IssuerHash: question.HashAlgorithm,
		ThisUpdate: now, NextUpdate: now.Add(10 * time.Hour), RevokedAt: now,
	}
	switch state, known := r.states[question.SerialNumber.String()]; {
	case known && state == good:
		template.Status = ocsp.Good
	case known:
		template.Status = ocsp.Revoked
	}
	return ocsp.CreateResponse(r.ca.Cert, r.ca.Cert, template, r.ca.Key)
}

// opensslRegistrar is `openssl ca` with its database, and `openssl ocsp`.
type opensslRegistrar struct {
	program, folder string
	mu              sync.Mutex // its files have fixed names
}

const opensslCA = `[ca]
default_ca = this
[this]
dir = %s
database = $dir/index.txt
crlnumber = $dir/crlnumber
certificate = $dir/ca.pem
private_key = $dir/ca.key
default_md = sha256
default_crl_days = 1
crl_extensions = crl
policy = any
unique_subject = no
[crl]
authorityKeyIdentifier = keyid:always
[any]
commonName = supplied
`

func newOpensslRegistrar(t *testing.T, ca *pki.Authority) registrar {
	t.Helper()
	r := &opensslRegistrar{program: openssl(t), folder: t.TempDir()}
	key, err := pki.KeyPEM(ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"ca.pem": pki.CertPEM(ca.Cert), "ca.key": key, "index.txt": nil, "ca.cnf": fmt.Appendf(nil, opensslCA, r.folder),
	} {
		if err := r.write(name, text); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *opensslRegistrar) path(name string) string { return filepath.Join(r.folder, name) }

func (r *opensslRegistrar) write(name string, text []byte) error {
	return os.WriteFile(r.path(name), text, 0o600)
}

func (r *opensslRegistrar) run(args ...string) error {
	command := exec.Command(r.program, args...)
	command.Dir = r.folder
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("openssl %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// set enters a certificate, or changes its entry. The program cannot take a hold
// back: operators edit the database.
func (r *opensslRegistrar) set(c *x509.Certificate, s standing) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.write("cert.pem", pki.CertPEM(c)); err != nil {
		return err
	}
	index, err := os.ReadFile(r.path("index.txt"))
	if err != nil {
		return err
	}
	row := regexp.MustCompile(`(?m)^R\t(\S+)\t\S+(\t` + strings.ToUpper(headers.Serial(c.SerialNumber)) + `\t)`)
	switch {
	case s == good && row.Match(index):
		return r.write("index.txt", row.ReplaceAll(index, []byte("V\t$1\t$2")))
	case s == good:
		return r.run("ca", "-config", "ca.cnf", "-valid", "cert.pem")
	case s == onHold:
		return r.run("ca", "-config", "ca.cnf", "-revoke", "cert.pem", "-crl_reason", "certificateHold")
	default:
		return r.run("ca", "-config", "ca.cnf", "-revoke", "cert.pem")
	}
}

func (r *opensslRegistrar) list(spec listSpec) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.write("crlnumber", fmt.Appendf(nil, "%02X\n", spec.number)); err != nil {
		return nil, err
	}
	const form = "20060102150405Z"
	if err := r.run("ca", "-config", "ca.cnf", "-gencrl", "-out", "list.pem",
		"-crl_lastupdate", spec.this.UTC().Format(form), "-crl_nextupdate", spec.next.UTC().Format(form)); err != nil {
		return nil, err
	}
	return os.ReadFile(r.path("list.pem"))
}

func (r *opensslRegistrar) answer(request []byte) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.write("request.der", bytes.Clone(request)); err != nil {
		return nil, err
	}
	if err := r.run("ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", "ca.pem", "-rkey", "ca.key",
		"-nmin", "600", "-reqin", "request.der", "-respout", "answer.der"); err != nil {
		return nil, err
	}
	return os.ReadFile(r.path("answer.der"))
}

// liveCA is one CA with its books.
type liveCA struct {
	*pki.Authority
	registrar
	t      *testing.T
	number int64 // of its last list
}

func newLiveCA(t *testing.T, ca *pki.Authority, err error, books func(*testing.T, *pki.Authority) registrar) *liveCA {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return &liveCA{Authority: ca, registrar: books(t, ca), t: t}
}

// marks sets the standing of a certificate.
func (a *liveCA) marks(c *x509.Certificate, s standing) {
	a.t.Helper()
	if err := a.set(c, s); err != nil {
		a.t.Fatal(err)
	}
}

// publishes makes the next list, good for an hour.
func (a *liveCA) publishes() []byte {
	a.t.Helper()
	a.number++
	now := time.Now()
	return a.makes(listSpec{a.number, now.Add(time.Duration(a.number-60) * time.Second), now.Add(time.Hour)})
}

func (a *liveCA) makes(spec listSpec) []byte {
	a.t.Helper()
	list, err := a.list(spec)
	if err != nil {
		a.t.Fatal(err)
	}
	return list
}

// issues makes a client's certificate, entered as good.
func (a *liveCA) issues(cn string, o pki.Options) *pkiClient {
	a.t.Helper()
	o.Subject = pkix.Name{CommonName: cn}
	certificate, err := a.Issue(o)
	if err != nil {
		a.t.Fatal(err)
	}
	a.marks(certificate.Leaf, good)
	return &pkiClient{cn, &certificate}
}
