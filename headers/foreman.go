package headers

// foremanDN appends the subject as Apache's SSL_CLIENT_S_DN, with what could pass for the beginning or end of an attribute as hex
// pairs. Foreman looks for /CN=([^\s\/,]+)/i anywhere in it, and takes an organisation called "CN=admin" for admin.
func foremanDN(dst []byte, f *Facts) ([]byte, error) {
	return appendHexedDN(dst, f.leaf().RawSubject, "=/,", appendPrintable)
}
