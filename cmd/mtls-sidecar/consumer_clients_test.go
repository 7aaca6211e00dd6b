package main_test

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/asn1"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// Back ends that read what the presets of MTLS_HEADERS send, and the clients
// that they are told of. What counts is what a back end makes of the headers.

// crowd are the clients, and the folder with the sidecar's files.
type crowd struct {
	*mint
	dir      string
	plain    tls.Certificate // with names of every kind
	chained  tls.Certificate // of an intermediate, which is presented too
	stranger tls.Certificate // of a CA that nobody listed
}

func newCrowd(t *testing.T) crowd {
	t.Helper()
	m := newMint(t)
	c := crowd{mint: m}
	c.plain = m.leaf(m.good, pki.Options{
		Subject: pkix.Name{Country: []string{"US"}, Organization: []string{"Acme"}, CommonName: "plain"},
		ExtraExtensions: []pkix.Extension{m.alternatives(
			generalName{ofDNS, "plain.example"}, generalName{ofDNS, "*.plain.example"},
			generalName{ofEmail, "plain@example.org"}, generalName{ofURI, "spiffe://example.org/ns/plain/sa/default"})},
	})
	between := m.under(m.good, pki.Options{Subject: pkix.Name{Organization: []string{"Acme"}, CommonName: "Intermediate"}})
	c.chained = pki.With(m.leaf(between, pki.Options{
		Subject: pkix.Name{Organization: []string{"Acme"}, CommonName: "chained"}, DNSNames: []string{"chained.example"}}), between.Cert)
	c.stranger = m.leaf(m.stranger(pki.Options{Subject: named("Stranger")}), pki.Options{Subject: named("stranger")})
	c.dir = m.files()
	return c
}

// The kinds of a GeneralName (RFC 5280 §4.2.1.6), by tag.
const (
	ofEmail = 1
	ofDNS   = 2
	ofURI   = 6
)

type generalName struct {
	tag   int
	value string
}

// alternatives is a subjectAltName with these names, whatever is in them.
func (m *mint) alternatives(names ...generalName) pkix.Extension {
	m.t.Helper()
	var list []asn1.RawValue
	for _, n := range names {
		list = append(list, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: n.tag, Bytes: []byte(n.value)})
	}
	return m.extension(asn1.ObjectIdentifier{2, 5, 29, 17}, false, list)
}

// consumer is a back end, listening.
type consumer struct {
	*process
	port int
}

// startConsumer runs a back end until it says its port, which is what the
// expression's group matches.
func startConsumer(t *testing.T, cmd *exec.Cmd, says *regexp.Regexp) consumer {
	t.Helper()
	c := consumer{process: start(t, filepath.Base(cmd.Path), cmd)}
	if err := c.listens(says); err != nil {
		t.Fatalf("waiting for %s to listen: %v\n%s", c.name, err, c.tail(40))
	}
	return c
}

// listens waits for the port.
func (c *consumer) listens(says *regexp.Regexp) error {
	said, _, err := c.find(0, func(l line) bool { return says.MatchString(l.text) })
	if err != nil {
		return err
	}
	c.port, err = strconv.Atoi(says.FindStringSubmatch(said.text)[1])
	return err
}

// listening is how our own back ends say it.
var listening = regexp.MustCompile(`"listening": ?(\d+)`)

func consumerFile(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "testdata", "backends", "consumers", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// car is a sidecar before the application at that port, speaking the given
// dialects. Refused certificates are forwarded as FAILED.
func (c crowd) car(t *testing.T, port int, dialects string) *sidecar {
	t.Helper()
	return startSidecar(t, oracleSettings(c.dir, "127.0.0.1:"+strconv.Itoa(port), setting{"", "optional", ""}).with(settings{
		"MTLS_HEADERS":       dialects,
		"MTLS_INVALID_CERT":  "failed",
		"MTLS_FORWARDED_FOR": "replace",
	}))
}

// ask sends a GET with further field lines and returns the answer.
func (s *sidecar) ask(t *testing.T, cert *tls.Certificate, path string, fields ...string) (status int, body string) {
	t.Helper()
	raw := "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n"
	if len(fields) > 0 {
		raw += strings.Join(fields, "\r\n") + "\r\n"
	}
	status, _, body = client{cert: cert, version: tls.VersionTLS13}.once(t, s.addr, raw+"\r\n")
	return status, body
}

// ordinary are the names that an application sees of every request.
func ordinary(name string) bool {
	return slices.Contains([]string{"host", "connection", "x-request-id", "x-real-ip",
		"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}, strings.ToLower(name))
}
