package headers

// appendChain appends $ssl_client_chain: the certificates of the chain as PEM one after another, the client's own first,
// percent-encoded as nginx encodes one in $ssl_client_escaped_cert. Decoding gives a PEM file. It is empty unless SUCCESS: what a
// client presents beside a certificate that did not verify may be anybody's.
func appendChain(dst []byte, f *Facts) ([]byte, error) {
	if f.Verify != VerifySuccess {
		return dst, nil
	}
	for _, c := range f.Chain {
		dst = appendEscapedPEM(dst, c.Raw)
	}
	return dst, nil
}
