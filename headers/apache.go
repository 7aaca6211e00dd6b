package headers

// apacheCert appends SSL_CLIENT_CERT as mod_headers sends it: PEM with a space for every line end. The space at the end is
// no part of a field's value (RFC 9110 §5.5), so it is left out. Tomcat's SSLValve and Foreman put the line ends back.
func apacheCert(dst []byte, f *Facts) ([]byte, error) {
	start := len(dst)
	dst = appendPEM(dst, f.leaf().Raw)
	dst = dst[:len(dst)-1]
	for i := start; i < len(dst); i++ {
		if dst[i] == '\n' {
			dst[i] = ' '
		}
	}
	return dst, nil
}
