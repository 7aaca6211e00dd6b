package headers

// preset is a dialect by its name in MTLS_HEADERS.
type preset struct {
	name string
	// source says who defines the names and forms, and in which version or document they were read.
	source string
	// entries are Name=value, in the order in which the headers are sent; they may name dialectVariables. One that holds
	// something of the certificate is sent with SUCCESS only, one that comes out empty never.
	entries []string
}

var presets = [...]preset{
	{
		name:    "nginx",
		source:  "proxy_set_header with ngx_http_ssl_module's variables (nginx 1.22 to 1.31); the names are this sidecar's",
		entries: []string{"VERIFIED=$ssl_client_verify", "DN=$ssl_client_s_dn"},
	},
	{
		name:    "rfc9440",
		source:  "RFC 9440 §2 with the byte sequences of RFC 8941 §3.3.5",
		entries: []string{"Client-Cert=$rfc9440_cert", "Client-Cert-Chain=$rfc9440_chain"},
	},
	{
		name: "xfcc",
		source: "Envoy's documentation of x-forwarded-client-cert and source/common/http/conn_manager_utility.cc, with " +
			"forward_client_cert_details SANITIZE_SET and all of set_current_client_cert_details",
		entries: []string{"X-Forwarded-Client-Cert=$xfcc_element"},
	},
	{
		name:   "ingress-nginx",
		source: "ingress-nginx 1.15, nginx.tmpl, with auth-tls-pass-certificate-to-upstream",
		entries: []string{
			"ssl-client-cert=$ssl_client_escaped_cert",
			"ssl-client-verify=$ssl_client_verify",
			"ssl-client-subject-dn=$ssl_client_s_dn",
			"ssl-client-issuer-dn=$ssl_client_i_dn",
		},
	},
	{
		name: "haproxy",
		source: "OpenShift router's haproxy-config.template with ROUTER_MUTUAL_TLS_AUTH, which has the names of HAProxy's own " +
			"examples; forms as HAProxy 2.6 writes them",
		entries: []string{
			"X-SSL=1",
			"X-SSL-Client-Verify=$haproxy_verify",
			"X-SSL-Client-Serial=$ssl_client_serial",
			"X-SSL-Client-Version=$haproxy_version",
			"X-SSL-Client-SHA1=$haproxy_sha1",
			"X-SSL-Client-DN=$haproxy_subject",
			"X-SSL-Client-CN=$haproxy_cn",
			"X-SSL-Issuer=$haproxy_issuer",
			"X-SSL-Client-NotBefore=$haproxy_not_before",
			"X-SSL-Client-NotAfter=$haproxy_not_after",
			"X-SSL-Client-DER=$ssl_client_cert_base64",
		},
	},
	{
		name:   "traefik",
		source: "Traefik 3.7.13, pkg/middlewares/passtlsclientcert, with pem and everything of info",
		entries: []string{
			"X-Forwarded-Tls-Client-Cert=$traefik_cert",
			"X-Forwarded-Tls-Client-Cert-Info=$traefik_info",
		},
	},
	{
		name: "aws-alb",
		source: "Elastic Load Balancing documentation, mutual authentication with TLS in Application Load Balancer: verify mode's " +
			"headers, and the one of passthrough mode, which some back ends read instead",
		entries: []string{
			"X-Amzn-Mtls-Clientcert-Serial-Number=$ssl_client_serial",
			"X-Amzn-Mtls-Clientcert-Issuer=$ssl_client_i_dn",
			"X-Amzn-Mtls-Clientcert-Subject=$ssl_client_s_dn",
			"X-Amzn-Mtls-Clientcert-Validity=$aws_alb_validity",
			"X-Amzn-Mtls-Clientcert-Leaf=$aws_alb_leaf",
			"X-Amzn-Mtls-Clientcert=$aws_alb_chain",
		},
	},
	{
		name: "apache",
		source: "RequestHeader set NAME \"%{NAME}s\" with Apache httpd 2.4's variables (mod_ssl, Environment Variables; " +
			"mod_headers turns line ends into spaces)",
		entries: []string{
			"SSL_CLIENT_VERIFY=$ssl_client_verify",
			"SSL_CLIENT_S_DN=$ssl_client_s_dn_utf8",
			"SSL_CLIENT_I_DN=$ssl_client_i_dn_utf8",
			"SSL_CLIENT_M_SERIAL=$ssl_client_serial",
			"SSL_CLIENT_V_START=$ssl_client_v_start",
			"SSL_CLIENT_V_END=$ssl_client_v_end",
			"SSL_CLIENT_CERT=$apache_cert",
		},
	},
	{
		name:   "tomcat",
		source: "Apache Tomcat 9 and 10.1, SSLValve (Spring Boot, CAS and others read the attributes that it sets)",
		entries: []string{
			"ssl_client_cert=$apache_cert",
			"ssl_cipher=$ssl_cipher",
			"ssl_cipher_usekeysize=$tomcat_key_size",
		},
	},
	{
		name:   "puppet",
		source: "Puppet Server with allow-header-cert-info: trapperkeeper-authorization, ring_middleware.clj",
		entries: []string{
			"X-Client-Verify=$ssl_client_verify",
			"X-Client-DN=$puppet_dn",
			"X-Client-Cert=$ssl_client_escaped_cert",
		},
	},
	{
		name:   "foreman",
		source: "Foreman's client_certificate.rb, and the Apache configuration of puppet-foreman (manifests/config/apache.pp)",
		entries: []string{
			"SSL-CLIENT-VERIFY=$ssl_client_verify",
			"SSL-CLIENT-S-DN=$foreman_dn",
			"SSL-CLIENT-CERT=$apache_cert",
		},
	},
	{
		name:    "aspnet",
		source:  "ASP.NET Core, CertificateForwardingOptions.cs: the default name and conversion",
		entries: []string{"X-Client-Cert=$ssl_client_cert_base64"},
	},
	{
		name:    "azure",
		source:  "Azure App Service documentation, set up TLS mutual authentication, access the client certificate",
		entries: []string{"X-ARR-ClientCert=$ssl_client_cert_base64"},
	},
	{
		name: "gcp",
		source: "Google Cloud Load Balancing documentation: custom headers (mutual TLS custom headers), with the names of the " +
			"examples in set up mutual TLS",
		entries: []string{
			"X-Client-Cert-Present=$gcp_present",
			"X-Client-Cert-Chain-Verified=$gcp_chain_verified",
			"X-Client-Cert-Error=$gcp_error",
			"X-Client-Cert-Hash=$gcp_hash",
			"X-Client-Cert-SPIFFE=$ssl_client_spiffe_id",
			"X-Client-Cert-URI-SANs=$gcp_uri_sans",
			"X-Client-Cert-DNSName-SANs=$gcp_dnsname_sans",
			"X-Client-Cert-Valid-Not-Before=$gcp_not_before",
			"X-Client-Cert-Valid-Not-After=$gcp_not_after",
			"X-Client-Cert-Issuer-Dn=$gcp_issuer_dn",
			"X-Client-Cert-Subject-Dn=$gcp_subject_dn",
			"X-Client-Cert-Leaf=$rfc9440_cert",
			"X-Client-Cert-Chain=$rfc9440_chain",
		},
	},
	{
		name: "cloudflare",
		source: "Cloudflare's documentation, forward certificate to server (client_certificate_forwarding); the fingerprint as in " +
			"the field cf.tls_client_auth.cert_fingerprint_sha256",
		entries: []string{
			"Cf-Client-Cert-Der-Base64=$ssl_client_cert_base64",
			"Cf-Client-Cert-Sha256=$ssl_client_fingerprint_sha256",
		},
	},
	{
		name: "keycloak-haproxy",
		source: "Keycloak 26.7, x509cert-lookup haproxy: HaProxySslClientCertificateLookup (sslCertChain), with the names of the " +
			"guide HAProxy with TLS re-encrypt",
		entries: []string{
			"Client-Cert=$ssl_client_cert_base64",
			"Client-Cert-Chain=$keycloak_haproxy_chain",
		},
	},
}
