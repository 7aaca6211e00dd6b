package headers

// dialect is a set of field names in which some terminator tells its back ends about a client. Whoever reads one of them
// believes it, so a client may send none.
type dialect struct {
	source   string
	names    []string // as the source spells them
	prefixes []string // for families with numbered or open endings; compared folded, as names are
}

// dialects lists them by source. A prefix comes with its reach: what else it takes, which must be nothing that an ordinary
// client sends to an ordinary application.
var dialects = [...]dialect{
	{
		source: "this sidecar, and nginx configurations of its kind (proxy_set_header VERIFIED $ssl_client_verify)",
		names:  []string{NameVerified, NameDN},
	},
	{
		// ingress-nginx and Traefik's clone of it: ssl-client-verify, -subject-dn, -issuer-dn, -cert.
		// Apache mod_ssl by convention: SSL_CLIENT_VERIFY, _S_DN, _S_DN_x509, _I_DN, _CERT, _CERT_CHAIN_n,
		// _CERT_RFC4523_CEA, _SAN_DNS_n, _SAN_Email_n, _M_SERIAL, _V_START and more; Foreman reads SSL-CLIENT-S-DN;
		// Tomcat's SSLValve and Undertow read ssl_client_cert and ssl_client_escaped_cert.
		// Reach: names of TLS clients only.
		source:   "ingress-nginx, Apache mod_ssl, Tomcat, Undertow, Foreman, Keycloak's nginx provider",
		prefixes: []string{"ssl-client-"},
	},
	{
		// Reach: facts about the TLS connection, which the application must not learn from a client either.
		source: "Tomcat SSLValve and Undertow SSLHeaderHandler, beside the certificate",
		names:  []string{"ssl_cipher", "ssl_cipher_usekeysize", "ssl_session_id"},
	},
	{
		// Keycloak's haproxy and apache providers: one name, or that name with _0, _1, …
		// Reach: no other use of a name that begins so is known.
		source:   "Keycloak x509cert-lookup chains",
		prefixes: []string{"ssl-cert-chain", "cert-chain"},
	},
	{
		// HAProxy's conventional set (X-SSL, X-SSL-Client-Verify, -DN, -CN, -Serial, -SHA1, -DER, -NotBefore, …, X-SSL-Issuer),
		// OpenShift's X-SSL-Client-Subject, X-SSL-Client-Cert for Vault, X-SSL-Client-Certificate for GitLab and Conjur,
		// X-SSL-Cert and X-SSL-Cipher of hand-written configurations.
		// Reach: every name beginning X-SSL-. They all are a terminator's words about its connection.
		source:   "HAProxy, OpenShift, GitLab, Conjur, Vault, Node client-certificate-auth",
		names:    []string{"X-SSL"},
		prefixes: []string{"x-ssl-"},
	},
	{
		// Envoy, Istio, Contour, Azure Container Apps, and with another value Cloud Foundry's gorouter.
		// Reach: nothing else.
		source:   "Envoy XFCC",
		prefixes: []string{"x-forwarded-client-cert"},
	},
	{
		source: "Linkerd",
		names:  []string{"l5d-client-id"},
	},
	{
		// X-Forwarded-Tls-Client-Cert and -Info. Reach: nothing else.
		source:   "Traefik passTLSClientCert",
		prefixes: []string{"x-forwarded-tls-client-cert"},
	},
	{
		// Client-Cert and Client-Cert-Chain (RFC 9440 §2), also emitted by CloudFront and Google Cloud.
		// Reach: Client-Certificate and the like, in use for nothing else.
		source:   "RFC 9440",
		prefixes: []string{"client-cert"},
	},
	{
		// X-Amzn-Mtls-Clientcert and -Serial-Number, -Issuer, -Subject, -Validity, -Leaf; X-Amzn-Tls-Version,
		// -Cipher-Suite. Reach: the load balancer's own two families; X-Amzn-Trace-Id and others stay.
		source:   "AWS Application Load Balancer",
		prefixes: []string{"x-amzn-mtls-", "x-amzn-tls-"},
	},
	{
		// CloudFront-Viewer-Cert-Serial-Number, -Issuer, -Subject, -Present, -Sha256, -Validity, -Pem.
		// Reach: nothing else; CloudFront-Viewer-Country and its kin stay.
		source:   "AWS CloudFront viewer mTLS",
		prefixes: []string{"cloudfront-viewer-cert"},
	},
	{
		// Google Cloud's usual X-Client-Cert-Present, -Chain-Verified, -Error, -Hash, -SPIFFE, …; Kong's X-Client-Cert,
		// -Serial, -Issuer-DN, -Subject-DN, -Fingerprint; ASP.NET Core and Puppet Server's X-Client-Cert.
		// Reach: X-Client-Certificate and the like, in use for nothing else.
		source:   "Google Cloud load balancing, Kong tls-metadata-headers, ASP.NET Core, Puppet Server",
		prefixes: []string{"x-client-cert"},
	},
	{
		source: "Puppet Server, beside X-Client-Cert",
		names:  []string{"X-Client-Verify", "X-Client-DN"},
	},
	{
		// Cf-Client-Cert-Der-Base64, -Sha256 (certificate forwarding) and Cf-Cert-Verified, -Presented, -Subject-Dn, …
		// (managed transform for TLS client authentication). Reach: nothing else; Cf-Connecting-Ip and its kin stay.
		source:   "Cloudflare",
		prefixes: []string{"cf-client-cert", "cf-cert-"},
	},
	{
		source: "Azure App Service",
		names:  []string{"X-ARR-ClientCert"},
	},
	{
		// X_RHSM_SSL_CLIENT_CERT, which Katello reads before Foreman's own. Reach: nothing else.
		source:   "Apache of a Katello capsule, for Katello and smart_proxy_container_gateway",
		prefixes: []string{"x-rhsm-ssl-client-"},
	},
	{
		// X-WSO2-Client-Certificate. Reach: nothing else.
		source:   "WSO2 API Manager's gateways",
		prefixes: []string{"x-wso2-client-cert"},
	},
	{
		// SSLClientCertSubject, -Status, -Serial, … Reach: names of TLS clients only.
		source:   "traffic managers (iRules, TrafficScript)",
		names:    []string{"TLS-Client-Cert", "X-TLS-Client-Cert"},
		prefixes: []string{"sslclientcert", "x-tls-client-"},
	},
	{
		source: "IIS module of ASP.NET Core; Jetty's ForwardedRequestCustomizer, which reads session and cipher there",
		names:  []string{"MS-ASPNETCORE-CLIENTCERT", "MS-ASPNETCORE-WINAUTHTOKEN", "Proxy-auth-cert", "Proxy-ssl-id", "WL-Proxy-SSL"},
	},
	{
		source: "WebLogic plug-in, WebSphere plug-in (certificate, user, kind of authentication), Akamai",
		names:  []string{"WL-Proxy-Client-Cert", "Proxy-Client-Cert", "$WSCC", "$WSRU", "$WSAT", "Client-To-Edge"},
	},
	{
		// Puppet's Apache sends REMOTE_USER and REMOTE_USER_EMAIL, _FIRSTNAME, _LASTNAME, _GROUPS to Foreman.
		// Reach: nothing else. Not X-Remote-User: authenticating proxies, which may be the clients here, own it.
		source:   "CGI's REMOTE_USER as a field, as Foreman reads it",
		prefixes: []string{"remote-user"},
	},
	{
		// SM_USER, SM_USERDN, SM_USERGROUPS. Reach: nothing else.
		source:   "SiteMinder, Spring's RequestHeaderAuthenticationFilter by default",
		prefixes: []string{"sm-user"},
	},
}
