package headers

// dialectVariables are values that one dialect's headers have and nginx has no variable for. Presets name them, operators
// cannot: what a value means depends on the header that it stands in. Each is in the file named after its dialect.
var dialectVariables = [...]variable{
	{"apache_cert", fromCertificate, apacheCert},
	{"aws_alb_chain", fromCertificate, awsALBChain},
	{"aws_alb_leaf", fromCertificate, awsALBLeaf},
	{"aws_alb_validity", fromCertificate, awsALBValidity},
	{"foreman_dn", fromCertificate, foremanDN},
	{"gcp_chain_verified", fromVerdict, gcpChainVerified},
	{"gcp_dnsname_sans", fromCertificate, gcpDNSNameSANs},
	{"gcp_error", fromVerdict, gcpError},
	{"gcp_hash", fromCertificate, gcpHash},
	{"gcp_issuer_dn", fromCertificate, gcpIssuerDN},
	{"gcp_not_after", fromCertificate, gcpNotAfter},
	{"gcp_not_before", fromCertificate, gcpNotBefore},
	{"gcp_present", fromVerdict, gcpPresent},
	{"gcp_subject_dn", fromCertificate, gcpSubjectDN},
	{"gcp_uri_sans", fromCertificate, gcpURISANs},
	{"haproxy_cn", fromCertificate, haproxyCN},
	{"haproxy_issuer", fromCertificate, haproxyIssuer},
	{"haproxy_not_after", fromCertificate, haproxyNotAfter},
	{"haproxy_not_before", fromCertificate, haproxyNotBefore},
	{"haproxy_sha1", fromCertificate, haproxySHA1},
	{"haproxy_subject", fromCertificate, haproxySubject},
	{"haproxy_verify", fromVerdict, haproxyVerify},
	{"haproxy_version", fromCertificate, haproxyVersion},
	{"keycloak_haproxy_chain", fromCertificate, keycloakHAProxyChain},
	{"puppet_dn", fromCertificate, puppetDN},
	{"rfc9440_cert", fromCertificate, rfc9440Cert},
	{"rfc9440_chain", fromCertificate, rfc9440Chain},
	{"tomcat_key_size", fromConnection, tomcatKeySize},
	{"traefik_cert", fromCertificate, traefikCert},
	{"traefik_info", fromCertificate, traefikInfo},
	{"xfcc_element", fromCertificate, xfccElement},
}

// appendBool appends true or false.
func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, "true"...)
	}
	return append(dst, "false"...)
}
