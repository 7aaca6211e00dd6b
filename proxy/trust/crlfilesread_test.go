package trust

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"mtls-sidecar/proxy/pki"
)

func TestAFileThatVanishesAfterItWasListedIsAnError(t *testing.T) {
	r := crlReader{maxBytes: roomForCRLs}
	path := filepath.Join(t.TempDir(), "vanished.crl")
	_, err := r.file(path)
	var fault *CRLError
	if !errors.As(err, &fault) || fault.Path != path || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want a CRLError about %s", err, path)
	}
}

func TestAFileThatChangesWhileItIsReadIsNotBelieved(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		r    io.Reader
		want error
	}{
		"of its size":      {strings.NewReader("12345678"), nil},
		"slow":             {iotest.OneByteReader(strings.NewReader("12345678")), nil},
		"grown":            {strings.NewReader("123456789"), errCRLChanged},
		"cut short":        {strings.NewReader("1234567"), errCRLChanged},
		"emptied":          {strings.NewReader(""), errCRLChanged},
		"broken":           {iotest.ErrReader(broken), broken},
		"broken at length": {io.MultiReader(strings.NewReader("12345678"), iotest.ErrReader(broken)), broken},
	} {
		data := make([]byte, 8)
		if err := readExactly(c.r, data); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		} else if err == nil && string(data) != "12345678" {
			t.Errorf("%s: read %q", name, data)
		}
	}
	if fault := unreadableCRL("a.crl", errCRLChanged); !strings.Contains(fault.Remedy, "rename") {
		t.Errorf("%v does not say how to write the file", fault)
	}
}

func TestACRLFileIsReadIntoOneBufferOfItsSize(t *testing.T) {
	const size = 16 << 20
	path := filepath.Join(files(t, map[string][]byte{"large": make([]byte, size)}), "large")
	var data []byte
	var err error
	got := allocated(func() { data, err = readOnce(path, size) })
	if err != nil || len(data) != size {
		t.Fatalf("%d bytes, error %v", len(data), err)
	}
	if got > size+size/16 {
		t.Errorf("%d bytes allocated for a file of %d", got, size)
	}
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// opensslCRL has `openssl ca -gencrl` make a list that revokes serial 0x0A, as PEM
// and as DER.
func opensslCRL(t *testing.T) (pemForm, derForm []byte) {
	t.Helper()
	openssl := need(t, "openssl")
	w := newWorld(t)
	dir := files(t, map[string][]byte{
		"ca.crt":    pki.CertPEM(w.root.Cert),
		"ca.key":    must2(t)(pki.KeyPEM(w.root.Key)),
		"index.txt": []byte("R\t391231235959Z\t250101000000Z\t0A\tunknown\t/CN=revoked\n"),
		"crlnumber": []byte("07\n"),
		"ca.cnf":    []byte("[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\ndefault_crl_days=7\n"),
	})
	for _, args := range [][]string{
		{"ca", "-gencrl", "-config", "ca.cnf", "-cert", "ca.crt", "-keyfile", "ca.key", "-out", "ca.pem"},
		{"crl", "-in", "ca.pem", "-outform", "DER", "-out", "ca.crl"},
	} {
		command := exec.Command(openssl, args...)
		command.Dir = dir
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		return must(t, data, err)
	}
	return read("ca.pem"), read("ca.crl")
}

func TestCRLFilesOfOpenSSLAreRead(t *testing.T) {
	pemForm, derForm := opensslCRL(t)
	for name, data := range map[string][]byte{"pem": pemForm, "der": derForm} {
		lists, warnings, err := ReadCRLs([]string{files(t, map[string][]byte{"ca": data})}, roomForCRLs)
		if err != nil || len(warnings) > 0 || len(lists) != 1 {
			t.Errorf("%s: %d lists, warnings %q, error %v", name, len(lists), warnings, err)
			continue
		}
		if err := opensslList(lists[0]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// opensslList tells what differs from the list of opensslCRL.
func opensslList(list *CRL) error {
	if list.Number == nil || list.Number.Int64() != 7 || list.Entries() != 1 ||
		!list.Revokes(big.NewInt(0x0a)) || list.Revokes(big.NewInt(0x0b)) || readableName(list.RawIssuer) != `"CN=Test Root"` {
		return fmt.Errorf("number %v, %d entries, issuer %s: not the list that was made", list.Number, list.Entries(), readableName(list.RawIssuer))
	}
	return nil
}
