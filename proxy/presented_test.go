package proxy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// block is PEM of one kind.
func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestAClientsFileIsReadInEveryFormThatCertificatesHave(t *testing.T) {
	a := testCA(t)
	leaf, ca := a.client.Leaf, a.ca.Cert
	key, err := pki.KeyPEM(a.client.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	both := pki.CertPEM(leaf, ca)
	for name, c := range map[string]struct {
		text []byte
		want []*x509.Certificate
	}{
		"PEM":                          {pki.CertPEM(leaf), []*x509.Certificate{leaf}},
		"DER":                          {leaf.Raw, []*x509.Certificate{leaf}},
		"with what issued it":          {both, []*x509.Certificate{leaf, ca}},
		"the key first":                {slices.Concat(key, both), []*x509.Certificate{leaf, ca}},
		"the key between":              {slices.Concat(pki.CertPEM(leaf), key, pki.CertPEM(ca)), []*x509.Certificate{leaf, ca}},
		"of openssl x509 -text":        {slices.Concat([]byte("Certificate:\n    Data:\n        Version: 3 (0x2)\n"), both), []*x509.Certificate{leaf, ca}},
		"with the lines of Windows":    {bytes.ReplaceAll(both, []byte("\n"), []byte("\r\n")), []*x509.Certificate{leaf, ca}},
		"with OpenSSL's older label":   {block("X509 CERTIFICATE", leaf.Raw), []*x509.Certificate{leaf}},
		"without the last line's end":  {bytes.TrimSpace(both), []*x509.Certificate{leaf, ca}},
		"with other blocks beside it":  {slices.Concat(block("EC PARAMETERS", []byte{5, 0}), both), []*x509.Certificate{leaf, ca}},
		"with words between the lines": {slices.Concat(pki.CertPEM(leaf), []byte("subject=CN = ca\n\n"), pki.CertPEM(ca)), []*x509.Certificate{leaf, ca}},
	} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readPresented(path)
		if err != nil || !slices.EqualFunc(got, c.want, (*x509.Certificate).Equal) {
			t.Errorf("%s: got %d certificates, %v, want %d", name, len(got), err, len(c.want))
		}
	}
}

func TestAFileWithoutAUsableCertificateIsToldWithWhatToDo(t *testing.T) {
	a := testCA(t)
	leaf := pki.CertPEM(a.client.Leaf)
	private := a.client.PrivateKey.(*ecdsa.PrivateKey)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, private)
	if err != nil {
		t.Fatal(err)
	}
	crl, err := a.ca.CRL(1)
	if err != nil {
		t.Fatal(err)
	}
	list, _ := pem.Decode(crl)
	unhex := func(digits string) []byte {
		data, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for name, c := range map[string]struct {
		text []byte
		want []string
	}{
		"empty":                       {nil, []string{"is empty", "name the file of a client's certificate"}},
		"white space":                 {[]byte(" \r\n\n"), []string{"is empty"}},
		"text":                        {[]byte("no certificate\n"), []string{"neither PEM nor a certificate in DER"}},
		"a key":                       {block("PRIVATE KEY", pkcs8), []string{"a private key and no certificate", "name the file"}},
		"a key of OpenSSL's kind":     {slices.Concat(block("EC PARAMETERS", []byte{5, 0}), block("EC PRIVATE KEY", sec1)), []string{"a private key and no certificate"}},
		"an encrypted key":            {block("ENCRYPTED PRIVATE KEY", pkcs8), []string{"a private key and no certificate"}},
		"a key in DER":                {pkcs8, []string{"a private key and no certificate"}},
		"a SEC 1 key in DER":          {sec1, []string{"a private key and no certificate"}},
		"a CSR":                       {block("CERTIFICATE REQUEST", csr), []string{"CSR", "have a CA issue it"}},
		"a CSR of older OpenSSL":      {block("NEW CERTIFICATE REQUEST", csr), []string{"CSR", "have a CA issue it"}},
		"a CSR in DER":                {csr, []string{"CSR", "have a CA issue it"}},
		"a CRL":                       {crl, []string{"a revocation list", "MTLS_CRL"}},
		"a CRL in DER":                {list.Bytes, []string{"a revocation list", "MTLS_CRL"}},
		"PKCS#7":                      {block("PKCS7", []byte{0x30, 0}), []string{"PKCS#7", "openssl pkcs7 -print_certs"}},
		"PKCS#7 in DER":               {unhex("308203a406092a864886f70d010702a0820395"), []string{"PKCS#7", "-inform DER"}},
		"PKCS#12":                     {unhex("3082069f0201033082065506092a864886f70d010701"), []string{"PKCS#12", "openssl pkcs12 -in FILE -nokeys"}},
		"a short PKCS#12":             {unhex("30700201033068"), []string{"neither PEM"}},
		"PKCS#12 of Windows":          {unhex("308002010330800609"), []string{"PKCS#12"}},
		"a TRUSTED CERTIFICATE":       {block("TRUSTED CERTIFICATE", a.client.Leaf.Raw), []string{"TRUSTED CERTIFICATE", "openssl x509 -in FILE -out"}},
		"parameters alone":            {block("EC PARAMETERS", []byte{5, 0}), []string{"no certificate but", "EC PARAMETERS"}},
		"an unknown block":            {block("OPENSSH\x1b[2J THING", []byte{1}), []string{`\x1b[2J THING`}},
		"cut short":                   {leaf[:len(leaf)/2], []string{"PEM block 1 is damaged or cut short"}},
		"a damaged first block":       {slices.Concat(bytes.Replace(leaf, []byte("MII"), []byte("M*I"), 1), pki.CertPEM(a.ca.Cert)), []string{"PEM block 1 is damaged"}},
		"a damaged second block":      {slices.Concat(leaf, leaf[:len(leaf)/2]), []string{"PEM block 2 is damaged"}},
		"no END before the next":      {slices.Concat(leaf[:len(leaf)/2], []byte("\n"), leaf), []string{"PEM block 1 is damaged"}},
		"garbage in a sound block":    {block("CERTIFICATE", []byte("garbage")), []string{"PEM block 1 does not parse", "openssl x509 -text"}},
		"bytes behind DER":            {append(slices.Clone(a.client.Leaf.Raw), 0), []string{"neither PEM nor a certificate in DER"}},
		"more than a client can send": {bytes.Repeat([]byte(" "), maxPresentedFile+1), []string{"more than any client could send"}},
	} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readPresented(path)
		if err == nil {
			t.Errorf("%s: got %d certificates and no error", name, len(got))
			continue
		}
		for _, want := range append(c.want, "; ") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %q, which does not say %q", name, err, want)
			}
		}
		if strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: got %q", name, err)
		}
	}
}

func TestAFileThatCannotBeOpenedIsToldWithoutItsNameTwice(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "missing"), t.TempDir()} {
		_, err := readPresented(path)
		if err == nil || strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "cannot be read") {
			t.Errorf("got %v", err)
		}
	}
}

// FuzzPresented: whatever is read is what crypto/x509 parses, in the order of the file.
func FuzzPresented(f *testing.F) {
	for _, seed := range [][]byte{nil, []byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), {0x30, 0x80, 2, 1, 3, 0x30}, {0x30, 0xff}, []byte("-----BEGIN")} {
		f.Add(seed)
	}
	ca, err := pki.NewRoot(pki.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(pki.CertPEM(ca.Cert, ca.Cert))
	f.Add(ca.Cert.Raw)
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parsePresented(data)
		if (err == nil) != (len(got) > 0) {
			t.Fatalf("got %d certificates and %v", len(got), err)
		}
		for _, c := range got {
			if again, err := x509.ParseCertificate(c.Raw); err != nil || !again.Equal(c) {
				t.Errorf("a certificate that does not parse again: %v", err)
			}
		}
		if blocks := bytes.Count(data, []byte("-----BEGIN")); blocks > 0 && len(got) > blocks {
			t.Errorf("got %d certificates of %d blocks", len(got), blocks)
		}
	})
}
