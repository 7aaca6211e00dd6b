package headers

// appendByteSequence appends data as a byte sequence of structured fields (RFC 8941 §3.3.5): base64 between colons.
func appendByteSequence(dst, data []byte) []byte {
	dst = append(dst, ':')
	dst = appendStdBase64(dst, data)
	return append(dst, ':')
}

// rfc9440Cert appends the value of Client-Cert (RFC 9440 §2.2).
func rfc9440Cert(dst []byte, f *Facts) ([]byte, error) {
	return appendByteSequence(dst, f.leaf().Raw), nil
}

// rfc9440Chain appends the value of Client-Cert-Chain (RFC 9440 §2.3): what the client's certificate was verified through, in
// the order of TLS, on one line. The certificate itself has no place in it, the trust anchor may be left out.
func rfc9440Chain(dst []byte, f *Facts) ([]byte, error) {
	for i, c := range f.Chain[1:] {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = appendByteSequence(dst, c.Raw)
	}
	return dst, nil
}
