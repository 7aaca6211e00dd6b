package headers

import (
	"crypto/tls"
	"crypto/x509"
	"time"
)

// Facts is what is known of a client and its connection when its identity lines are rendered.
type Facts struct {
	Verify string               // VerifyNone, VerifySuccess, or VerifyFailed and OpenSSL's words for the reason
	Reason string               // our word for the reason (trust.Reason); empty unless FAILED
	Code   int                  // OpenSSL's number for it (X509_V_ERR_*); 0: it has none
	Chain  []*x509.Certificate  // leaf first: with SUCCESS the path that was verified, without its root; else what was presented; nil: no certificate
	TLS    *tls.ConnectionState // nil: there is none
	Now    time.Time            // wall time
	Shown  bool                 // to an operator, not to an application: the connection's variables stand for themselves
}

// leaf is the client's own certificate, or nil.
func (f *Facts) leaf() *x509.Certificate {
	if len(f.Chain) == 0 {
		return nil
	}
	return f.Chain[0]
}

// source is where a value comes from.
type source byte

const (
	fromVerdict     source = iota
	fromCertificate        // sent by presets with SUCCESS only
	fromConnection
)

// variable is a value that MTLS_HEADERS, or a preset, may name.
type variable struct {
	name string // without $
	from source
	// value appends the value to dst, nothing when there is none. What it appends is visible ASCII and space, or for names
	// that end in _utf8 valid UTF-8 without control characters; an error means that the client cannot be told of. The
	// functions of what is fromCertificate are not called without one.
	value func(dst []byte, f *Facts) ([]byte, error)
}
