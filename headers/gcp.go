package headers

import (
	"bytes"
	"crypto/sha256"
	"strings"
)

// gcpPresent appends client_cert_present. A certificate that is passed over (MTLS_INVALID_CERT=none) is none.
func gcpPresent(dst []byte, f *Facts) ([]byte, error) {
	return appendBool(dst, f.Verify == VerifySuccess || strings.HasPrefix(f.Verify, VerifyFailed)), nil
}

// gcpChainVerified appends client_cert_chain_verified.
func gcpChainVerified(dst []byte, f *Facts) ([]byte, error) {
	return appendBool(dst, f.Verify == VerifySuccess), nil
}

// gcpError appends client_cert_error: of the documented strings the two general ones, nothing with SUCCESS. Our own reason is
// $ssl_client_verify_reason.
func gcpError(dst []byte, f *Facts) ([]byte, error) {
	switch {
	case f.Verify == VerifySuccess:
		return dst, nil
	case strings.HasPrefix(f.Verify, VerifyFailed):
		return append(dst, "client_cert_validation_failed"...), nil
	default:
		return append(dst, "client_cert_not_provided"...), nil
	}
}

// gcpHash appends client_cert_sha256_fingerprint, which is base64, not hex.
func gcpHash(dst []byte, f *Facts) ([]byte, error) {
	sum := sha256.Sum256(f.leaf().Raw)
	return appendStdBase64(dst, sum[:]), nil
}

// gcpURISANs appends client_cert_uri_sans, in which the SPIFFE ID is not repeated.
func gcpURISANs(dst []byte, f *Facts) ([]byte, error) {
	id, err := appendSPIFFEID(nil, f.leaf())
	if err != nil {
		return dst, err
	}
	return appendGCPSANs(dst, f, func(n san) bool { return n.kind == sanURI && !bytes.Equal(n.value, id) })
}

// gcpDNSNameSANs appends client_cert_dnsname_sans.
func gcpDNSNameSANs(dst []byte, f *Facts) ([]byte, error) {
	return appendGCPSANs(dst, f, func(n san) bool { return n.kind == sanDNS })
}

// appendGCPSANs appends the wanted alternative names, each as base64, separated by commas. An empty one is left out: it names
// nobody.
func appendGCPSANs(dst []byte, f *Facts, wanted func(san) bool) ([]byte, error) {
	names, err := sans(f.leaf())
	if err != nil {
		return dst, err
	}
	start := len(dst)
	for _, n := range names {
		if len(n.value) == 0 || !wanted(n) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = appendStdBase64(dst, n.value)
	}
	return dst, nil
}

// gcpTime is RFC 3339 as the documentation shows it, with an offset in numbers.
const gcpTime = "2006-01-02T15:04:05-07:00"

// gcpNotBefore appends client_cert_valid_not_before.
func gcpNotBefore(dst []byte, f *Facts) ([]byte, error) {
	return f.leaf().NotBefore.UTC().AppendFormat(dst, gcpTime), nil
}

// gcpNotAfter appends client_cert_valid_not_after.
func gcpNotAfter(dst []byte, f *Facts) ([]byte, error) {
	return f.leaf().NotAfter.UTC().AppendFormat(dst, gcpTime), nil
}

// gcpIssuerDN appends client_cert_issuer_dn, the base64 of the DER.
func gcpIssuerDN(dst []byte, f *Facts) ([]byte, error) {
	return appendStdBase64(dst, f.leaf().RawIssuer), nil
}

// gcpSubjectDN appends client_cert_subject_dn, the base64 of the DER.
func gcpSubjectDN(dst []byte, f *Facts) ([]byte, error) {
	return appendStdBase64(dst, f.leaf().RawSubject), nil
}
