package trust

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"
)

// ReadCRLs reads certificate revocation lists from files and folders, in the
// order given, exact duplicates removed. A file is PEM with one list or
// several, or one list in DER. A folder stands for its regular files in the
// order of their names, symbolic links followed; names that begin with ".."
// are passed over (Kubernetes keeps a volume's versions under them), as are
// its folders. maxBytes is the most that one file may have (MTLS_CRL_MAX_BYTES).
//
// Whatever is damaged, empty, too large or unreadable is a CRLError with its
// path, all of them joined; lists holds what could be read all the same. In the
// warnings: a list that has expired, is dated in the future or is there twice,
// and what in a folder of lists is surely something else.
func ReadCRLs(paths []string, maxBytes int64) (lists []*CRL, warnings []string, err error) {
	return readCRLs(paths, maxBytes, time.Now())
}

func readCRLs(paths []string, maxBytes int64, now time.Time) ([]*CRL, []string, error) {
	r := crlReader{maxBytes: maxBytes, now: now, from: make(map[[32]byte]string)}
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			r.fail(unreadableCRL(path, err))
		case info.IsDir():
			r.folder(path)
		default:
			_, err := r.file(path)
			r.fail(err)
		}
	}
	return r.lists, r.warnings, errors.Join(r.faults...)
}

type crlReader struct {
	maxBytes int64
	now      time.Time
	from     map[[32]byte]string // the file that each list was read from
	found    int                 // lists, those seen before included
	lists    []*CRL
	findings
}

func (r *crlReader) folder(path string) {
	r.findings.folder(path, fileKind{
		read: func(file string) (int, bool, error) {
			before := r.found
			other, err := r.file(file)
			return r.found - before, other, err
		},
		unreadable: func(file string, err error) error { return unreadableCRL(file, err) },
		none: &CRLError{Path: path, Fault: "the folder holds no file with a CRL",
			Remedy: "put the CRLs there in PEM or DER form"},
		passedOver: "is no CRL and is not used",
	})
}

// file reads one file. other tells that it cannot be read because it is
// something else altogether.
func (r *crlReader) file(path string) (other bool, err error) {
	data, err := readOnce(path, r.maxBytes)
	if err != nil {
		return false, err
	}
	other = somethingElse(path, data) // ParseCRLs leaves nothing of data to look at
	lists, err := ParseCRLs(data)
	if err != nil {
		var fault *CRLError
		if errors.As(err, &fault) {
			fault.Path = path
		}
		return other, err
	}
	r.found += len(lists)
	for _, list := range lists {
		first, seen := r.from[list.Digest]
		switch {
		case seen && first == path:
			r.warn(path, "holds the CRL of %s twice", readableName(list.RawIssuer))
		case seen:
			r.warn(path, "holds the same CRL of %s as %s", readableName(list.RawIssuer), first)
		default:
			r.from[list.Digest] = path
			list.Source = path
			r.lists = append(r.lists, list)
			r.doubts(path, list)
		}
	}
	return false, nil
}

// doubts warns of a list that is readable but not in date.
func (r *crlReader) doubts(path string, list *CRL) {
	switch {
	case !r.now.Before(list.NextUpdate):
		r.warn(path, "the CRL of %s has expired at %s (nextUpdate); after MTLS_CRL_GRACE it vouches for nobody, so put a newer one there",
			readableName(list.RawIssuer), list.NextUpdate.UTC().Format(time.RFC3339))
	case r.now.Before(list.ThisUpdate):
		r.warn(path, "the CRL of %s is dated %s (thisUpdate), in the future, and not used before; look at the clocks here and at the CA",
			readableName(list.RawIssuer), list.ThisUpdate.UTC().Format(time.RFC3339))
	}
}

// readOnce reads a file into one buffer of its size, since a list may take a large
// part of the memory that there is (os.ReadFile would grow it by a quarter for
// a file that is just being written). A file of another size at the end of
// the reading is half of one version and half of another.
func readOnce(path string, maxBytes int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadableCRL(path, err)
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for its writer
		return nil, &CRLError{Path: path, Fault: "not a regular file", Remedy: "name a file with CRLs or a folder of them"}
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, unreadableCRL(path, err)
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil { // what was opened may be another than what was looked at
		return nil, unreadableCRL(path, err)
	}
	if info.Size() > maxBytes {
		fault := crlTooLarge(info.Size(), maxBytes)
		fault.Path = path
		return nil, fault
	}
	data := make([]byte, info.Size())
	if err := readExactly(file, data); err != nil {
		return nil, unreadableCRL(path, err)
	}
	return data, nil
}

var errCRLChanged = errors.New("its size changed while it was read")

// readExactly fills data from r, which must end there.
func readExactly(r io.Reader, data []byte) error {
	_, err := io.ReadFull(r, data)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errCRLChanged
	}
	if err != nil {
		return err
	}
	switch _, err := io.ReadFull(r, make([]byte, 1)); err {
	case io.EOF:
		return nil
	case nil:
		return errCRLChanged
	default:
		return err
	}
}

// crlTooLarge tells of a list of size bytes, or of an unknown number where size
// is negative.
func crlTooLarge(size, maxBytes int64) *CRLError {
	fault := fmt.Sprintf("has more than %d bytes (MTLS_CRL_MAX_BYTES)", maxBytes)
	if size >= 0 {
		fault = fmt.Sprintf("has %d bytes, more than %d (MTLS_CRL_MAX_BYTES)", size, maxBytes)
	}
	return &CRLError{Fault: fault,
		Remedy: "raise MTLS_CRL_MAX_BYTES if it is the right list; reading takes twice as much memory"}
}

func unreadableCRL(path string, err error) *CRLError {
	var pathErr *fs.PathError
	cause := err
	if errors.As(err, &pathErr) {
		cause = pathErr.Err // the path is told once
	}
	remedy := "check the path and its permissions"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		remedy = "put the CRL there, or name another file"
	case errors.Is(err, errCRLChanged):
		remedy = "write a new version under another name and rename it to this one"
	}
	return &CRLError{Path: path, Fault: "cannot be read", Remedy: remedy, Err: cause}
}

// somethingElse reports whether a file has surely nothing to do with revocation: a
// text, a certificate, PEM of other kinds. Anything else in a folder of lists that
// cannot be read is more likely a damaged list, whose loss must not go unnoticed.
func somethingElse(path string, data []byte) bool {
	switch {
	case strings.EqualFold(filepath.Ext(path), ".crl"), len(bytes.TrimSpace(data)) == 0:
		return false // meant to be a list; the file a crash leaves is empty
	case bytes.Contains(data, []byte("-----BEGIN")):
		return !bytes.Contains(data, []byte(" CRL-----")) // looks at END too: the other line may be damaged
	case data[0] == tagSequence:
		_, err := x509.ParseCertificate(data)
		return err == nil
	default:
		return utf8.Valid(data) && bytes.IndexByte(data, 0) < 0
	}
}
