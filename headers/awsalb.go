package headers

// awsALBValidity appends X-Amzn-Mtls-Clientcert-Validity: both ends of the validity in ISO 8601, UTC.
func awsALBValidity(dst []byte, f *Facts) ([]byte, error) {
	const form = "2006-01-02T15:04:05Z"
	dst = append(dst, "NotBefore="...)
	dst = f.leaf().NotBefore.UTC().AppendFormat(dst, form)
	dst = append(dst, ";NotAfter="...)
	return f.leaf().NotAfter.UTC().AppendFormat(dst, form), nil
}

// awsALBLeaf appends X-Amzn-Mtls-Clientcert-Leaf.
func awsALBLeaf(dst []byte, f *Facts) ([]byte, error) {
	return appendALBPEM(dst, f.leaf().Raw), nil
}

// awsALBChain appends X-Amzn-Mtls-Clientcert, the client's certificate first. A load balancer sends it in passthrough mode,
// without having verified anything; here it is the verified path.
func awsALBChain(dst []byte, f *Facts) ([]byte, error) {
	for _, c := range f.Chain {
		dst = appendALBPEM(dst, c.Raw)
	}
	return dst, nil
}

// appendALBPEM appends PEM, percent-encoded but for "+", "=" and "/" (the "safe characters" of the documentation). A decoder
// of forms, which makes a space of "+", does not read it right.
func appendALBPEM(dst, der []byte) []byte {
	for _, b := range appendPEM(nil, der) {
		if isUnreserved(b) || b == '+' || b == '=' || b == '/' {
			dst = append(dst, b)
		} else {
			dst = appendPercent(dst, b)
		}
	}
	return dst
}
