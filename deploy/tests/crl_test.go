package tests

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batch "k8s.io/api/batch/v1"
)

// patchAsked is a change of a ConfigMap that the script asked the API server for.
type patchAsked struct {
	path, contentType, authorization string
	list                             []byte
}

// runCRLScript runs the CronJob's script against a server that answers with the
// list, and an API server that answers with code.
func runCRLScript(t *testing.T, list http.HandlerFunc, code int) (asked []patchAsked, output string, err error) {
	t.Helper()
	for _, program := range []string{"sh", "curl", "base64", "od"} {
		if _, err := exec.LookPath(program); err != nil {
			if required() {
				t.Fatalf("%s is not there", program)
			}
			t.Skipf("%s is not there", program)
		}
	}
	ca := httptest.NewServer(list)
	defer ca.Close()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			BinaryData map[string][]byte
		}
		text, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(text, &body); err != nil || r.Method != http.MethodPatch {
			t.Errorf("the API server was sent %s %.100q: %v", r.Method, text, err)
		}
		asked = append(asked, patchAsked{r.URL.Path, r.Header.Get("Content-Type"), r.Header.Get("Authorization"), body.BinaryData["clients.crl"]})
		w.WriteHeader(code)
	}))
	defer server.Close()
	account := t.TempDir()
	write(t, filepath.Join(account, "ca.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	write(t, filepath.Join(account, "token"), []byte("secret"))
	container := decodeAs[*batch.CronJob](t, "crl/cronjob.yaml").Spec.JobTemplate.Spec.Template.Spec.Containers[0]
	command := exec.CommandContext(t.Context(), container.Command[0], container.Command[1:]...)
	command.Env = []string{
		"PATH=" + os.Getenv("PATH"), "CRL_URL=" + ca.URL + "/clients.crl", "NAMESPACE=shop", "API=" + server.URL,
		"ACCOUNT=" + account, "WORK=" + t.TempDir(),
	}
	text, err := command.CombinedOutput()
	return asked, string(text), err
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// newList is a revocation list in DER.
func newList(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issuer := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, SubjectKeyId: []byte{1}, KeyUsage: x509.KeyUsageCRLSign,
	}
	list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: time.Unix(0, 0), NextUpdate: time.Unix(1, 0),
	}, issuer, key)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func answer(text []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) }
}

func TestTheCronJobWritesTheListIntoItsConfigMap(t *testing.T) {
	der := newList(t)
	armoured := append([]byte("issuer=CN=CA\n"), pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})...)
	for name, list := range map[string][]byte{"DER": der, "PEM": armoured} {
		asked, output, err := runCRLScript(t, answer(list), http.StatusOK)
		if err != nil || len(asked) != 1 {
			t.Errorf("%s: %v, %d requests, %s", name, err, len(asked), output)
			continue
		}
		want := patchAsked{"/api/v1/namespaces/shop/configmaps/mtls-crl", "application/merge-patch+json", "Bearer secret", list}
		if got := asked[0]; got.path != want.path || got.contentType != want.contentType || got.authorization != want.authorization {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
		if !bytes.Equal(asked[0].list, list) {
			t.Errorf("%s: the list in the ConfigMap is another", name)
		}
	}
}

func TestTheCronJobKeepsTheListWhenThereIsNoBetterOne(t *testing.T) {
	der := newList(t)
	for _, test := range []struct {
		name string
		list http.HandlerFunc
		want string // what the log says
	}{
		{"not there", http.NotFound, "404"},
		{"a login page", answer([]byte("<!DOCTYPE html><title>Sign in</title>")), "begins with <!DOCTYPE html>"},
		{"nothing", answer(nil), "no revocation list"},
		{"another armour", answer([]byte("-----BEGIN CERTIFICATE-----\n")), "no revocation list"},
		{"too large", answer(append(bytes.Clone(der), make([]byte, 1<<20)...)), "1048"},
	} {
		asked, output, err := runCRLScript(t, test.list, http.StatusOK)
		if err == nil || len(asked) > 0 || !strings.Contains(output, test.want) {
			t.Errorf("%s: %v, %d requests, got %q, want %q", test.name, err, len(asked), output, test.want)
		}
	}
}

func TestTheCronJobFailsWhenItMayNotWrite(t *testing.T) {
	asked, output, err := runCRLScript(t, answer(newList(t)), http.StatusForbidden)
	if err == nil || len(asked) != 1 || !strings.Contains(output, "403") {
		t.Errorf("%v, %d requests, %s", err, len(asked), output)
	}
}
