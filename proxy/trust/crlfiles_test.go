package trust

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

const roomForCRLs = 1 << 20

// mintCRL makes a list of issuer's in DER that is told by its number.
func mintCRL(t testing.TB, issuer *pki.Authority, number int64, dates ...time.Time) []byte {
	t.Helper()
	template := &x509.RevocationList{
		Number: big.NewInt(number), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(24 * time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(1000 + number), RevocationTime: time.Now()}},
	}
	if len(dates) == 2 {
		template.ThisUpdate, template.NextUpdate = dates[0], dates[1]
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, issuer.Cert, issuer.Key)
	return must(t, der, err)
}

func listsPEM(lists ...[]byte) []byte {
	var out []byte
	for _, der := range lists {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})...)
	}
	return out
}

// crlNumbers tells lists by their numbers.
func crlNumbers(lists []*CRL) []int64 {
	var all []int64
	for _, list := range lists {
		all = append(all, list.Number.Int64())
	}
	return all
}

func TestCRLsComeInTheOrderOfTheirFilesOnceEach(t *testing.T) {
	w := newWorld(t)
	one, two, three := mintCRL(t, w.root, 1), mintCRL(t, w.inter, 2), mintCRL(t, w.root, 3)
	dir := files(t, map[string][]byte{
		"several.pem":         listsPEM(two, one),
		"der.crl":             three,
		"crlf.pem":            bytes.ReplaceAll(listsPEM(one), []byte("\n"), []byte("\r\n")),
		"folder/b.pem":        listsPEM(one),
		"folder/a.crl":        two,
		"folder/..data/c.pem": listsPEM(three),
		"folder/..stale":      []byte("not read either"),
		"folder/sub/ignored":  []byte("not read"),
		"mounted/..1/ca.crl":  one,
	})
	// As Kubernetes mounts a volume: links to a folder that begins with two dots.
	for link, target := range map[string]string{"mounted/..data": "..1", "mounted/ca.crl": "..data/ca.crl"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		paths []string
		want  []int64
	}{
		{nil, nil},
		{[]string{"several.pem"}, []int64{2, 1}},
		{[]string{"der.crl", "several.pem"}, []int64{3, 2, 1}},
		{[]string{"crlf.pem"}, []int64{1}},
		{[]string{"folder"}, []int64{2, 1}},
		{[]string{"mounted"}, []int64{1}},
		{[]string{"der.crl", "mounted"}, []int64{3, 1}},
	} {
		got, warnings, err := ReadCRLs(pathsUnder(dir, c.paths...), roomForCRLs)
		if err != nil || len(warnings) > 0 {
			t.Errorf("%v: warnings %q, error %v", c.paths, warnings, err)
		}
		if !slices.Equal(crlNumbers(got), c.want) {
			t.Errorf("%v: lists %v, want %v", c.paths, crlNumbers(got), c.want)
		}
	}
}

// pathsUnder puts paths below a folder.
func pathsUnder(dir string, paths ...string) []string {
	var all []string
	for _, path := range paths {
		all = append(all, filepath.Join(dir, path))
	}
	return all
}

func TestWhatIsWrongWithACRLFileIsToldWithTheRemedy(t *testing.T) {
	w := newWorld(t)
	der := mintCRL(t, w.root, 1)
	good := listsPEM(der)
	key := must2(t)(pki.KeyPEM(w.root.Key))
	dir := files(t, map[string][]byte{
		"empty.crl":           nil,
		"blank.crl":           []byte(" \n"),
		"text.crl":            []byte("hello"),
		"certificate.pem":     pki.CertPEM(w.root.Cert),
		"key.pem":             key,
		"cut.pem":             good[:len(good)/2],
		"cut.der":             der[:len(der)-1],
		"large.crl":           bytes.Repeat([]byte{0}, roomForCRLs+1),
		"bare/readme":         []byte("no lists"),
		"bare/ca.crt":         pki.CertPEM(w.root.Cert),
		"none/sub/ignored":    good,
		"damaged/half.pem":    good[:len(good)/2],
		"cutpem/good.pem":     good,
		"cutpem/half.pem":     good[:len(good)/2],
		"nobegin/good.pem":    good,
		"nobegin/half.pem":    append([]byte("-----BEGIN X509 CR"), good[len("-----BEGIN X509 CRL-----"):]...),
		"cutder/good.pem":     good,
		"cutder/half":         der[:len(der)/2],
		"emptied/good.pem":    good,
		"emptied/other":       nil,
		"zeroed/good.pem":     good,
		"zeroed/other":        make([]byte, 512),
		"named/good.pem":      good,
		"named/other.crl":     []byte("a text where a list is meant to be"),
		"namedcert/good.pem":  good,
		"namedcert/other.crl": pki.CertPEM(w.root.Cert),
		"gone/good.pem":       good,
	})
	if err := os.Symlink("vanished", filepath.Join(dir, "gone", "link")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, at, want string }{
		{"missing.crl", "missing.crl", "cannot be read"},
		{"empty.crl", "empty.crl", "empty"},
		{"blank.crl", "blank.crl", "empty"},
		{"text.crl", "text.crl", ""},
		{"certificate.pem", "certificate.pem", ""},
		{"key.pem", "key.pem", ""},
		{"cut.pem", "cut.pem", ""},
		{"cut.der", "cut.der", ""},
		{"large.crl", "large.crl", "MTLS_CRL_MAX_BYTES"},
		{"bare", "bare", "holds no file with a CRL"},
		{"none", "none", "holds no file with a CRL"},
		{"damaged", "damaged/half.pem", ""},
		{"cutpem", "cutpem/half.pem", ""},
		{"nobegin", "nobegin/half.pem", ""},
		{"cutder", "cutder/half", ""},
		{"emptied", "emptied/other", "empty"},
		{"zeroed", "zeroed/other", ""},
		{"named", "named/other.crl", ""},
		{"namedcert", "namedcert/other.crl", ""},
		{"gone", "gone/link", "cannot be read"},
	} {
		_, _, err := ReadCRLs(pathsUnder(dir, c.path), roomForCRLs)
		var fault *CRLError
		if !errors.As(err, &fault) || fault.Remedy == "" || fault.Path != filepath.Join(dir, c.at) {
			t.Errorf("%s: error %v, want a CRLError with a remedy about %s", c.path, err, c.at)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || strings.Count(err.Error(), fault.Path) != 1 || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q, want once its path, %q and no other fault", c.path, err, c.want)
		}
	}
	if _, _, err := ReadCRLs([]string{os.DevNull}, roomForCRLs); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a device: %v, want it refused unopened", err)
	}
	for _, path := range pathsUnder(dir, "missing.crl", "gone") {
		if _, _, err := ReadCRLs([]string{path}, roomForCRLs); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v is not fs.ErrNotExist", path, err)
		}
	}
}

func TestOneBadCRLFileHidesNoGoodOne(t *testing.T) {
	w := newWorld(t)
	good := listsPEM(mintCRL(t, w.root, 1))
	dir := files(t, map[string][]byte{"folder/a.pem": good[:len(good)/2], "folder/b.pem": good, "c.crl": mintCRL(t, w.root, 2)})
	lists, _, err := ReadCRLs(pathsUnder(dir, "folder", "missing", "c.crl"), roomForCRLs)
	if got := crlNumbers(lists); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("lists %v, want 1 and 2 in spite of what is damaged", got)
	}
	if err == nil || !strings.Contains(err.Error(), "a.pem") || !strings.Contains(err.Error(), "missing") {
		t.Errorf("error %v, want both faults told", err)
	}
}

func TestDoubtfulCRLsAreReadWithAWarning(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	w := newWorld(t)
	root := w.ca(pki.Options{Subject: pkix.Name{CommonName: "Odd"}, NotBefore: now.AddDate(-2, 0, 0), NotAfter: now.AddDate(2, 0, 0)})
	hour := func(n int) time.Time { return now.Add(time.Duration(n) * time.Hour) }
	current := mintCRL(t, root, 1, hour(-1), hour(1))
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"current":  {current, ""},
		"expired":  {mintCRL(t, root, 1, hour(-2), hour(-1)), "the CRL of \"CN=Odd\" has expired at 2030-01-02T02:04:05Z"},
		"expiring": {mintCRL(t, root, 1, hour(-2), hour(0)), "the CRL of \"CN=Odd\" has expired at 2030-01-02T03:04:05Z"},
		"dated":    {mintCRL(t, root, 1, hour(0), hour(1)), ""},
		"future":   {mintCRL(t, root, 1, hour(1), hour(2)), "the CRL of \"CN=Odd\" is dated 2030-01-02T04:04:05Z (thisUpdate), in the future"},
		"twice":    {listsPEM(current, current), "holds the CRL of \"CN=Odd\" twice"},
	} {
		path := filepath.Join(files(t, map[string][]byte{name: c.data}), name)
		lists, warnings, err := readCRLs([]string{path}, roomForCRLs, now)
		if err != nil || len(lists) != 1 {
			t.Errorf("%s: %d lists, error %v", name, len(lists), err)
		}
		if c.want == "" {
			if len(warnings) > 0 {
				t.Errorf("%s: warnings %q, want none", name, warnings)
			}
			continue
		}
		if len(warnings) != 1 || !strings.Contains(warnings[0], c.want) || !strings.HasPrefix(warnings[0], path+": ") {
			t.Errorf("%s: warnings %q, want one with %q", name, warnings, c.want)
		}
	}
	dir := files(t, map[string][]byte{"a.crl": current, "b.pem": listsPEM(current)})
	lists, warnings, err := readCRLs([]string{dir}, roomForCRLs, now)
	if want := filepath.Join(dir, "b.pem") + ": holds the same CRL of \"CN=Odd\" as " + filepath.Join(dir, "a.crl"); err != nil ||
		len(lists) != 1 || len(warnings) != 1 || warnings[0] != want {
		t.Errorf("%d lists, warnings %q, error %v, want one list and %q", len(lists), warnings, err, want)
	}
}

func TestWhatIsSurelyNoCRLInAFolderOfThemIsPassedOverWithAWarning(t *testing.T) {
	w := newWorld(t)
	dir := files(t, map[string][]byte{
		"ca.crl": mintCRL(t, w.root, 1), "ca.crt": pki.CertPEM(w.root.Cert), "ca.der": w.root.Cert.Raw,
		"README": []byte("Übrigens: revoked certificates\n"), "tls.key": must2(t)(pki.KeyPEM(w.root.Key)),
	})
	lists, warnings, err := ReadCRLs([]string{dir}, roomForCRLs)
	if err != nil || !slices.Equal(crlNumbers(lists), []int64{1}) {
		t.Errorf("lists %v, error %v", crlNumbers(lists), err)
	}
	var want []string
	for _, path := range pathsUnder(dir, "README", "ca.crt", "ca.der", "tls.key") {
		want = append(want, path+": is no CRL and is not used")
	}
	if !slices.Equal(warnings, want) {
		t.Errorf("warnings %q, want %q", warnings, want)
	}
}
