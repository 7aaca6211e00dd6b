package proxy

// remedyOf says what an operator can do about refusals for a reason. It holds no
// text from outside, so that it can be shown anywhere. (What the client can do is
// trust.Reason.Advice and the page's text.)
func remedyOf(reason string) string {
	if remedy := remedies[reason]; remedy != "" {
		return remedy
	}
	for i := range handshakeFaults {
		if f := &handshakeFaults[i]; f.reason == reason {
			return f.advice
		}
	}
	return "look at the line of this request in the log"
}

// Remedies that several reasons have.
const (
	clockRemedy    = "compare this machine's clock (date -u) with the dates told; if it is right, "
	inspectRemedy  = "have the client send its certificate and run mtls-sidecar inspect FILE, which shows what was looked at and why it failed"
	caFileRemedy   = "compare the issuer told with MTLS_CLIENT_CA_FILE (mtls-sidecar check lists what is in it); "
	reissueRemedy  = "nothing can be set here against it; the certificate's CA has to issue it anew: "
	softCARemedy   = "a fault of the CA's own certificate, told as culprit in the log; the CA's operator has to replace it, and MTLS_CLIENT_CA_FILE has to have the new one: "
	listRemedy     = "mtls-sidecar check lists the revocation lists that MTLS_CRL gives; "
	nothingWithout = "if clients without a certificate are to be let in, set MTLS_VERIFY_CLIENT=optional, or a rule of MTLS_ROUTES for the path"
)

// remedies are for reasons that have none in handshakeFaults.
var remedies = map[string]string{
	// A certificate that is not believed, in the order of trust.Reason.
	"issuer_missing":         caFileRemedy + "it has an intermediate CA without the root above it: add the root",
	"crl_missing":            listRemedy + "add one of the CA told as issuer, or set MTLS_CRL_POLICY=available to do without",
	"issuer_key_unusable":    softCARemedy + "RSA (2048 to 8192 bits), ECDSA (P-256, P-384, P-521) or Ed25519 keys can be used",
	"bad_signature":          caFileRemedy + "the CA there has the issuer's name and another key: it was renewed with a new key, or the certificate is a forgery",
	"crl_bad_signature":      listRemedy + "that of the CA told as issuer is not signed with the CA's key: fetch it anew, and check that CA and list belong together",
	"not_yet_valid":          clockRemedy + "the CA's clock is ahead: wait, or have the certificate issued anew",
	"expired":                clockRemedy + "have the client renew its certificate, and find out why that was not automatic. If a CA has expired it is told as culprit in the log",
	"crl_not_yet_valid":      clockRemedy + "the list's thisUpdate is in the future: have the CA publish it anew",
	"crl_expired":            listRemedy + "have the CA publish a newer one and look why it did not get here (the log has a line about it); MTLS_CRL_GRACE bridges a delay",
	"not_before_malformed":   reissueRemedy + "its notBefore is not in the form of RFC 5280 §4.1.2.5",
	"not_after_malformed":    reissueRemedy + "its notAfter is not in the form of RFC 5280 §4.1.2.5",
	"self_signed":            "the client has made the certificate itself: have one issued by a CA of MTLS_CLIENT_CA_FILE; to believe this very certificate, add it there",
	"untrusted_root":         caFileRemedy + "add the root if its clients are to be let in, else the client has to use another certificate",
	"unknown_issuer":         caFileRemedy + "add the CA if its clients are to be let in, or have the client send all intermediate certificates",
	"unknown_ca":             caFileRemedy + "add the CA if its clients are to be let in; if the issuer is an intermediate CA, have the client send that certificate too, or add it there",
	"chain_too_long":         "raise MTLS_VERIFY_DEPTH if so many intermediate certificates are meant; else have the client send its own and the intermediates alone",
	"revoked":                "the CA has revoked this certificate, or one above it: ask the CA why. If the client is not the one that it was issued to, somebody has stolen the key",
	"path_length_exceeded":   softCARemedy + "its pathLenConstraint allows fewer levels of CAs below it than there are",
	"wrong_purpose":          "the certificate is not one for TLS clients: have it issued with clientAuth in its extended key usage and digitalSignature in its key usage",
	"untrusted":              caFileRemedy + "a certificate there says of itself that it is not for TLS clients; take the plain one (BEGIN CERTIFICATE)",
	"rejected":               inspectRemedy,
	"name_mismatch":          reissueRemedy + "it spells the issuer's name otherwise than the CA's own certificate",
	"no_cert_sign":           softCARemedy + "its key usage lacks keyCertSign",
	"critical_extension":     reissueRemedy + "without the critical extension that is not known here",
	"no_crl_sign":            softCARemedy + "its key usage lacks cRLSign, which the signer of a revocation list needs",
	"proxy_certificate":      "have the client use the certificate that this proxy certificate (RFC 3820) was derived from",
	"name_not_permitted":     reissueRemedy + "with names that the CA's name constraints permit",
	"name_excluded":          reissueRemedy + "without the names that the CA's name constraints exclude",
	"constraint_minmax":      softCARemedy + "its name constraints have a minimum or maximum, which RFC 5280 §4.2.1.10 forbids",
	"unsupported_constraint": softCARemedy + "its name constraints are of a kind that is not known here",
	"unsupported_name":       reissueRemedy + "with well-formed names, as its CA's name constraints are about that kind",
	"weak_key":               "have the client make a new key (RSA with 2048 bits or more, or ECDSA P-256) and a certificate for it; MTLS_MIN_RSA_BITS is the limit",
	"weak_ca_key":            softCARemedy + "its key is too short; MTLS_MIN_RSA_BITS is the limit",
	"weak_digest":            reissueRemedy + "signed with SHA-256 or better (the certificate at fault is told as culprit in the log)",
	"unsupported_algorithm":  reissueRemedy + "signed with RSA, ECDSA or Ed25519 and SHA-256 or better",
	"invalid_ca":             "the certificate was issued by one that is no CA (basicConstraints), which is how a client would make up certificates: ask who has issued it",
	"ocsp_failed":            "the CA's OCSP responder gave no usable answer: the log has the reason. Look whether it can be reached from here, set MTLS_OCSP_RESPONDER, or let clients in without (MTLS_OCSP_FAIL=allow)",
	"ocsp_revoked":           "the CA's OCSP responder says that this certificate, or one above it, is revoked: ask the CA why. If the client is not the one that it was issued to, somebody has stolen the key",
	"ocsp_unknown":           "the CA's OCSP responder does not know this certificate: look whether MTLS_OCSP_RESPONDER is the CA's own, and ask the CA",
	"unspecified":            inspectRemedy,

	// No certificate, or one that the application cannot be told of.
	"no_certificate":       "have the client send a certificate (curl --cert, a browser asks for one); some send none when no CA that is offered to them fits: see MTLS_CA_HINTS. " + nothingWithout,
	"certificate_required": "have the client send a certificate; some send none when no CA that is offered to them fits: see MTLS_CA_HINTS. If the path is to be open, change its rule in MTLS_ROUTES",
	"unrenderable_subject": "a name in the certificate does not fit into a header: have it issued with a simpler one, or leave the variable out of MTLS_HEADERS",
	"identity_too_large":   "raise MTLS_MAX_IDENTITY_BYTES if the application takes so long headers, or ask for less in MTLS_HEADERS (certificates and chains are what is long)",

	// Requests.
	"bad_request":    "the message breaks a rule of HTTP, or is larger than MTLS_MAX_HEADER_BYTES allows: the text says which. From a client of yours it is a fault there; from others it may be an attack or a scanner, and nothing reached the application",
	"body_too_large": "raise MTLS_MAX_BODY_BYTES if such bodies are meant",
	"http2_flood":    "the client sends HTTP/2 frames that carry nothing, which is an attack or a broken client; its connections are closed, look who it is",
	"http2_resets":   "the client cancels most of its HTTP/2 requests at once, which is an attack (rapid reset) or a broken client; its connections are closed, look who it is",

	// The application.
	reasonOf(upstreamDown):   "nothing accepts connections at MTLS_UPSTREAM_URL: look whether the application runs, and listens at that very address and port",
	reasonOf(upstreamBroken): "the application closed its connection, or what it answered is no HTTP: look in its log, and whether MTLS_UPSTREAM_URL has the right scheme (http or h2c) and port",
	reasonOf(upstreamSlow):   "the application did not answer in time: look what it waits for; MTLS_UPSTREAM_TIMEOUT is the limit, MTLS_UPSTREAM_CONNECT_TIMEOUT that for connecting",

	// Before there is TLS, or while it is agreed on.
	"plain_http":              "somebody speaks HTTP without TLS to this port: have the client use https://; a probe belongs to MTLS_ADMIN_ADDR",
	"proxy_header_bad":        "look at what the balancer sends, and at what stands between it and the sidecar",
	"proxy_header_missing":    "MTLS_PROXY_PROTOCOL_FROM names this peer: have it send a PROXY header on every connection (HAProxy: send-proxy-v2, nginx: proxy_protocol on), or take its address out of the variable",
	"proxy_header_unexpected": "it is believed from peers in MTLS_PROXY_PROTOCOL_FROM alone; if this is your balancer, name its address there",
	"proxy_header_timeout":    "MTLS_PROXY_PROTOCOL_FROM names this peer, and it sent no whole PROXY header within MTLS_HANDSHAKE_TIMEOUT: look whether it sends one at all, and whether it waits for the other side to begin",
	"handshake_timeout":       "the client began TLS and did not go on within MTLS_HANDSHAKE_TIMEOUT: look for loss of large packets on the way (MTU), an overloaded client, or one that asks somebody for a PIN",
	"alert":                   "the client ended the handshake, and the text says what with: unknown certificate authority or bad certificate mean that it does not trust the one in MTLS_CERT_FILE, or that this is for another name",
	otherFault.reason:         otherFault.advice,
	clientLeft.reason:         clientLeft.advice,
}

func reasonOf(page *refusal) string { return page.reason }
