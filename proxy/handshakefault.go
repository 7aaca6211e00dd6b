package proxy

import (
	"strings"
)

// handshakeFault is a kind of handshake that crypto/tls itself refuses, before
// there is a verdict of ours.
type handshakeFault struct {
	// begins and ends are how crypto/tls's error reads. Most of its errors have
	// no type; they are told apart here and nowhere else, and a test makes each
	// one by a real handshake, so that a Go release that says it in other words
	// is noticed.
	begins, ends string
	reason       string // one word for logs and programs
	event        Event
	advice       string // for the operator who reads the log
}

// errNoCertificateSent is crypto/tls's error where RequireAnyClientCert is not
// met.
const errNoCertificateSent = "tls: client didn't provide a certificate"

const (
	reissue   = "crypto/x509 does not read a certificate that the client sent; have it issued anew by current software (RFC 5280)"
	otherKey  = "client certificates have RSA, ECDSA (P-256, P-384, P-521) or Ed25519 keys here; have it issued for one of these"
	otherPair = "the client signed with another key than its certificate's; check that the client's key file belongs to its certificate. Whoever has only the certificate gets no further than this"
	otherWay  = "the client signed in a way that does not fit its certificate's key; check that the client's key file belongs to its certificate, and that a smart card knows RSA-PSS, which TLS 1.3 demands (RFC 8446 §4.2.3)"
)

// handshakeFaults are tried in order. What is not listed is a "handshake" that failed.
var handshakeFaults = []handshakeFault{
	// A key that crypto/x509 has no curve for is a certificate that it does not parse.
	{"tls: failed to parse client certificate: x509: unsupported elliptic curve", "",
		"certificate_key_unsupported", CertificateKeyUnsupported, otherKey},
	{"tls: failed to parse client certificate: ", "",
		"certificate_unparsable", CertificateUnparsable, reissue},
	{"tls: client sent certificate containing RSA key larger than ", "",
		"certificate_key_too_large", CertificateKeyTooLarge, "no certificate that a client sends may have an RSA key above 8192 bits, its intermediates included; have it issued for a smaller one"},
	{"tls: client certificate contains an unsupported public key of type ", "",
		"certificate_key_unsupported", CertificateKeyUnsupported, otherKey},
	{"tls: invalid signature by the client certificate: ", "",
		"certificate_not_proved", CertificateNotProved, otherPair},
	{"tls: client certificate used with invalid signature algorithm", "",
		"certificate_not_proved", CertificateNotProved, otherWay},
	// Only for a Certificate message is the limit 256 KiB.
	{"tls: handshake message of length ", " exceeds maximum of 262144 bytes",
		"certificate_too_large", CertificateTooLarge, "all certificates that a client sends take at most 256 KiB together; have it send its own and the intermediates alone"},
	{"tls: client offered only unsupported versions: ", "",
		"no_common_version", HandshakeFailed, "the client speaks no TLS version that MTLS_MIN_TLS permits; update the client"},
	{"tls: no cipher suite supported by both client and server; ", "",
		"no_common_cipher", HandshakeFailed, "for TLS 1.2 the client needs ECDHE with AES-GCM or ChaCha20, and a suite for the kind of key in MTLS_KEY_FILE; update the client, or serve an RSA and an ECDSA certificate"},
	{"tls: no key exchanges supported by both client and server", "",
		"no_common_key_exchange", HandshakeFailed, "the client needs X25519, P-256, P-384 or P-521; update the client"},
	{"tls: peer doesn't support any of the certificate's signature algorithms", "",
		"no_common_signature", HandshakeFailed, "the client does not take the kind of key in MTLS_KEY_FILE; serve an RSA or ECDSA P-256 certificate, too"},
	{"tls: client requested unsupported application protocols ", "",
		"no_common_protocol", HandshakeFailed, "the client wants another protocol by ALPN than the HTTP served here; configure it for http/1.1"},
	{"tls: handshake message of length ", "",
		"malformed_handshake", HandshakeFailed, brokenTLS},
	{"tls: received unexpected handshake message of type ", "",
		"malformed_handshake", HandshakeFailed, brokenTLS},
	{"local error: tls: bad record MAC", "",
		"unreadable_record", HandshakeFailed, plainAlert},
	// An alert that crypto/tls has sent and says no more about.
	{"local error: tls: ", "",
		"malformed_handshake", HandshakeFailed, brokenTLS},
}

const brokenTLS = "what the client sent is no correct TLS; look for a scanner, a broken client or something in between that alters the bytes"

// plainAlert: OpenSSL has no keys of its own yet when it rejects a server's certificate
// over TLS 1.3, and sends the alert in plain text where a record is due that is not.
const plainAlert = "most likely a client built on OpenSSL (curl, Python, Node) that does not trust the certificate in MTLS_CERT_FILE: over TLS 1.3 its alert cannot be read; have it trust the CA that issued the certificate, or serve one that it trusts. Else a scanner or a broken client"

// Failures that are not known by their text.
var (
	otherFault = &handshakeFault{reason: "handshake", event: HandshakeFailed, advice: "the text is crypto/tls's; look in the client's log for what it says"}
	clientLeft = &handshakeFault{reason: "client_left", event: HandshakeFailed, advice: "the client closed the connection without a word; it may not trust the certificate in MTLS_CERT_FILE, or lack one of its own"}
)

// faultOf tells the kind of a failed handshake.
func faultOf(err error) *handshakeFault {
	if gone(err) {
		return clientLeft
	}
	text := err.Error()
	for i := range handshakeFaults {
		f := &handshakeFaults[i]
		if strings.HasPrefix(text, f.begins) && strings.HasSuffix(text, f.ends) {
			return f
		}
	}
	return otherFault
}

// logFault counts and logs a handshake that crypto/tls has refused. It names no
// subject: nobody has proved that the certificate, if one was read, is the client's.
func (s *Server) logFault(c *conn, err error) {
	f := faultOf(err)
	s.events.count(f.event)
	s.refuse(denial{message: "handshake failed", reason: f.reason, text: brief(err.Error()), advice: f.advice, conn: c})
}

// maxDetail is how much of an error is logged: crypto/tls repeats what the
// client has offered, and crypto/x509 a name that it cannot parse, up to 256 KiB.
const maxDetail = 256

// brief makes an error's text fit for a line of a log that somebody reads in
// a terminal: visible ASCII, and not long.
func brief(text string) string {
	cut := len(text) > maxDetail
	if cut {
		text = text[:maxDetail]
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	if cut {
		text += "..."
	}
	return text
}
