package proxy

import (
	"bytes"
	"crypto"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// recorded is a fixture of testdata/serverkey, whose README has the command
// that made it.
func recorded(name string) string { return filepath.Join("testdata", "serverkey", name) }

// openssl returns the program's path. The test is skipped without it, but fails
// with TEST_REQUIRE=1.
func openssl(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		absent(t, "openssl is not installed")
	}
	return path
}

// loadPair loads one certificate with its key, and no CA.
func loadPair(t *testing.T, certFile, keyFile, phraseFile string) (*Material, error) {
	t.Helper()
	entries := []string{"MTLS_VERIFY_CLIENT=off", "MTLS_CERT_FILE=" + certFile, "MTLS_KEY_FILE=" + keyFile}
	if phraseFile != "" {
		entries = append(entries, "MTLS_KEY_PASSPHRASE_FILE="+phraseFile)
	}
	return Load(environment(t, entries...))
}

// signs fails unless the key that was read is the certificate's.
func signs(t *testing.T, m *Material) {
	t.Helper()
	key, ok := m.Certificates[0].PrivateKey.(crypto.Signer)
	if !ok {
		t.Fatalf("the key is a %T", m.Certificates[0].PrivateKey)
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(m.Certificates[0].Leaf.PublicKey) {
		t.Error("the key read is not the certificate's")
	}
}

func TestKeysAreReadInEveryFormThatOpensslWrites(t *testing.T) {
	for _, name := range []string{
		"ec-sec1.key", "ec-pkcs8.key", "rsa-pkcs1.key", "rsa-pkcs8.key", "ed25519-pkcs8.key", "ec-both.pem",
		"ec-pbes2-aes256.key", "ec-pbes2-aes128-sha1.key", "ec-pbes2-3des.key", "ec-pbes2-scrypt.key", "rsa-pbes2-aes256.key",
		"rsa-dek-aes256.key", "rsa-dek-3des.key", "ec-dek-aes128.key",
	} {
		t.Run(name, func(t *testing.T) {
			kind, _, _ := strings.Cut(name, "-")
			encrypted := strings.Contains(name, "pbes2") || strings.Contains(name, "dek")
			certificate := recorded(kind + ".crt")
			if name == "ec-both.pem" {
				certificate = recorded(name)
			}
			for _, phrases := range []string{"phrase.txt", "phrases.txt"} {
				m, err := loadPair(t, certificate, recorded(name), recorded(phrases))
				if err != nil {
					t.Fatalf("with %s: %v", phrases, err)
				}
				signs(t, m)
			}
			m, err := loadPair(t, certificate, recorded(name), "")
			switch {
			case encrypted:
				wantFault(t, err, "MTLS_KEY_FILE", recorded(name), "MTLS_KEY_PASSPHRASE_FILE")
			case err != nil:
				t.Errorf("without a pass phrase file: %v", err)
			default:
				signs(t, m)
			}
		})
	}
}

func TestAKeyThatOpensslEncryptsNowIsRead(t *testing.T) {
	program, folder := openssl(t), t.TempDir()
	run := func(line string) {
		t.Helper()
		command := exec.Command(program, strings.Fields(line)...)
		command.Dir = folder
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("openssl %s: %v\n%s", line, err, out)
		}
	}
	phrase := filepath.Join(folder, "phrase")
	if err := os.WriteFile(phrase, []byte(" spaces count, ü \r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run("req -x509 -newkey rsa:2048 -nodes -keyout plain.key -out tls.crt -subj /CN=live -days 2")
	if err := os.WriteFile(filepath.Join(folder, "for-openssl"), []byte(" spaces count, ü "), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, line := range map[string]string{
		"PKCS#8 as genpkey's default": "pkcs8 -topk8 -in plain.key -passout file:for-openssl -out tls.key",
		"PKCS#8 with 3DES":            "pkcs8 -topk8 -v2 des3 -in plain.key -passout file:for-openssl -out tls.key",
		"DEK-Info with AES":           "rsa -traditional -aes192 -in plain.key -passout file:for-openssl -out tls.key",
		"DEK-Info with 3DES":          "rsa -traditional -des3 -in plain.key -passout file:for-openssl -out tls.key",
	} {
		t.Run(name, func(t *testing.T) {
			run(line)
			m, err := loadPair(t, filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key"), phrase)
			if err != nil {
				t.Fatal(err)
			}
			signs(t, m)
		})
	}
}

// wantFault fails unless the error names all these texts and has a clause on
// what to do, after a semicolon.
func wantFault(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("got no error, want one about %q", texts)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error does not name %q: %v", text, err)
		}
	}
	if !strings.Contains(err.Error(), "; ") {
		t.Errorf("the error does not say what to do: %v", err)
	}
}

func TestEveryFaultOfAKeyNamesVariablePathAndRemedy(t *testing.T) {
	garbage := inFolder(t, "garbage", []byte("no PEM at all\n"))
	empty := inFolder(t, "empty", []byte(" \n"))
	noLines := inFolder(t, "no-lines", []byte("\n\r\n"))
	missing := filepath.Join(t.TempDir(), "missing")
	broken := inFolder(t, "broken", []byte("-----BEGIN PRIVATE KEY-----\nMAAA\n-----END PRIVATE KEY-----\n"))
	brokenCert := inFolder(t, "broken.crt", []byte("-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n"))
	wrong := inFolder(t, "wrong", []byte("not it\nnor this\n"))
	x25519 := inFolder(t, "x25519", []byte("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UduSwq\n-----END PRIVATE KEY-----\n")) // RFC 7748 §6.1
	ec, key := recorded("ec.crt"), recorded("ec-pkcs8.key")
	for _, test := range []struct {
		name, cert, key, phrase string
		texts                   []string
	}{
		{"certificate missing", missing, key, "", []string{"MTLS_CERT_FILE", missing, "no such file"}},
		{"certificate empty", empty, key, "", []string{"MTLS_CERT_FILE", empty, "empty"}},
		{"certificate garbage", garbage, key, "", []string{"MTLS_CERT_FILE", garbage, "CERTIFICATE"}},
		{"certificate broken", brokenCert, key, "", []string{"MTLS_CERT_FILE", brokenCert, "parse"}},
		{"certificate is the key", key, key, "", []string{"MTLS_CERT_FILE", key, "CERTIFICATE"}},
		{"certificate a folder", t.TempDir(), key, "", []string{"MTLS_CERT_FILE", "directory"}},
		{"key missing", ec, missing, "", []string{"MTLS_KEY_FILE", missing, "no such file"}},
		{"key empty", ec, empty, "", []string{"MTLS_KEY_FILE", empty, "empty"}},
		{"key garbage", ec, garbage, "", []string{"MTLS_KEY_FILE", garbage, "PRIVATE KEY"}},
		{"key broken", ec, broken, "", []string{"MTLS_KEY_FILE", broken, "parse"}},
		{"key is the certificate", ec, ec, "", []string{"MTLS_KEY_FILE", ec, "PRIVATE KEY"}},
		{"key that cannot sign", ec, x25519, "", []string{"MTLS_KEY_FILE", x25519, "sign"}},
		{"key of another certificate", ec, recorded("rsa-pkcs8.key"), "", []string{"MTLS_KEY_FILE", "rsa-pkcs8.key", ec}},
		{"phrase file missing", ec, key, missing, []string{"MTLS_KEY_PASSPHRASE_FILE", missing, "no such file"}},
		{"phrase file empty", ec, key, noLines, []string{"MTLS_KEY_PASSPHRASE_FILE", noLines}},
		{"phrase wrong, PBES2", ec, recorded("ec-pbes2-aes256.key"), wrong, []string{"MTLS_KEY_FILE", "ec-pbes2-aes256.key", "MTLS_KEY_PASSPHRASE_FILE"}},
		{"phrase wrong, 3DES", ec, recorded("ec-pbes2-3des.key"), wrong, []string{"MTLS_KEY_FILE", "ec-pbes2-3des.key", "MTLS_KEY_PASSPHRASE_FILE"}},
		{"phrase wrong, DEK-Info", recorded("rsa.crt"), recorded("rsa-dek-aes256.key"), wrong, []string{"MTLS_KEY_FILE", "rsa-dek-aes256.key", "MTLS_KEY_PASSPHRASE_FILE"}},
		{"PBES1", ec, recorded("ec-pbes1-3des.key"), recorded("phrase.txt"), []string{"MTLS_KEY_FILE", "ec-pbes1-3des.key", "openssl pkcs8 -topk8 -v2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := loadPair(t, test.cert, test.key, test.phrase)
			wantFault(t, err, test.texts...)
		})
	}
}

// The older form has no integrity check: about one wrong pass phrase in 256
// decrypts to well-formed padding.
func TestNoWrongPassPhraseOpensTheOlderForm(t *testing.T) {
	var phrases bytes.Buffer
	for i := range 3000 {
		fmt.Fprintf(&phrases, "wrong %d\n", i)
	}
	wrong := inFolder(t, "wrong", phrases.Bytes())
	_, err := loadPair(t, recorded("rsa.crt"), recorded("rsa-dek-aes256.key"), wrong)
	wantFault(t, err, "MTLS_KEY_FILE", "rsa-dek-aes256.key", "MTLS_KEY_PASSPHRASE_FILE")

	right, err := os.ReadFile(recorded("phrase.txt"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := loadPair(t, recorded("rsa.crt"), recorded("rsa-dek-aes256.key"), inFolder(t, "all", append(phrases.Bytes(), right...)))
	if err != nil {
		t.Fatalf("the right one after many wrong ones: %v", err)
	}
	signs(t, m)
}

func TestTheCertificatesOrderIsTheServersFirst(t *testing.T) {
	ca := testCA(t).ca.Cert
	leaf, err := os.ReadFile(recorded("ec.crt"))
	if err != nil {
		t.Fatal(err)
	}
	upsideDown := inFolder(t, "chain", append(pki.CertPEM(ca), leaf...))
	_, err = loadPair(t, upsideDown, recorded("ec-pkcs8.key"), "")
	wantFault(t, err, "MTLS_KEY_FILE", "ec-pkcs8.key", upsideDown, "CN=Relay Test CA", "comes first")
}

func TestTheKeyOfAnotherCertificateInTheListIsNotTaken(t *testing.T) {
	both := "MTLS_CERT_FILE=" + recorded("ec.crt") + "," + recorded("rsa.crt")
	_, err := Load(environment(t, "MTLS_VERIFY_CLIENT=off", both,
		"MTLS_KEY_FILE="+recorded("rsa-pkcs8.key")+","+recorded("ec-pkcs8.key")))
	wantFault(t, err, recorded("rsa-pkcs8.key"), recorded("ec-pkcs8.key"))
	m, err := Load(environment(t, "MTLS_VERIFY_CLIENT=off", both,
		"MTLS_KEY_FILE="+recorded("ec-pkcs8.key")+","+recorded("rsa-pkcs8.key")))
	if err != nil || len(m.Certificates) != 2 {
		t.Fatalf("in order: got %v", err)
	}
}

func TestASmallServerKeyIsRefused(t *testing.T) {
	weak, err := weakRSAKey()
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile := serverPair(t, weak)
	_, err = loadPair(t, certFile, keyFile, "")
	wantFault(t, err, "MTLS_CERT_FILE", certFile, "1024 bits", "MTLS_MIN_RSA_BITS")
	if _, err := Load(environment(t, "MTLS_VERIFY_CLIENT=off", "MTLS_MIN_RSA_BITS=1024",
		"MTLS_CERT_FILE="+certFile, "MTLS_KEY_FILE="+keyFile)); err != nil {
		t.Errorf("allowed by MTLS_MIN_RSA_BITS: %v", err)
	}
}

func TestNoErrorRepeatsAPassPhraseOrKey(t *testing.T) {
	phrase := inFolder(t, "phrase", []byte("hunter2-hunter2\n"))
	_, err := loadPair(t, recorded("ec.crt"), recorded("ec-pbes2-aes256.key"), phrase)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}
