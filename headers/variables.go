package headers

import (
	"crypto/tls"
	"crypto/x509"
)

// variables are what MTLS_HEADERS may name, sorted. Those that nginx has are equal to nginx's, byte for byte, but for what their
// functions say.
var variables = [...]variable{
	{name: "ssl_alpn_protocol", from: fromConnection, value: ofConnection(appendALPN)},
	{name: "ssl_cipher", from: fromConnection, value: ofConnection(appendCipher)},
	{name: "ssl_client_cert_base64", from: fromCertificate, value: ofLeaf(func(dst []byte, c *x509.Certificate) []byte { return appendStdBase64(dst, c.Raw) })},
	{name: "ssl_client_chain", from: fromCertificate, value: appendChain},
	{name: "ssl_client_cn", from: fromCertificate, value: ofName(subject, appendCN)},
	{name: "ssl_client_escaped_cert", from: fromCertificate, value: ofLeaf(appendEscapedCert)},
	{name: "ssl_client_fingerprint", from: fromCertificate, value: ofLeaf(appendFingerprint)},
	{name: "ssl_client_fingerprint_sha256", from: fromCertificate, value: ofLeaf(appendFingerprint256)},
	{name: "ssl_client_i_dn", from: fromCertificate, value: ofName(issuer, appendDN)},
	{name: "ssl_client_i_dn_legacy", from: fromCertificate, value: ofName(issuer, appendLegacyDN)},
	{name: "ssl_client_i_dn_utf8", from: fromCertificate, value: ofName(issuer, appendUTF8DN)},
	{name: "ssl_client_s_dn", from: fromCertificate, value: ofName(subject, appendDN)},
	{name: "ssl_client_s_dn_legacy", from: fromCertificate, value: ofName(subject, appendLegacyDN)},
	{name: "ssl_client_s_dn_utf8", from: fromCertificate, value: ofName(subject, appendUTF8DN)},
	{name: "ssl_client_san_dns", from: fromCertificate, value: ofSANs(sanDNS)},
	{name: "ssl_client_san_email", from: fromCertificate, value: ofSANs(sanEmail)},
	{name: "ssl_client_san_ip", from: fromCertificate, value: ofSANs(sanIP)},
	{name: "ssl_client_san_uri", from: fromCertificate, value: ofSANs(sanURI)},
	{name: "ssl_client_serial", from: fromCertificate, value: ofLeaf(func(dst []byte, c *x509.Certificate) []byte { return appendSerial(dst, c.SerialNumber) })},
	{name: "ssl_client_spiffe_id", from: fromCertificate, value: func(dst []byte, f *Facts) ([]byte, error) { return appendSPIFFEID(dst, f.leaf()) }},
	{name: "ssl_client_spki_sha256", from: fromCertificate, value: ofLeaf(appendKeyFingerprint)},
	{name: "ssl_client_v_end", from: fromCertificate, value: ofLeaf(func(dst []byte, c *x509.Certificate) []byte { return appendTime(dst, c.NotAfter) })},
	{name: "ssl_client_v_remain", from: fromCertificate, value: func(dst []byte, f *Facts) ([]byte, error) { return appendRemain(dst, f.leaf().NotAfter, f.Now), nil }},
	{name: "ssl_client_v_start", from: fromCertificate, value: ofLeaf(func(dst []byte, c *x509.Certificate) []byte { return appendTime(dst, c.NotBefore) })},
	{name: "ssl_client_verify", value: func(dst []byte, f *Facts) ([]byte, error) { return appendVisible(dst, f.Verify), nil }},
	{name: "ssl_client_verify_reason", value: func(dst []byte, f *Facts) ([]byte, error) { return appendVisible(dst, f.Reason), nil }},
	{name: "ssl_curve", from: fromConnection, value: ofConnection(appendCurve)},
	{name: "ssl_protocol", from: fromConnection, value: ofConnection(appendProtocol)},
	{name: "ssl_server_name", from: fromConnection, value: ofConnection(func(dst []byte, state *tls.ConnectionState) []byte { return appendServerName(dst, state.ServerName) })},
	{name: "ssl_session_reused", from: fromConnection, value: ofConnection(appendReused)},
}

// refusedVariable returns what is wrong with a variable that nginx has and MTLS_HEADERS may not name, and what to do; "" for
// any other name.
func refusedVariable(name string) string {
	switch name {
	case "ssl_client_cert", "ssl_client_raw_cert":
		return "has several lines, which no header can hold; use $ssl_client_escaped_cert"
	case "ssl_client_sigalg", "ssl_sigalg", "ssl_sigalgs":
		return "is not known here, since crypto/tls does not tell the signature's algorithm; leave it out"
	case "ssl_ciphers":
		return "is not known here, since the client's offer is not kept; use $ssl_cipher for the one agreed on"
	case "ssl_curves":
		return "is not known here, since the client's offer is not kept; use $ssl_curve for the one agreed on"
	case "ssl_session_id":
		return "is not known here, since crypto/tls does not tell it; use $ssl_session_reused"
	case "ssl_early_data":
		return "would always be empty, since early data is not accepted; leave it out"
	case "ssl_ech_status", "ssl_ech_outer_server_name":
		return "would always be empty, since Encrypted Client Hello is not offered; leave it out"
	default:
		return ""
	}
}

type valueFunc = func(dst []byte, f *Facts) ([]byte, error)

// ofConnection is a value of the connection, empty without one.
func ofConnection(write func(dst []byte, state *tls.ConnectionState) []byte) valueFunc {
	return func(dst []byte, f *Facts) ([]byte, error) {
		if f.TLS == nil {
			return dst, nil
		}
		return write(dst, f.TLS), nil
	}
}

// ofLeaf is a value of the client's own certificate.
func ofLeaf(write func(dst []byte, c *x509.Certificate) []byte) valueFunc {
	return func(dst []byte, f *Facts) ([]byte, error) { return write(dst, f.leaf()), nil }
}

// ofName is a form of one of the certificate's two names.
func ofName(which func(c *x509.Certificate) []byte, write func(dst, rawName []byte) ([]byte, error)) valueFunc {
	return func(dst []byte, f *Facts) ([]byte, error) { return write(dst, which(f.leaf())) }
}

func subject(c *x509.Certificate) []byte { return c.RawSubject }

func issuer(c *x509.Certificate) []byte { return c.RawIssuer }

// ofSANs is the list of alternative names of one kind.
func ofSANs(kind byte) valueFunc {
	return func(dst []byte, f *Facts) ([]byte, error) { return appendSANs(dst, f.leaf(), kind) }
}

func appendEscapedCert(dst []byte, c *x509.Certificate) []byte {
	return appendEscapedPEM(dst, c.Raw)
}
