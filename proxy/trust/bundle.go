package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// maxBundleBytes is far above any CA bundle (the Web's whole PKI has 0.3 MB).
const maxBundleBytes = 16 << 20

// BundleError tells what is wrong with a CA file and what to do about it.
type BundleError struct {
	Path   string
	Fault  string // what is wrong
	Remedy string // what to do about it
	Err    error  // the cause, where there is one

	forgivable bool // in a folder that has certificates elsewhere
}

func (e *BundleError) Error() string {
	text := e.Path + ": " + e.Fault
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text + "; " + e.Remedy
}

func (e *BundleError) Unwrap() error { return e.Err }

// ReadCAs reads the trusted certificates from files and folders, in the order
// given, exact duplicates removed. A file is a PEM bundle or one DER
// certificate. A folder stands for its regular files in the order of their
// names, symbolic links followed; names that begin with ".." are passed over
// (Kubernetes keeps a volume's versions under them), as are its folders.
//
// Nothing is passed over in silence: whatever is damaged, empty or unreadable
// is a BundleError, all of them joined. What is readable but surely not
// meant is told in the warnings: an expired CA, one that is no CA, a weak key, a private
// key in the file, a file without certificates in a folder that has others.
func ReadCAs(paths []string) (cas []*x509.Certificate, warnings []string, err error) {
	return readCAs(paths, time.Now())
}

func readCAs(paths []string, now time.Time) ([]*x509.Certificate, []string, error) {
	r := bundleReader{now: now, seen: make(map[string]bool)}
	if len(paths) == 0 {
		return nil, nil, errors.New("no CA file is named")
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			r.fail(unreadable(path, err))
		case info.IsDir():
			r.folder(path)
		default:
			r.fail(r.file(path))
		}
	}
	if len(r.faults) == 0 && !r.anchors {
		r.fail(&BundleError{Path: strings.Join(paths, ", "), Fault: "holds no CA, only certificates that were issued by one",
			Remedy: "put the CA's own certificate there, or no client can be verified"})
	}
	if len(r.faults) > 0 {
		return nil, r.warnings, errors.Join(r.faults...)
	}
	return r.cas, r.warnings, nil
}

type bundleReader struct {
	now     time.Time
	seen    map[string]bool
	found   int  // certificates, those seen before included
	anchors bool // one at least is a CA, or self-signed and so its own
	cas     []*x509.Certificate
	findings
}

func (r *bundleReader) folder(path string) {
	r.findings.folder(path, fileKind{
		read: func(file string) (int, bool, error) {
			before := r.found
			err := r.file(file)
			var fault *BundleError
			return r.found - before, errors.As(err, &fault) && fault.forgivable, err
		},
		unreadable: func(file string, err error) error { return unreadable(file, err) },
		none: &BundleError{Path: path, Fault: "the folder holds no file with a certificate",
			Remedy: "put the CA certificates there in PEM form"},
		passedOver: "holds no certificate and is not used",
	})
}

func (r *bundleReader) file(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return unreadable(path, err)
	}
	if !info.Mode().IsRegular() {
		return &BundleError{Path: path, Fault: "not a regular file", Remedy: "name a PEM file or a folder of them"}
	}
	if info.Size() > maxBundleBytes {
		return &BundleError{Path: path, Fault: fmt.Sprintf("%d bytes are too many for a CA bundle", info.Size()),
			Remedy: "name a file with the trusted CA certificates only"}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return unreadable(path, err)
	}
	found, err := parseBundle(data)
	if err != nil {
		var fault *BundleError
		if errors.As(err, &fault) {
			fault.Path = path
		}
		return err
	}
	if found.privateKeys > 0 {
		r.warn(path, "holds a private key beside certificates; a CA file needs none, and everybody who can read the file has it")
	}
	r.found += len(found.certs)
	for _, c := range found.certs {
		if r.seen[string(c.Raw)] {
			continue
		}
		r.seen[string(c.Raw)] = true
		r.cas = append(r.cas, c)
		known := newCertificate(c)
		r.anchors = r.anchors || known.selfSigned || known.authorityKind() != notCA
		r.doubts(path, known)
	}
	return nil
}

func unreadable(path string, err error) error {
	var pathErr *fs.PathError
	cause := err
	if errors.As(err, &pathErr) {
		cause = pathErr.Err // the path is told once
	}
	remedy := "check the path and its permissions"
	if errors.Is(err, fs.ErrNotExist) {
		remedy = "put the CA certificate there, or name another file"
	}
	return &BundleError{Path: path, Fault: "cannot be read", Remedy: remedy, Err: cause}
}

// bundle is what one file holds.
type bundle struct {
	certs       []*x509.Certificate
	privateKeys int
}

// parseBundle reads a file's contents. Its errors are BundleErrors without a path.
func parseBundle(data []byte) (bundle, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return bundle{}, &BundleError{Fault: "the file is empty", Remedy: "put the CA certificates there in PEM form"}
	}
	if !bytes.Contains(data, []byte("-----BEGIN")) {
		if c, err := x509.ParseCertificate(data); err == nil {
			return bundle{certs: []*x509.Certificate{c}}, nil
		}
		return bundle{}, &BundleError{Fault: "neither PEM nor a DER certificate", forgivable: true,
			Remedy: "convert it, for example with `openssl x509 -inform DER` or `openssl pkcs7 -print_certs`"}
	}
	return parsePEM(data)
}

// parsePEM reads all blocks. encoding/pem skips damaged ones in silence, so each BEGIN
// line is counted: a bundle that lost half a block must not lose a CA.
func parsePEM(data []byte) (bundle, error) {
	var b bundle
	begin := []byte("-----BEGIN")
	for number := 1; ; number++ {
		at := bytes.Index(data, begin)
		between := data
		if at >= 0 {
			between = data[:at]
		}
		if bytes.Contains(between, []byte("-----END")) {
			return bundle{}, &BundleError{Fault: fmt.Sprintf("PEM block %d has lost its BEGIN line", number),
				Remedy: "write the file anew, whole"}
		}
		if at < 0 {
			break
		}
		data = data[at:]
		block, rest := pem.Decode(data)
		if block == nil || bytes.Count(data[:len(data)-len(rest)], begin) != 1 {
			return bundle{}, &BundleError{Fault: fmt.Sprintf("PEM block %d is damaged or cut short", number),
				Remedy: "write the file anew, whole"}
		}
		data = rest
		if err := b.add(block, number); err != nil {
			return bundle{}, err
		}
	}
	if len(b.certs) == 0 {
		fault := "no certificate in it"
		if b.privateKeys > 0 {
			fault = "holds a private key only"
		}
		return bundle{}, &BundleError{Fault: fault, forgivable: true, Remedy: "put the CA's certificate there (BEGIN CERTIFICATE)"}
	}
	return b, nil
}

func (b *bundle) add(block *pem.Block, number int) error {
	switch {
	case block.Type == "CERTIFICATE" || block.Type == "X509 CERTIFICATE": // OpenSSL reads the old name too
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return &BundleError{Fault: fmt.Sprintf("the certificate in PEM block %d cannot be parsed", number), Err: err,
				Remedy: "have it issued anew, or take it out of the file"}
		}
		b.certs = append(b.certs, c)
	case block.Type == "TRUSTED CERTIFICATE":
		return &BundleError{Fault: fmt.Sprintf("PEM block %d is a TRUSTED CERTIFICATE, whose trust settings only OpenSSL understands", number),
			Remedy: "convert it with `openssl x509 -in FILE -out NEW` (without -trustout)"}
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		b.privateKeys++
	}
	return nil
}
