package trust

// Advice is one or two sentences for whoever runs the client: what is wrong
// and what to do about it. It holds no text from the certificate, so that it can be shown
// to anybody.
func (r Reason) Advice() string {
	if r == 0 || r >= reasonCount {
		return "The certificate could not be verified. Ask the operator of this service for the reason in its log."
	}
	return adviceTable[r]
}

var adviceTable = [reasonCount]string{
	IssuerMissing:         "The certificate was issued by a CA that this service knows only in part: the root above it is not in the service's CA file. The operator of this service has to add it.",
	CRLMissing:            "This service has no revocation list for the CA that issued the certificate. The operator of this service has to provide one.",
	IssuerKeyUnusable:     "The CA that issued the certificate has a key of a kind or size that this service cannot use. Use a certificate from a CA with an RSA (up to 8192 bits), ECDSA or Ed25519 key.",
	BadSignature:          "The signature on the certificate does not match the CA that is named as its issuer. Check that the certificate was issued by the CA that this service trusts now, and that it was not altered.",
	CRLBadSignature:       "The revocation list that this service has for the certificate's CA is not validly signed. The operator of this service has to replace it.",
	NotYetValid:           "The certificate's validity has not begun. Wait until it has, or check the clock of the machine that issued it.",
	Expired:               "The validity of the certificate, or of a CA above it, has ended. Renew it and present the new one.",
	CRLNotYetValid:        "The revocation list that this service has for the certificate's CA is dated in the future. The operator of this service has to check it and the clock.",
	CRLExpired:            "The revocation list that this service has for the certificate's CA is out of date. The operator of this service has to renew it.",
	NotBeforeForm:         "The time from which the certificate, or a CA above it, is valid is not written as RFC 5280 asks. Have it issued anew by current software.",
	NotAfterForm:          "The time until which the certificate, or a CA above it, is valid is not written as RFC 5280 asks. Have it issued anew by current software.",
	SelfSigned:            "The certificate is self-signed and not one that this service trusts. Present a certificate issued by a CA that it trusts.",
	UntrustedRoot:         "The chain of certificates ends in a root CA that this service does not trust. Present a certificate issued by a CA that it trusts.",
	UnknownIssuer:         "The chain of certificates ends in a CA that this service does not know. Present a certificate issued by a CA that it trusts, together with all intermediate certificates.",
	UnknownCA:             "The certificate was issued by a CA that this service does not know, or an intermediate certificate is missing. Present a certificate issued by a CA that it trusts, together with all intermediate certificates.",
	ChainTooLong:          "There are more certificates between this one and its root, or more were presented, than this service accepts. Present only the certificate and the intermediate certificates that lead to the root.",
	Revoked:               "The certificate, or a CA above it, was revoked. Obtain a new one.",
	PathLength:            "A CA above the certificate was allowed fewer levels of CAs below it than there are. The certificate has to be issued by a CA that is permitted to.",
	WrongPurpose:          "The certificate, or a CA above it, is not meant for TLS clients. Present one whose extended key usage, if it has any, includes clientAuth and whose key usage, if it has any, includes digitalSignature.",
	Untrusted:             "The root CA of the certificate is not trusted for TLS clients.",
	Rejected:              "The certificate, or a CA above it, is of a form that this service refuses. Have it issued anew by current software.",
	NameMismatch:          "The certificate spells the name of its issuer differently from the CA itself. It has to be issued anew with the CA's name exactly as it is.",
	NoCertSign:            "The certificate was signed by one whose key usage does not allow it to issue certificates. Present one issued by a proper CA.",
	CriticalExtension:     "The certificate, or a CA above it, has an extension marked critical that this service does not understand. Present one without it.",
	NoCRLSign:             "The CA that issued the certificate signs revocation lists, but its own certificate does not allow it to. The CA's operator has to issue it anew with cRLSign in its key usage.",
	ProxyCertificate:      "The certificate is a proxy certificate (RFC 3820), which this service does not accept. Present the certificate it was derived from.",
	OutsidePermitted:      "The certificate has a name that its CA was not permitted to issue. Present one whose names are within the CA's name constraints.",
	InsideExcluded:        "The certificate has a name that its CA was forbidden to issue. Present one whose names are within the CA's name constraints.",
	ConstraintMinMax:      "A CA above the certificate has name constraints of a form that this service does not support.",
	UnsupportedConstraint: "A CA above the certificate has name constraints of a kind that this service does not support.",
	UnsupportedName:       "The certificate has a name that cannot be compared with its CA's name constraints. Present one with well-formed names.",
	WeakKey:               "The certificate's key is too short. Make a new key, RSA with at least 2048 bits or ECDSA, and obtain a certificate for it.",
	WeakCAKey:             "A CA above the certificate has a key that is too short. Present a certificate from a CA with a stronger key.",
	WeakDigest:            "The certificate, or a CA above it, is signed with an outdated digest such as SHA-1. Have it issued anew with SHA-256 or better.",
	UnsupportedAlgorithm:  "The certificate, or a CA above it, is signed with an algorithm that this service does not support. Use RSA, ECDSA or Ed25519 with SHA-256 or better.",
	InvalidCA:             "The certificate was signed by one that is not a CA: its basicConstraints do not say CA:TRUE. Present one issued by a proper CA.",
	OCSPFailed:            "This service could not ask the certificate's CA whether it was revoked. Try again later.",
	OCSPRevoked:           "The certificate's CA says that it was revoked. Obtain a new one.",
	OCSPUnknown:           "The certificate's CA does not know its state of revocation. Ask the CA, or obtain a new one.",
}
