package headers

// keycloakHAProxyChain appends the certificates after the client's own as HAProxy's ssl_c_chain_der,base64 does: the DER of
// all, one after another, in one base64.
func keycloakHAProxyChain(dst []byte, f *Facts) ([]byte, error) {
	var all []byte
	for _, c := range f.Chain[1:] {
		all = append(all, c.Raw...)
	}
	return appendStdBase64(dst, all), nil
}
