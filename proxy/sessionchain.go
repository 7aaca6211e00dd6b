package proxy

import (
	"crypto/tls"
	"crypto/x509"

	"mtls-sidecar/proxy/trust"
)

// carriedChain returns the certificates inside a session, which crypto/tls keeps
// there and shows to nobody before the session is resumed. Their place in
// SessionState.Bytes may change with the Go version, so they count only if they
// are the ones that id names; else it returns nil. A test watches over the layout.
func carriedChain(state *tls.SessionState, id trust.ID) []*x509.Certificate {
	encoded, err := state.Bytes()
	if err != nil {
		return nil
	}
	var chain []*x509.Certificate
	for _, der := range certificatesIn(encoded) {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil
		}
		chain = append(chain, certificate)
	}
	if len(chain) == 0 || trust.ChainID(chain) != id {
		return nil
	}
	return chain
}

// certificatesIn walks over an encoded session to the DER of its certificates,
// leaf first; nil where the bytes do not read so. The layout is told at the top of
// crypto/tls/ticket.go; a CertificateEntry is RFC 8446 §4.4.2's.
func certificatesIn(encoded []byte) [][]byte {
	w := walk{rest: encoded}
	w.take(2 + 1 + 2 + 8) // version, type, cipher_suite, created_at
	w.vector(1)           // secret
	w.vector(3)           // extra
	w.take(1 + 1)         // ext_master_secret, early_data
	list := walk{rest: w.vector(3)}
	var certificates [][]byte
	for len(list.rest) > 0 {
		certificates = append(certificates, list.vector(3))
		list.vector(2) // extensions
	}
	if w.failed || list.failed {
		return nil
	}
	return certificates
}

// walk goes through encoded bytes and stops, failed, where they end early.
type walk struct {
	rest   []byte
	failed bool
}

// take returns the next n bytes.
func (w *walk) take(n int) []byte {
	if n > len(w.rest) {
		w.rest, w.failed = nil, true
		return nil
	}
	taken := w.rest[:n]
	w.rest = w.rest[n:]
	return taken
}

// vector returns what follows its own length, which is told in so many bytes
// (RFC 8446 §3.4).
func (w *walk) vector(lengthBytes int) []byte {
	length := 0
	for _, b := range w.take(lengthBytes) {
		length = length<<8 | int(b)
	}
	return w.take(length)
}
