package headers

import (
	"strings"
	"testing"
)

// The values that are written out here are what openssl x509 prints of the recorded certificate names.pem, put into the
// forms that each source documents; pieces in {} are made of the file's text, see fill.
var presetGoldens = map[string]struct{ success, none, failed []string }{
	"nginx": {
		success: []string{"VERIFIED: SUCCESS", "DN: {subject}"},
		none:    []string{"VERIFIED: NONE"},
		failed:  []string{"VERIFIED: FAILED:certificate has expired"},
	},
	"rfc9440": {success: []string{"Client-Cert: :{leaf}:", "Client-Cert-Chain: :{ca}:"}},
	"xfcc": {success: []string{"X-Forwarded-Client-Cert: Hash={sha256}" + `;Cert="{leaf-url}";Chain="{leaf-url}{ca-url}";Subject="{subject}"` +
		";URI=spiffe://example.org/ns/default/sa/client;DNS=client.example;DNS=alt.example"}},
	"ingress-nginx": {
		success: []string{"ssl-client-cert: {leaf-url}", "ssl-client-verify: SUCCESS", "ssl-client-subject-dn: {subject}", "ssl-client-issuer-dn: {issuer}"},
		none:    []string{"ssl-client-verify: NONE"},
		failed:  []string{"ssl-client-verify: FAILED:certificate has expired"},
	},
	"haproxy": {
		success: []string{"X-SSL: 1", "X-SSL-Client-Verify: 0", "X-SSL-Client-Serial: {serial}", "X-SSL-Client-Version: 3",
			"X-SSL-Client-SHA1: 1805F007387294A27438187CC8F2101C116E8FC4",
			"X-SSL-Client-DN: /C=US/ST=Washington/L=Seattle/O=Acme Widgets/OU=Field+OU=Clients/CN=client.example", "X-SSL-Client-CN: client.example",
			"X-SSL-Issuer: /C=US/ST=Washington/L=Seattle/O=Example Trust/OU=Clients/CN=Example Client CA/serialNumber=7",
			"X-SSL-Client-NotBefore: 200203040506Z", "X-SSL-Client-NotAfter: 491231235959Z", "X-SSL-Client-DER: {leaf}"},
		none:   []string{"X-SSL: 1"},
		failed: []string{"X-SSL: 1", "X-SSL-Client-Verify: 10"},
	},
	"traefik": {success: []string{"X-Forwarded-Tls-Client-Cert: {leaf},{ca}", "{traefik-info}"}},
	"aws-alb": {success: []string{"X-Amzn-Mtls-Clientcert-Serial-Number: {serial}", "X-Amzn-Mtls-Clientcert-Issuer: {issuer}",
		"X-Amzn-Mtls-Clientcert-Subject: {subject}",
		"X-Amzn-Mtls-Clientcert-Validity: NotBefore=2020-02-03T04:05:06Z;NotAfter=2049-12-31T23:59:59Z", "X-Amzn-Mtls-Clientcert-Leaf: {leaf-aws}",
		"X-Amzn-Mtls-Clientcert: {leaf-aws}{ca-aws}"}},
	"apache": {
		success: []string{"SSL_CLIENT_VERIFY: SUCCESS", "SSL_CLIENT_S_DN: {subject}", "SSL_CLIENT_I_DN: {issuer}", "SSL_CLIENT_M_SERIAL: {serial}",
			"SSL_CLIENT_V_START: Feb  3 04:05:06 2020 GMT", "SSL_CLIENT_V_END: Dec 31 23:59:59 2049 GMT", "SSL_CLIENT_CERT: {leaf-spaces}"},
		none:   []string{"SSL_CLIENT_VERIFY: NONE"},
		failed: []string{"SSL_CLIENT_VERIFY: FAILED:certificate has expired"},
	},
	"tomcat": {
		success: []string{"ssl_client_cert: {leaf-spaces}", "ssl_cipher: TLS_AES_128_GCM_SHA256", "ssl_cipher_usekeysize: 128"},
		none:    []string{"ssl_cipher: TLS_AES_128_GCM_SHA256", "ssl_cipher_usekeysize: 128"},
		failed:  []string{"ssl_cipher: TLS_AES_128_GCM_SHA256", "ssl_cipher_usekeysize: 128"},
	},
	"puppet": {
		success: []string{"X-Client-Verify: SUCCESS", "X-Client-DN: CN=client.example", "X-Client-Cert: {leaf-url}"},
		none:    []string{"X-Client-Verify: NONE"},
		failed:  []string{"X-Client-Verify: FAILED:certificate has expired"},
	},
	"foreman": {
		success: []string{"SSL-CLIENT-VERIFY: SUCCESS", "SSL-CLIENT-S-DN: {subject}", "SSL-CLIENT-CERT: {leaf-spaces}"},
		none:    []string{"SSL-CLIENT-VERIFY: NONE"},
		failed:  []string{"SSL-CLIENT-VERIFY: FAILED:certificate has expired"},
	},
	"aspnet": {success: []string{"X-Client-Cert: {leaf}"}},
	"azure":  {success: []string{"X-ARR-ClientCert: {leaf}"}},
	"gcp": {
		success: []string{"X-Client-Cert-Present: true", "X-Client-Cert-Chain-Verified: true",
			"X-Client-Cert-Hash: mrA0MMUfhqEW5bVqzR5Il1vlj5wMNSAARehtMkfe8x4=", "X-Client-Cert-SPIFFE: spiffe://example.org/ns/default/sa/client",
			"X-Client-Cert-DNSName-SANs: Y2xpZW50LmV4YW1wbGU=,YWx0LmV4YW1wbGU=",
			"X-Client-Cert-Valid-Not-Before: 2020-02-03T04:05:06+00:00", "X-Client-Cert-Valid-Not-After: 2049-12-31T23:59:59+00:00",
			"X-Client-Cert-Issuer-Dn: MIGGMQswCQYDVQQGEwJVUzETMBEGA1UECBMKV2FzaGluZ3RvbjEQMA4GA1UEBxMHU2VhdHRsZTEWMBQGA1UEChMNRXhhbXBsZSBUcnVzdDEQMA4GA1UECxMHQ2xpZW50czEaMBgGA1UEAxMRRXhhbXBsZSBDbGllbnQgQ0ExCjAIBgNVBAUTATc=",
			"X-Client-Cert-Subject-Dn: MIGEMQswCQYDVQQGEwJVUzETMBEGA1UECBMKV2FzaGluZ3RvbjEQMA4GA1UEBxMHU2VhdHRsZTEVMBMGA1UEChMMQWNtZSBXaWRnZXRzMR4wDAYDVQQLEwVGaWVsZDAOBgNVBAsTB0NsaWVudHMxFzAVBgNVBAMTDmNsaWVudC5leGFtcGxl",
			"X-Client-Cert-Leaf: :{leaf}:", "X-Client-Cert-Chain: :{ca}:"},
		none:   []string{"X-Client-Cert-Present: false", "X-Client-Cert-Chain-Verified: false", "X-Client-Cert-Error: client_cert_not_provided"},
		failed: []string{"X-Client-Cert-Present: true", "X-Client-Cert-Chain-Verified: false", "X-Client-Cert-Error: client_cert_validation_failed"},
	},
	"cloudflare":       {success: []string{"Cf-Client-Cert-Der-Base64: {leaf}", "Cf-Client-Cert-Sha256: {sha256}"}},
	"keycloak-haproxy": {success: []string{"Client-Cert: {leaf}", "Client-Cert-Chain: {ca}"}},
}

// fill puts the pieces of chain.pem's text into golden lines.
func fill(t *testing.T, golden []string, texts []string) []string {
	t.Helper()
	leaf, ca := texts[0], texts[1]
	_, info := recordedHeaders(t, "chain")
	safe := strings.NewReplacer("%2B", "+", "%2F", "/", "%3D", "=")
	pieces := strings.NewReplacer(
		"{subject}", "CN=client.example,OU=Clients+OU=Field,O=Acme Widgets,L=Seattle,ST=Washington,C=US",
		"{issuer}", "serialNumber=7,CN=Example Client CA,OU=Clients,O=Example Trust,L=Seattle,ST=Washington,C=US",
		"{serial}", "F1E2D3C4B5A69788796A5B4C3D2E1F00112233",
		"{sha256}", "9ab03430c51f86a116e5b56acd1e48975be58f9c0c35200045e86d3247def31e",
		"{leaf}", body(leaf),
		"{ca}", body(ca),
		"{leaf-url}", nginxEscaped(leaf),
		"{ca-url}", nginxEscaped(ca),
		"{leaf-aws}", safe.Replace(nginxEscaped(leaf)),
		"{ca-aws}", safe.Replace(nginxEscaped(ca)),
		"{leaf-spaces}", strings.TrimSuffix(strings.ReplaceAll(leaf, "\n", " "), " "),
		"{traefik-info}", info,
	)
	var filled []string
	for _, line := range golden {
		filled = append(filled, pieces.Replace(line))
	}
	return filled
}
