package trust

// Reason says why a certificate is not believed. Zero means no reason.
type Reason uint8

// The reasons follow the order of OpenSSL's X509_V_ERR_* numbers (see Code);
// the revocation reasons of OCSP, which are nginx's own, come last.
const (
	_                     Reason = iota
	IssuerMissing                // 2: a trusted certificate on the path is not self-signed and its issuer is not trusted
	CRLMissing                   // 3
	IssuerKeyUnusable            // 6: the issuer's key is of a kind or size that cannot be used here
	BadSignature                 // 7
	CRLBadSignature              // 8
	NotYetValid                  // 9
	Expired                      // 10
	CRLNotYetValid               // 11
	CRLExpired                   // 12
	NotBeforeForm                // 13: the beginning of validity is not in RFC 5280's form
	NotAfterForm                 // 14: nor is its end
	SelfSigned                   // 18: the certificate is its own issuer and not trusted
	UntrustedRoot                // 19: the presented chain ends in a root that is not trusted
	UnknownIssuer                // 20: the presented chain ends in a CA that nobody here knows
	UnknownCA                    // 21: the certificate came alone and its issuer is not known here
	ChainTooLong                 // 22
	Revoked                      // 23
	PathLength                   // 25: more CAs below one than its pathLenConstraint allows
	WrongPurpose                 // 26
	Untrusted                    // 27
	Rejected                     // 28: refused by a rule that OpenSSL has no number for
	NameMismatch                 // 29: issuer and subject are equal only when spelling is ignored
	NoCertSign                   // 32: an issuer's key usage does not allow it to sign certificates
	CriticalExtension            // 34
	NoCRLSign                    // 35: an issuer's key usage does not allow it to sign revocation lists
	ProxyCertificate             // 40
	OutsidePermitted             // 47
	InsideExcluded               // 48
	ConstraintMinMax             // 49
	UnsupportedConstraint        // 51
	UnsupportedName              // 53
	WeakKey                      // 66: of the client's certificate
	WeakCAKey                    // 67
	WeakDigest                   // 68: a certificate below the root is signed with SHA-1, MD5 or older
	UnsupportedAlgorithm         // 76
	InvalidCA                    // 79 (24 before OpenSSL 3.0)
	OCSPFailed                   // nginx's own
	OCSPRevoked                  // nginx's own
	OCSPUnknown                  // nginx's own
	reasonCount
)

// reasonInfo is one row of the table: name for logs, metrics and
// problem+json; OpenSSL's number; OpenSSL 3.0's words (x509_txt.c).
type reasonInfo struct {
	name string
	code int
	text string
}

var reasonTable = [reasonCount]reasonInfo{
	0:                     {"", 0, "ok"},
	IssuerMissing:         {"issuer_missing", 2, "unable to get issuer certificate"},
	CRLMissing:            {"crl_missing", 3, "unable to get certificate CRL"},
	IssuerKeyUnusable:     {"issuer_key_unusable", 6, "unable to decode issuer public key"},
	BadSignature:          {"bad_signature", 7, "certificate signature failure"},
	CRLBadSignature:       {"crl_bad_signature", 8, "CRL signature failure"},
	NotYetValid:           {"not_yet_valid", 9, "certificate is not yet valid"},
	Expired:               {"expired", 10, "certificate has expired"},
	CRLNotYetValid:        {"crl_not_yet_valid", 11, "CRL is not yet valid"},
	CRLExpired:            {"crl_expired", 12, "CRL has expired"},
	NotBeforeForm:         {"not_before_malformed", 13, "format error in certificate's notBefore field"},
	NotAfterForm:          {"not_after_malformed", 14, "format error in certificate's notAfter field"},
	SelfSigned:            {"self_signed", 18, "self-signed certificate"},
	UntrustedRoot:         {"untrusted_root", 19, "self-signed certificate in certificate chain"},
	UnknownIssuer:         {"unknown_issuer", 20, "unable to get local issuer certificate"},
	UnknownCA:             {"unknown_ca", 21, "unable to verify the first certificate"},
	ChainTooLong:          {"chain_too_long", 22, "certificate chain too long"},
	Revoked:               {"revoked", 23, "certificate revoked"},
	PathLength:            {"path_length_exceeded", 25, "path length constraint exceeded"},
	WrongPurpose:          {"wrong_purpose", 26, "unsuitable certificate purpose"},
	Untrusted:             {"untrusted", 27, "certificate not trusted"},
	Rejected:              {"rejected", 28, "certificate rejected"},
	NameMismatch:          {"name_mismatch", 29, "subject issuer mismatch"},
	NoCertSign:            {"no_cert_sign", 32, "key usage does not include certificate signing"},
	CriticalExtension:     {"critical_extension", 34, "unhandled critical extension"},
	NoCRLSign:             {"no_crl_sign", 35, "key usage does not include CRL signing"},
	ProxyCertificate:      {"proxy_certificate", 40, "proxy certificates not allowed, please set the appropriate flag"},
	OutsidePermitted:      {"name_not_permitted", 47, "permitted subtree violation"},
	InsideExcluded:        {"name_excluded", 48, "excluded subtree violation"},
	ConstraintMinMax:      {"constraint_minmax", 49, "name constraints minimum and maximum not supported"},
	UnsupportedConstraint: {"unsupported_constraint", 51, "unsupported name constraint type"},
	UnsupportedName:       {"unsupported_name", 53, "unsupported or invalid name syntax"},
	WeakKey:               {"weak_key", 66, "EE certificate key too weak"},
	WeakCAKey:             {"weak_ca_key", 67, "CA certificate key too weak"},
	WeakDigest:            {"weak_digest", 68, "CA signature digest algorithm too weak"},
	UnsupportedAlgorithm:  {"unsupported_algorithm", 76, "Cannot find certificate signature algorithm"},
	InvalidCA:             {"invalid_ca", 79, "invalid CA certificate"},
	OCSPFailed:            {"ocsp_failed", 0, "certificate status request failed"},
	OCSPRevoked:           {"ocsp_revoked", 0, "certificate revoked"},
	OCSPUnknown:           {"ocsp_unknown", 0, "certificate status unknown"},
}

func (r Reason) info() reasonInfo {
	if r >= reasonCount {
		return reasonInfo{"unspecified", 1, "unspecified certificate verification error"}
	}
	return reasonTable[r]
}

// String is the name used in logs, metrics and problem+json: lower case, with
// underscores, different for every reason; empty for zero.
func (r Reason) String() string { return r.info().name }

// Text is what OpenSSL 3.0 says (X509_verify_cert_error_string), or nginx in
// the case of OCSP: what follows FAILED: in $ssl_client_verify.
func (r Reason) Text() string { return r.info().text }

// Code is OpenSSL's X509_V_ERR_* number; zero for the OCSP reasons, which have none in nginx.
func (r Reason) Code() int { return r.info().code }

// UnknownCA reports whether r is one of the five that nginx's
// `ssl_verify_client optional_no_ca` lets through: the certificate may be
// sound, only its CA is not known (ngx_ssl_verify_error_optional).
func (r Reason) UnknownCA() bool {
	switch r {
	case SelfSigned, UntrustedRoot, UnknownIssuer, UnknownCA, Untrusted:
		return true
	}
	return false
}
