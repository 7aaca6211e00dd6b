package headers

// appendChain appends $ssl_client_chain: the certificates of the chain as PEM one after another, the client's own first,
// percent-encoded as nginx encodes one in $ssl_client_escaped_cert. Decoding gives a PEM file.
func appendChain(dst []byte, f *Facts) ([]byte, error) {
	for _, c := range f.Chain {
		dst = appendEscapedPEM(dst, c.Raw)
	}
	return dst, nil
}
