package trust

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// files writes a folder of files, by name.
func files(t *testing.T, contents map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range contents {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCAsComeInTheOrderOfTheirFilesOnceEach(t *testing.T) {
	w := newWorld(t)
	dir := files(t, map[string][]byte{
		"bundle.pem":          append([]byte("# our CAs\r\n"), pki.CertPEM(w.inter.Cert, w.root.Cert, w.inter.Cert)...),
		"der.crt":             w.stranger.Cert.Raw,
		"folder/b.pem":        pki.CertPEM(w.root.Cert),
		"folder/a.pem":        pki.CertPEM(w.stranger.Cert),
		"folder/..data/c.pem": pki.CertPEM(w.inter.Cert),
		"folder/..stale":      []byte("not read either"),
		"folder/sub/ignored":  []byte("not read"),
		"mounted/..1/ca.crt":  pki.CertPEM(w.root.Cert),
		"mounted/..1/tls.key": must2(t)(pki.KeyPEM(w.root.Key)),
		"crlf.pem":            bytes.ReplaceAll(pki.CertPEM(w.root.Cert), []byte("\n"), []byte("\r\n")),
		"old.pem":             bytes.ReplaceAll(pki.CertPEM(w.root.Cert), []byte(" CERTIFICATE-"), []byte(" X509 CERTIFICATE-")),
		"twice/one.pem":       pki.CertPEM(w.root.Cert),
	})
	// As Kubernetes mounts a volume: links to a folder that begins with two dots.
	for link, target := range map[string]string{"mounted/..data": "..1", "mounted/ca.crt": "..data/ca.crt"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		paths []string
		want  []*pki.Authority
	}{
		{[]string{"bundle.pem"}, []*pki.Authority{w.inter, w.root}},
		{[]string{"der.crt", "bundle.pem"}, []*pki.Authority{w.stranger, w.inter, w.root}},
		{[]string{"folder"}, []*pki.Authority{w.stranger, w.root}},
		{[]string{"mounted"}, []*pki.Authority{w.root}},
		{[]string{"crlf.pem"}, []*pki.Authority{w.root}},
		{[]string{"old.pem"}, []*pki.Authority{w.root}},
		{[]string{"bundle.pem", "twice"}, []*pki.Authority{w.inter, w.root}},
	} {
		var paths []string
		for _, p := range c.paths {
			paths = append(paths, filepath.Join(dir, p))
		}
		got, warnings, err := ReadCAs(paths)
		if err != nil || len(warnings) > 0 {
			t.Errorf("%v: warnings %q, error %v", c.paths, warnings, err)
			continue
		}
		var want [][]byte
		for _, a := range c.want {
			want = append(want, a.Cert.Raw)
		}
		var raws [][]byte
		for _, g := range got {
			raws = append(raws, g.Raw)
		}
		if !slices.EqualFunc(raws, want, bytes.Equal) {
			t.Errorf("%v: %d certificates, want %d in their order", c.paths, len(raws), len(want))
		}
	}
}

func must2(t *testing.T) func([]byte, error) []byte {
	return func(b []byte, err error) []byte { return must(t, b, err) }
}

func TestWhatIsWrongWithACAFileIsToldWithTheRemedy(t *testing.T) {
	w := newWorld(t)
	good := pki.CertPEM(w.root.Cert)
	key := must2(t)(pki.KeyPEM(w.root.Key))
	damaged := bytes.Replace(good, []byte("\n"), []byte("\n!!!!"), 1)
	dir := files(t, map[string][]byte{
		"empty.pem":        []byte(" \n"),
		"garbage.pem":      []byte("hello"),
		"key.pem":          key,
		"cut.pem":          append(bytes.Clone(good), good[:len(good)/2]...),
		"damaged.pem":      append(damaged, good...),
		"unparsable.pem":   append(bytes.Clone(good), "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"...),
		"trusted.pem":      bytes.ReplaceAll(good, []byte(" CERTIFICATE-"), []byte(" TRUSTED CERTIFICATE-")),
		"request.pem":      bytes.ReplaceAll(good, []byte(" CERTIFICATE-"), []byte(" CERTIFICATE REQUEST-")),
		"bare/readme":      []byte("no certificates"),
		"mixed/ca.pem":     good,
		"mixed/half.pem":   good[:len(good)/2],
		"none/sub/ignored": good,
	})
	for _, c := range []struct{ path, want string }{
		{"missing.pem", "cannot be read"},
		{"empty.pem", "the file is empty"},
		{"garbage.pem", "neither PEM nor a DER certificate"},
		{"key.pem", "holds a private key only"},
		{"cut.pem", "PEM block 2 is damaged or cut short"},
		{"damaged.pem", "PEM block 1 is damaged or cut short"},
		{"unparsable.pem", "the certificate in PEM block 2 cannot be parsed"},
		{"trusted.pem", "without -trustout"},
		{"request.pem", "no certificate in it"},
		{"bare", "holds no file with a certificate"},
		{"mixed", "half.pem: PEM block 1 is damaged or cut short"},
		{"none", "holds no file with a certificate"},
	} {
		path := filepath.Join(dir, c.path)
		cas, _, err := ReadCAs([]string{path})
		if err == nil || cas != nil {
			t.Errorf("%s: %d certificates and error %v", c.path, len(cas), err)
			continue
		}
		var fault *BundleError
		if !errors.As(err, &fault) || fault.Remedy == "" || !strings.HasPrefix(fault.Path, path) {
			t.Errorf("%s: the error lacks path or remedy: %v", c.path, err)
		}
		if !strings.Contains(err.Error(), c.want) || strings.Count(err.Error(), fault.Path) != 1 {
			t.Errorf("%s: %q, want once its path and %q", c.path, err, c.want)
		}
	}
	if _, _, err := ReadCAs([]string{filepath.Join(dir, "missing.pem")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file is not fs.ErrNotExist: %v", err)
	}
	large := filepath.Join(dir, "empty.pem")
	if err := os.Truncate(large, maxBundleBytes+1); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{large: "too many for a CA bundle", os.DevNull: "not a regular file"} {
		if _, _, err := ReadCAs([]string{path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	_, _, err := ReadCAs([]string{filepath.Join(dir, "empty.pem"), filepath.Join(dir, "key.pem")})
	if err == nil || !strings.Contains(err.Error(), "empty.pem") || !strings.Contains(err.Error(), "key.pem") {
		t.Errorf("of two bad files both are told, got %v", err)
	}
	if _, _, err := ReadCAs(nil); err == nil {
		t.Errorf("no file at all is no error")
	}
}

func TestDoubtfulCAsAreReadWithAWarning(t *testing.T) {
	w := newWorld(t)
	w.now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	from, to := w.now.AddDate(-2, 0, 0), w.now.AddDate(1, 0, 0)
	valid := func(o pki.Options) pki.Options {
		o.Subject = pkix.Name{CommonName: "Odd"}
		if o.NotBefore.IsZero() {
			o.NotBefore = from
		}
		if o.NotAfter.IsZero() {
			o.NotAfter = to
		}
		return o
	}
	root := w.ca(valid(pki.Options{}))
	own, err := pki.SelfSigned(valid(pki.Options{}))
	must(t, own, err)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"good":    {pki.CertPEM(root.Cert), ""},
		"expired": {pki.CertPEM(w.ca(valid(pki.Options{NotAfter: w.now.AddDate(0, -1, 0)})).Cert), "CA CN=Odd has expired on 2029-12-02"},
		"future":  {pki.CertPEM(w.ca(valid(pki.Options{NotBefore: w.now.AddDate(0, 1, 0)})).Cert), "not valid before 2030-02-02"},
		"leaf":    {pki.CertPEM(own.Leaf), "is not a CA certificate"},
		"usage":   {pki.CertPEM(w.ca(valid(pki.Options{NoBC: true})).Cert), "has no basicConstraints"},
		"weak":    {pki.CertPEM(w.ca(valid(pki.Options{Key: rsaKey(t, 1024)})).Cert), "weak key"},
		"key":     {append(must2(t)(pki.KeyPEM(root.Key)), pki.CertPEM(root.Cert)...), "holds a private key beside certificates"},
	} {
		path := filepath.Join(files(t, map[string][]byte{name: c.data}), name)
		cas, warnings, err := readCAs([]string{path}, w.now)
		if err != nil || len(cas) != 1 {
			t.Errorf("%s: %d certificates, error %v", name, len(cas), err)
		}
		if c.want == "" {
			if len(warnings) > 0 {
				t.Errorf("%s: warnings %q", name, warnings)
			}
			continue
		}
		if len(warnings) != 1 || !strings.Contains(warnings[0], c.want) || !strings.HasPrefix(warnings[0], path+": ") {
			t.Errorf("%s: warnings %q, want one with %q", name, warnings, c.want)
		}
	}
}

func TestABundleThatHasLostABeginLineIsRefused(t *testing.T) {
	w := newWorld(t)
	one, two := pki.CertPEM(w.root.Cert), pki.CertPEM(w.stranger.Cert)
	for name, data := range map[string][]byte{
		"cut at its head": append(one[5:len(one):len(one)], two...),
		"the last":        append(two[:len(two):len(two)], one[1:]...),
	} {
		path := filepath.Join(files(t, map[string][]byte{"ca.pem": data}), "ca.pem")
		if cas, _, err := ReadCAs([]string{path}); err == nil || !strings.Contains(err.Error(), "lost its BEGIN line") {
			t.Errorf("%s: %d certificates, error %v", name, len(cas), err)
		}
	}
}

func TestAFileWithoutACAIsRefused(t *testing.T) {
	w := newWorld(t)
	dir := files(t, map[string][]byte{
		"leaves.pem": pki.CertPEM(w.leaf(w.root, pki.Options{}), w.leaf(w.inter, pki.Options{})),
		"ca.pem":     pki.CertPEM(w.root.Cert),
	})
	leaves, ca := filepath.Join(dir, "leaves.pem"), filepath.Join(dir, "ca.pem")
	_, _, err := ReadCAs([]string{leaves})
	var fault *BundleError
	if !errors.As(err, &fault) || fault.Path != leaves || !strings.Contains(fault.Fault, "no CA") {
		t.Errorf("got %v, want that there is no CA in %s", err, leaves)
	}
	if cas, _, err := ReadCAs([]string{leaves, ca}); err != nil || len(cas) != 3 {
		t.Errorf("beside a CA: %d certificates, error %v", len(cas), err)
	}
}

func TestAFileWithoutCertificatesInAFolderIsToldInAWarning(t *testing.T) {
	w := newWorld(t)
	dir := files(t, map[string][]byte{"ca.crt": pki.CertPEM(w.root.Cert), "tls.key": must2(t)(pki.KeyPEM(w.root.Key))})
	cas, warnings, err := ReadCAs([]string{dir})
	if err != nil || len(cas) != 1 || len(warnings) != 1 || !strings.Contains(warnings[0], "tls.key: holds no certificate") {
		t.Errorf("%d certificates, warnings %q, error %v", len(cas), warnings, err)
	}
}

func TestHintsNameEachCAOnceInFileOrder(t *testing.T) {
	w := newWorld(t)
	loud := w.ca(pki.Options{RawSubject: name(t, text(asn1.TagUTF8String, "TEST  ROOT"))}) // the same name to OpenSSL
	got := Hints(certs(w.stranger, w.root, w.inter, loud, w.root))
	want := [][]byte{w.stranger.Cert.RawSubject, w.root.Cert.RawSubject, w.inter.Cert.RawSubject}
	if !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("%d hints, want three in file order", len(got))
	}
}
