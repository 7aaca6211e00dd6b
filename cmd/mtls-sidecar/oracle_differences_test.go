package main_test

// difference is a certificate that nginx believes and we do not, or one that
// both refuse for another reason. There is no list for the other direction.
// The README repeats each with its why.
type difference struct {
	row    string
	nginxs string // nginx's $ssl_client_verify
	reason string // our FAILED text; empty: the handshake fails
	why    string
}

// verdictDifferences is the whole list.
func verdictDifferences() []difference {
	const (
		believed  = "SUCCESS"
		parser    = "crypto/tls ends the handshake when crypto/x509 cannot parse a certificate"
		directory = "crypto/x509 knows no name constraints on subjects (directoryName), and nothing under one is believed"
	)
	return []difference{
		{"negative serial number", believed, "", parser + " (RFC 5280 section 4.1.2.2: serial numbers are positive)"},
		{"the same extension twice", believed, "", parser + " (RFC 5280 section 4.2: no extension twice)"},
		{"address of five bytes as alternative name", believed, "", parser + " (RFC 5280 section 4.2.1.6: four bytes or sixteen)"},
		{"policy demanded and absent", believed, "certificate rejected",
			"crypto/x509 processes policies (RFC 5280 section 6.1), which OpenSSL does only when asked to"},
		{"root without basicConstraints but with KU certSign", believed, "invalid CA certificate",
			"crypto/x509 wants basicConstraints of every v3 CA (RFC 5280 section 4.2.1.9)"},
		{"subject permitted", believed, "unhandled critical extension", directory},
		{"subject permitted", "FAILED:unable to get local issuer certificate", "unhandled critical extension", directory},
		{"subject not permitted", "FAILED:permitted subtree violation", "unhandled critical extension", directory},
		{"name permitted beside a malformed mail address", believed, "permitted subtree violation",
			"under name constraints a name that cannot be read cannot be judged"},
		{"critical IP address delegation", believed, "unhandled critical extension",
			"crypto/x509 does not know the extension (RFC 3779), and OpenSSL only that it is there"},
	}
}

// differenceFrom returns the listed difference for a certificate that nginx
// gave this verdict on; under another verdict nothing may differ.
func differenceFrom(nginxs answer, row string) *difference {
	for _, d := range verdictDifferences() {
		if d.row == row && d.nginxs == nginxs.verify {
			return &d
		}
	}
	return nil
}

// page is our answer where invalid certificates are refused.
func (d difference) page() answer {
	if d.reason == "" {
		return answer{}
	}
	return answer{status: 400}
}

// failed is our answer with MTLS_INVALID_CERT=failed.
func (d difference) failed() answer {
	if d.reason == "" {
		return answer{}
	}
	return answer{status: 200, verified: "FAILED:" + d.reason}
}
