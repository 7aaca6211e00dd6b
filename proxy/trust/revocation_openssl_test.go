package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// TestOpenSSLSaysTheSameOfRevocationLists puts every set-up before `openssl
// verify` with the lists in a file. Strict is its -crl_check_all, which nginx sets.
func TestOpenSSLSaysTheSameOfRevocationLists(t *testing.T) {
	openssl := need(t, "openssl")
	w := newWorld(t)
	dir := t.TempDir()
	rows := w.listRows()
	if len(rows) < 40 {
		t.Errorf("%d set-ups, want at least 40", len(rows))
	}
	for _, r := range rows {
		if r.policy == CRLAvailable {
			continue // OpenSSL knows no such thing
		}
		t.Run(r.name, func(t *testing.T) {
			more := []string{"-crl_check"}
			if r.policy == CRLStrict {
				more = append(more, "-crl_check_all")
			}
			if len(r.lists) > 0 {
				more = append(more, "-CRLfile", listFile(t, dir, r.lists))
			}
			accepted, first, output := askOpenSSL(t, openssl, dir, r.row, w.now.Unix(), more...)
			if want := r.want == 0; accepted != want && r.differs == "" {
				t.Errorf("openssl accepts it: %v, want %v\n%s", accepted, want, output)
			}
			if accepted == (r.want == 0) && r.differs != "" {
				t.Errorf("openssl does not differ, although %s\n%s", r.differs, output)
			}
			want := r.first
			if want == 0 && r.differs == "" {
				want = r.want.Code()
			}
			if first != want {
				t.Errorf("openssl's first error is %d, want %d\n%s", first, want, output)
			}
		})
	}
}

// TestWeAreNeverLooserThanOpenSSLWithLists makes lists at random. Forged ones are left out:
// there we differ, on purpose, as a row above says.
func TestWeAreNeverLooserThanOpenSSLWithLists(t *testing.T) {
	openssl := need(t, "openssl")
	w := newWorld(t)
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(9, 10))
	here := uri("http://crl.example/1")
	leaves := []*x509.Certificate{
		w.leaf(w.inter, pki.Options{}), w.leaf(w.inter, pki.Options{CA: true, NoKU: true}),
		w.leaf(w.inter, pki.Options{ExtraExtensions: points(fullName(here))}),
	}
	scopes := [][]byte{nil, nil, nil, onlyUserCerts, onlyCACerts, fullName(here), append(fullName(here), onlyUserCerts...)}
	agreed := 0
	for round := range 120 {
		leaf := leaves[random.IntN(len(leaves))]
		lists := [][]byte{w.good()}
		for range random.IntN(5) {
			from := time.Duration(random.IntN(60)-45) * minute
			l := crlSpec{by: w.inter, this: from + time.Second/2, next: from + time.Duration(1+random.IntN(60))*minute,
				scope: scopes[random.IntN(len(scopes))], noKeyID: random.IntN(4) == 0}
			if random.IntN(3) == 0 {
				l.revokes = certs(leaf)
			}
			lists = append(lists, w.der(l))
		}
		policy := CRLPolicy(round % 2)
		more := []string{"-CRLfile", listFile(t, dir, lists), "-crl_check"}
		if policy == CRLStrict {
			more = append(more, "-crl_check_all")
		}
		accepted, _, output := askOpenSSL(t, openssl, dir, w.plain("", 0, leaf, w.inter), w.now.Unix(), more...)
		v := w.ask(newCRLs(w.read(lists...)), policy, leaf, w.inter)
		if v.Status == Success && !accepted {
			t.Errorf("round %d: we accept, openssl does not:\n%s", round, output)
		}
		if (v.Status == Success) == accepted {
			agreed++
		}
	}
	if agreed < 90 {
		t.Errorf("only %d of 120 verdicts agree: we are stricter than intended", agreed)
	}
}

func listFile(t *testing.T, dir string, lists [][]byte) string {
	t.Helper()
	var file bytes.Buffer
	for _, der := range lists {
		if err := pem.Encode(&file, &pem.Block{Type: "X509 CRL", Bytes: der}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "lists.pem")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
