package trust

// CRLPolicy says of which certificates a current revocation list is demanded.
// In each of them a list that names a certificate of the path as revoked refuses the client.
type CRLPolicy uint8

// The zero CRLPolicy is the strictest.
const (
	// CRLStrict demands a list for every certificate of the path, root included:
	// nginx's ssl_crl (X509_V_FLAG_CRL_CHECK and X509_V_FLAG_CRL_CHECK_ALL).
	CRLStrict CRLPolicy = iota
	// CRLLeaf demands one for the client's own certificate.
	CRLLeaf
	// CRLAvailable demands none.
	CRLAvailable
)

// String is the policy's name in MTLS_CRL_POLICY.
func (p CRLPolicy) String() string {
	switch p {
	case CRLLeaf:
		return "leaf"
	case CRLAvailable:
		return "available"
	default:
		return "strict"
	}
}

// demands reports whether the certificate at this place of the path, zero for
// the leaf, must have a current list. What is no policy counts as the strictest.
func (p CRLPolicy) demands(place int) bool {
	switch p {
	case CRLLeaf:
		return place == 0
	case CRLAvailable:
		return false
	default:
		return true
	}
}
