package headers

import (
	"encoding/base64"
)

// dialectVariables are values that one dialect's headers have and nginx has no variable for. Presets name them, operators
// cannot: what a value means depends on the header that it stands in. Each is in the file named after its dialect.
var dialectVariables = [...]variable{
	{"apache_cert", true, apacheCert},
	{"aws_alb_chain", true, awsALBChain},
	{"aws_alb_leaf", true, awsALBLeaf},
	{"aws_alb_validity", true, awsALBValidity},
	{"foreman_dn", true, foremanDN},
	{"gcp_chain_verified", false, gcpChainVerified},
	{"gcp_dnsname_sans", true, gcpDNSNameSANs},
	{"gcp_error", false, gcpError},
	{"gcp_hash", true, gcpHash},
	{"gcp_issuer_dn", true, gcpIssuerDN},
	{"gcp_not_after", true, gcpNotAfter},
	{"gcp_not_before", true, gcpNotBefore},
	{"gcp_present", false, gcpPresent},
	{"gcp_subject_dn", true, gcpSubjectDN},
	{"gcp_uri_sans", true, gcpURISANs},
	{"haproxy_cn", true, haproxyCN},
	{"haproxy_issuer", true, haproxyIssuer},
	{"haproxy_not_after", true, haproxyNotAfter},
	{"haproxy_not_before", true, haproxyNotBefore},
	{"haproxy_sha1", true, haproxySHA1},
	{"haproxy_subject", true, haproxySubject},
	{"haproxy_verify", false, haproxyVerify},
	{"haproxy_version", true, haproxyVersion},
	{"keycloak_haproxy_chain", true, keycloakHAProxyChain},
	{"puppet_dn", true, puppetDN},
	{"rfc9440_cert", true, rfc9440Cert},
	{"rfc9440_chain", true, rfc9440Chain},
	{"tomcat_key_size", false, tomcatKeySize},
	{"traefik_cert", true, traefikCert},
	{"traefik_info", true, traefikInfo},
	{"xfcc_element", true, xfccElement},
}

// appendStdBase64 appends standard base64 with padding, on one line.
func appendStdBase64(dst, data []byte) []byte {
	return base64.StdEncoding.AppendEncode(dst, data)
}

// appendBool appends true or false.
func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, "true"...)
	}
	return append(dst, "false"...)
}
