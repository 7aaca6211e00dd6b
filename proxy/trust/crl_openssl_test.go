package trust

import (
	"bytes"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// opensslCA is an `openssl ca` in a folder of its own.
type opensslCA struct {
	t             *testing.T
	openssl, dir  string
	root          *pki.Authority
	crlExtensions string // lines of the configuration
}

func newOpenSSLCA(t *testing.T, o pki.Options) *opensslCA {
	t.Helper()
	a := &opensslCA{t: t, openssl: need(t, "openssl"), dir: t.TempDir(), crlExtensions: "authorityKeyIdentifier = keyid:always"}
	root, err := pki.NewRoot(o)
	a.root = must(t, root, err)
	key, err := pki.KeyPEM(a.root.Key)
	must(t, key, err)
	a.write("ca.pem", pki.CertPEM(a.root.Cert))
	a.write("ca.key", key)
	return a
}

func (a *opensslCA) write(name string, data []byte) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// run gives what the command writes to standard output.
func (a *opensslCA) run(args ...string) []byte {
	a.t.Helper()
	var errors bytes.Buffer
	cmd := exec.Command(a.openssl, args...)
	cmd.Dir, cmd.Stderr = a.dir, &errors
	out, err := cmd.Output()
	if err != nil {
		a.t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, errors.String())
	}
	return out
}

// revoked are lines of the CA's database: serials with every reason openssl knows.
func revoked(serials ...string) string {
	reasons := []string{"", ",unspecified", ",keyCompromise", ",CACompromise", ",affiliationChanged", ",superseded",
		",cessationOfOperation", ",certificateHold", ",removeFromCRL", ",holdInstruction,holdInstructionReject",
		",keyTime,20260101000000Z"}
	var b strings.Builder
	for i, serial := range serials {
		fmt.Fprintf(&b, "R\t301231235959Z\t260203040506Z%s\t%s\tunknown\t/CN=client %s\n", reasons[i%len(reasons)], serial, serial)
	}
	return b.String()
}

// list makes a CRL in PEM of the database; args are further arguments of `openssl ca`.
func (a *opensslCA) list(database string, args ...string) []byte {
	a.t.Helper()
	a.write("index.txt", []byte(database))
	a.write("index.txt.attr", nil)
	a.write("crlnumber", []byte("1FF0\n"))
	a.write("ca.cnf", []byte("[ca]\ndefault_ca = x\n[x]\ndatabase = index.txt\ncrlnumber = crlnumber\ncertificate = ca.pem\n"+
		"private_key = ca.key\ndefault_md = sha256\ndefault_crl_days = 30\ncrl_extensions = ext\n[ext]\n"+a.crlExtensions+"\n"))
	a.run(append([]string{"ca", "-config", "ca.cnf", "-gencrl", "-out", "crl.pem"}, args...)...)
	data, err := os.ReadFile(filepath.Join(a.dir, "crl.pem"))
	return must(a.t, data, err)
}

var serialLine = regexp.MustCompile(`(?m)^ *Serial Number: ([0-9A-F-]+)$`)

// sameAsOpenSSL compares a list in PEM with what `openssl crl` makes of it.
func (a *opensslCA) sameAsOpenSSL(list *CRL) {
	t := a.t
	t.Helper()
	told := make(map[string]string)
	asked := a.run("crl", "-in", "crl.pem", "-noout", "-lastupdate", "-nextupdate", "-crlnumber", "-sha256", "-fingerprint")
	for line := range strings.Lines(string(asked)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if strings.HasSuffix(key, "Fingerprint") { // its digest is spelt in several ways
			key, value = "digest", strings.ReplaceAll(value, ":", "")
		}
		told[strings.ToLower(key)] = value
	}
	const layout = "Jan _2 15:04:05 2006 MST"
	for key, got := range map[string]time.Time{"lastupdate": list.ThisUpdate, "nextupdate": list.NextUpdate} {
		if got.Format(layout) != strings.Replace(told[key], "GMT", "UTC", 1) {
			t.Errorf("%s %v, openssl %q", key, got, told[key])
		}
	}
	if got := fmt.Sprintf("0x%X", list.Number); got != told["crlnumber"] {
		t.Errorf("number %s, openssl %q", got, told["crlnumber"])
	}
	if got := fmt.Sprintf("%X", list.Digest); got != told["digest"] {
		t.Errorf("digest %s, openssl %q", got, told["digest"])
	}
	lines := serialLine.FindAllSubmatch(a.run("crl", "-in", "crl.pem", "-noout", "-text"), -1)
	if len(lines) != list.Entries() {
		t.Errorf("%d entries, openssl %d", list.Entries(), len(lines))
	}
	for _, line := range lines {
		serial, ok := new(big.Int).SetString(string(line[1]), 16)
		if !ok || !list.Revokes(serial) {
			t.Errorf("openssl's serial %s is not revoked", line[1])
		}
	}
}

func TestListsOfOpenSSLAreReadAsOpenSSLReadsThem(t *testing.T) {
	serials := []string{"01", "7F", "80", "00FF", "0100", "DEADBEEF", "7FFFFFFFFFFFFFFF", "FFFFFFFFFFFFFFFF",
		"0123456789ABCDEF0123456789ABCDEF01234567", "F123456789ABCDEF0123456789ABCDEF01234567", "4D", "4E", "4F"}
	for _, c := range signatureCases(t) {
		var args []string
		switch {
		case strings.HasPrefix(c.name, "PSS"):
			args = []string{"-sigopt", "rsa_padding_mode:pss"}
		case c.name == "Ed25519":
			args = []string{"-md", "null"}
		case c.options.HashFunc().Size() == 48:
			args = []string{"-md", "sha384"}
		case c.options.HashFunc().Size() == 64:
			args = []string{"-md", "sha512"}
		}
		t.Run(c.name, func(t *testing.T) {
			a := newOpenSSLCA(t, pki.Options{Key: c.key})
			stranger, err := pki.NewRoot(pki.Options{})
			must(t, stranger, err)
			for _, database := range []string{"", revoked(serials[0]), revoked(serials...)} {
				text := a.list(database, args...)
				der := a.run("crl", "-in", "crl.pem", "-outform", "DER")
				list := oneCRL(t, bytes.Clone(der))
				a.sameAsOpenSSL(list)
				if err := sameAsStandardLibrary(t, list, der); err != nil {
					t.Errorf("crypto/x509: %v", err)
				}
				for _, data := range [][]byte{text, a.run("crl", "-in", "crl.pem", "-text")} {
					if inPEM := oneCRL(t, data); inPEM.Digest != list.Digest || inPEM.Entries() != list.Entries() {
						t.Errorf("in PEM it is another list")
					}
				}
				if !list.signedBy(newCertificate(a.root.Cert)) || list.signedBy(newCertificate(stranger.Cert)) {
					t.Errorf("the signature, which openssl made, is not known or anybody's")
				}
			}
		})
	}
}

// A list that we take for complete, OpenSSL takes too: `openssl verify` believes
// a certificate by it. Not the other way round: it also takes a delta list for a
// complete one.
func TestOpenSSLTakesEveryListThatWeTake(t *testing.T) {
	a := newOpenSSLCA(t, pki.Options{})
	leaf, err := a.root.Issue(pki.Options{})
	must(t, leaf, err)
	a.write("leaf.pem", pki.CertPEM(leaf.Leaf))
	idp := func(lines string) string { return "issuingDistributionPoint = critical, @idp\n[idp]\n" + lines }
	for name, c := range map[string]struct {
		extensions string
		good       bool
	}{
		"none":                        {"authorityKeyIdentifier = keyid:always", true},
		"the authority in full":       {"authorityKeyIdentifier = keyid:always, issuer:always", true},
		"users only":                  {idp("onlyuser = TRUE"), true},
		"unknown":                     {"1.2.3 = ASN1:NULL", true},
		"unknown and critical":        {"1.2.3 = critical, ASN1:NULL", false},
		"indirect":                    {idp("indirectCRL = TRUE"), false},
		"attribute certificates only": {idp("onlyAA = TRUE"), false},
		"some reasons":                {idp("onlysomereasons = keyCompromise, CACompromise"), false},
		"users and CAs only":          {idp("onlyuser = TRUE\nonlyCA = TRUE"), false},
		"a delta list":                {"2.5.29.27 = critical, ASN1:INTEGER:1", false},
	} {
		a.crlExtensions = c.extensions
		_, err := ParseCRLs(a.list(""))
		if (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
		cmd := exec.Command(a.openssl, "verify", "-crl_check", "-CAfile", "ca.pem", "-CRLfile", "crl.pem", "leaf.pem")
		cmd.Dir = a.dir
		if out, refused := cmd.CombinedOutput(); refused != nil && err == nil {
			t.Errorf("%s: openssl refuses it\n%s", name, out)
		}
	}
}
