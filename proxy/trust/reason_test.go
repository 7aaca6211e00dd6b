package trust

import (
	"regexp"
	"strings"
	"testing"
)

// The words are OpenSSL 3.0's: X509_verify_cert_error_string of each number.
func TestReasonsHaveTheNumbersAndWordsOfOpenSSL(t *testing.T) {
	for _, c := range []struct {
		reason Reason
		code   int
		text   string
	}{
		{IssuerMissing, 2, "unable to get issuer certificate"},
		{CRLMissing, 3, "unable to get certificate CRL"},
		{IssuerKeyUnusable, 6, "unable to decode issuer public key"},
		{BadSignature, 7, "certificate signature failure"},
		{CRLBadSignature, 8, "CRL signature failure"},
		{NotYetValid, 9, "certificate is not yet valid"},
		{Expired, 10, "certificate has expired"},
		{CRLNotYetValid, 11, "CRL is not yet valid"},
		{CRLExpired, 12, "CRL has expired"},
		{NotBeforeForm, 13, "format error in certificate's notBefore field"},
		{NotAfterForm, 14, "format error in certificate's notAfter field"},
		{SelfSigned, 18, "self-signed certificate"},
		{UntrustedRoot, 19, "self-signed certificate in certificate chain"},
		{UnknownIssuer, 20, "unable to get local issuer certificate"},
		{UnknownCA, 21, "unable to verify the first certificate"},
		{ChainTooLong, 22, "certificate chain too long"},
		{Revoked, 23, "certificate revoked"},
		{PathLength, 25, "path length constraint exceeded"},
		{WrongPurpose, 26, "unsuitable certificate purpose"},
		{Untrusted, 27, "certificate not trusted"},
		{Rejected, 28, "certificate rejected"},
		{NameMismatch, 29, "subject issuer mismatch"},
		{NoCertSign, 32, "key usage does not include certificate signing"},
		{CriticalExtension, 34, "unhandled critical extension"},
		{NoCRLSign, 35, "key usage does not include CRL signing"},
		{ProxyCertificate, 40, "proxy certificates not allowed, please set the appropriate flag"},
		{OutsidePermitted, 47, "permitted subtree violation"},
		{InsideExcluded, 48, "excluded subtree violation"},
		{ConstraintMinMax, 49, "name constraints minimum and maximum not supported"},
		{UnsupportedConstraint, 51, "unsupported name constraint type"},
		{UnsupportedName, 53, "unsupported or invalid name syntax"},
		{WeakKey, 66, "EE certificate key too weak"},
		{WeakCAKey, 67, "CA certificate key too weak"},
		{WeakDigest, 68, "CA signature digest algorithm too weak"},
		{UnsupportedAlgorithm, 76, "Cannot find certificate signature algorithm"},
		{InvalidCA, 79, "invalid CA certificate"},
		// nginx's own (ngx_ssl_ocsp_get_status)
		{OCSPFailed, 0, "certificate status request failed"},
		{OCSPRevoked, 0, "certificate revoked"},
		{OCSPUnknown, 0, "certificate status unknown"},
	} {
		if c.reason.Code() != c.code || c.reason.Text() != c.text {
			t.Errorf("%v is %d %q, want %d %q", c.reason, c.reason.Code(), c.reason.Text(), c.code, c.text)
		}
	}
}

func TestEachReasonHasANameOfItsOwnAndAdvice(t *testing.T) {
	shape := regexp.MustCompile(`^[a-z][a-z_]*[a-z]$`)
	seen := make(map[string]Reason)
	for r := Reason(1); r < reasonCount; r++ {
		name := r.String()
		if other, ok := seen[name]; ok || !shape.MatchString(name) {
			t.Errorf("reason %d is named %q, as is %d", r, name, other)
		}
		seen[name] = r
		advice := r.Advice()
		if !strings.HasSuffix(advice, ".") || len(advice) > 300 || strings.Count(advice, ". ") > 2 {
			t.Errorf("%s: the advice is not one to three short sentences: %q", name, advice)
		}
		if strings.ContainsAny(r.Text(), "\r\n") {
			t.Errorf("%s: the text is not one line", name)
		}
	}
	if name := Reason(0).String(); name != "" {
		t.Errorf("no reason is named %q", name)
	}
	if name := reasonCount.String(); name != "unspecified" {
		t.Errorf("a reason out of range is named %q", name)
	}
}

// nginx's ngx_ssl_verify_error_optional: 18, 19, 20, 21, 27.
func TestOnlyTheFiveCodesOfNginxAreUnknownCA(t *testing.T) {
	optional := map[int]bool{18: true, 19: true, 20: true, 21: true, 27: true}
	for r := Reason(0); r <= reasonCount; r++ {
		if got := r.UnknownCA(); got != optional[r.Code()] {
			t.Errorf("%s (%d): unknown CA is %v", r, r.Code(), got)
		}
	}
}
