package main_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// authority is a CA as its operator runs it, `openssl ca` with its database, in a
// folder with the certificates of a server and of two clients: one will leave.
type authority struct {
	t    *testing.T
	dir  string
	more settings // for sidecars that trust it
}

// authorityConfiguration is what `openssl ca` needs. The issuer of a list is told
// by its key, too (RFC 5280 §5.2.1).
const authorityConfiguration = `[ca]
default_ca = this
[this]
dir = .
database = index.txt
serial = serial
crlnumber = crlnumber
new_certs_dir = .
certificate = ca.crt
private_key = ca.key
default_md = sha256
default_days = 365
default_crl_days = 30
crl_extensions = crl
policy = any
unique_subject = no
[crl]
authorityKeyIdentifier = keyid:always
[any]
organizationName = optional
commonName = supplied
`

const authorityFiles = `
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.crt -days 1000 -subj /O=Acme/CN=Acme-Root
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout server.key -out server.csr -subj /O=Acme/CN=localhost
openssl ca -batch -config ca.cnf -in server.csr -out server.crt -notext
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout leaver.key -out leaver.csr -subj /O=Acme/CN=leaver
openssl ca -batch -config ca.cnf -in leaver.csr -out leaver.crt -notext
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout colleague.key -out colleague.csr -subj /O=Acme/CN=colleague
openssl ca -batch -config ca.cnf -in colleague.csr -out colleague.crt -notext
openssl ca -config ca.cnf -gencrl -out ca.crl
`

// leaverLeaves makes the list that names the leaver, but does not publish it.
const leaverLeaves = `
openssl ca -config ca.cnf -revoke leaver.crt
openssl ca -config ca.cnf -gencrl -out next.crl
`

func newAuthority(t *testing.T) authority {
	t.Helper()
	need(t, "openssl")
	a := authority{t: t, dir: t.TempDir()}
	for name, text := range map[string]string{"ca.cnf": authorityConfiguration, "index.txt": "", "serial": "1000\n", "crlnumber": "01\n"} {
		write(t, a.path(name), text)
	}
	commands(t, a.dir, authorityFiles)
	return a
}

func (a authority) path(name string) string { return filepath.Join(a.dir, name) }

// publish puts the next list in the place of the last, as a script would.
func (a authority) publish() {
	a.t.Helper()
	if err := os.Rename(a.path("next.crl"), a.path("ca.crl")); err != nil {
		a.t.Error(err)
	}
}

// copied keeps a file of the folder under another name.
func (a authority) copied(from, to string) {
	a.t.Helper()
	text, err := os.ReadFile(a.path(from))
	if err != nil {
		a.t.Fatal(err)
	}
	write(a.t, a.path(to), string(text))
}

// settings are those of a sidecar before an application.
func (a authority) settings(application string) settings {
	return settings{
		"MTLS_UPSTREAM_URL":    application,
		"MTLS_CERT_FILE":       a.path("server.crt"),
		"MTLS_KEY_FILE":        a.path("server.key"),
		"MTLS_CLIENT_CA_FILE":  a.path("ca.crt"),
		"MTLS_RELOAD_INTERVAL": "1h", // so that nothing happens by itself
	}.with(a.more)
}

// responder is `openssl ocsp` behind HTTP: by itself it serves one client at a time and
// cannot be told a port of its own choice.
type responder struct {
	authority
	url   string
	books atomic.Value // name of the database
	turn  sync.Mutex   // the program's files have fixed names
}

func (a authority) startResponder(books string) *responder {
	a.t.Helper()
	r := &responder{authority: a}
	r.books.Store(books)
	server := httptest.NewServer(r)
	a.t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *responder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	question, err := io.ReadAll(request.Body)
	if request.Method == http.MethodGet {
		question, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(request.URL.Path, "/"))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := r.answer(question)
	if err != nil {
		r.t.Error(err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/ocsp-response")
	_, _ = w.Write(answer)
}

func (r *responder) answer(question []byte) ([]byte, error) {
	r.turn.Lock()
	defer r.turn.Unlock()
	if err := os.WriteFile(r.path("question.der"), question, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command("openssl", "ocsp", "-index", r.books.Load().(string), "-CA", "ca.crt", "-rsigner", "ca.crt", "-rkey", "ca.key",
		"-nmin", "60", "-reqin", "question.der", "-respout", "answer.der")
	cmd.Dir = r.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("openssl ocsp: %w\n%s", err, out)
	}
	return os.ReadFile(r.path("answer.der"))
}

// office is an application that tells whom it saw and does something before it
// answers a path.
type office struct {
	url string

	mu     sync.Mutex
	before map[string]func() // by path: what happens while a request is in flight
	seen   []visit
}

type visit struct{ path, verified, dn string }

func startOffice(t *testing.T) *office {
	t.Helper()
	o := &office{before: map[string]func(){}}
	server := httptest.NewServer(o)
	t.Cleanup(server.Close)
	o.url = server.URL
	return o
}

func (o *office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.seen = append(o.seen, visit{r.URL.Path, strings.Join(r.Header["Verified"], " and "), strings.Join(r.Header["Dn"], " and ")})
	act := o.before[r.URL.Path]
	o.mu.Unlock()
	if act != nil {
		act()
	}
	_, _ = io.WriteString(w, "welcome\n")
}

// during has something happen while a path is asked for.
func (o *office) during(path string, act func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.before[path] = act
}

// visits are those since the last call.
func (o *office) visits() []visit {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := o.seen
	o.seen = nil
	return seen
}
