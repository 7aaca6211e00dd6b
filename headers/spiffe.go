package headers

import (
	"bytes"
	"crypto/x509"
)

// Limits of a SPIFFE ID (SPIFFE-ID §2.3).
const (
	maxSPIFFEID    = 2048
	maxTrustDomain = 255
)

// appendSPIFFEID appends the SPIFFE ID of a certificate that may name a workload: its only URI, where that is a SPIFFE ID
// with a path (X509-SVID §2, §5.2). Nothing is appended for others, and for certificates that may sign certificates or CRLs:
// the standard has validators refuse these.
func appendSPIFFEID(dst []byte, c *x509.Certificate) ([]byte, error) {
	names, err := sans(c)
	if err != nil {
		return dst, err
	}
	if c.IsCA || c.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0 {
		return dst, nil
	}
	if id := onlyURI(names); isWorkloadID(id) {
		dst = append(dst, id...)
	}
	return dst, nil
}

// onlyURI is the URI among alternative names, nil when there is none or several.
func onlyURI(names []san) []byte {
	var uri []byte
	found := false
	for _, name := range names {
		if name.kind != sanURI {
			continue
		}
		if found {
			return nil
		}
		uri, found = name.value, true
	}
	return uri
}

// isWorkloadID reports whether a URI is a SPIFFE ID (SPIFFE-ID §2) with a path. Percent-encoding, a port, a query, "." and ".."
// have no place in one, so that no two spellings mean the same.
func isWorkloadID(uri []byte) bool {
	rest, ours := bytes.CutPrefix(uri, []byte("spiffe://"))
	domain, path, _ := bytes.Cut(rest, []byte("/"))
	if !ours || len(uri) > maxSPIFFEID || !isTrustDomain(domain) {
		return false
	}
	for segment := range bytes.SplitSeq(path, []byte("/")) { // an empty path has one, empty, segment
		if !isPathSegment(segment) {
			return false
		}
	}
	return true
}

func isTrustDomain(name []byte) bool {
	for _, b := range name {
		if !isSPIFFEByte(b) || 'A' <= b && b <= 'Z' {
			return false
		}
	}
	return 0 < len(name) && len(name) <= maxTrustDomain
}

func isPathSegment(segment []byte) bool {
	for _, b := range segment {
		if !isSPIFFEByte(b) {
			return false
		}
	}
	return len(segment) > 0 && string(segment) != "." && string(segment) != ".."
}

func isSPIFFEByte(b byte) bool {
	return isLetterOrDigit(b) || b == '-' || b == '.' || b == '_'
}
