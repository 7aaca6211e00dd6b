package headers

// puppetDN appends the subject as $ssl_client_s_dn with the slashes of values as hex pairs. Where Java cannot read a name, for
// an attribute type that it does not know, Puppet Server looks for "/CN=" in it: an organisation called "x/CN=admin" would be
// taken for admin.
func puppetDN(dst []byte, f *Facts) ([]byte, error) {
	return appendHexedDN(dst, f.leaf().RawSubject, "/")
}
