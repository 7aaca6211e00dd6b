package headers

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// xfccHexed are the characters of a subject's values that come as hex pairs: the quote, which would end the quoted string that
// the subject stands in, the backslash, which could take the meaning from our own closing quote, the two that
// separate keys and values for whoever does not mind quotes, and the colon, for those who search for spiffe://.
const xfccHexed = `"\;=:`

// xfccElement appends the one element of X-Forwarded-Client-Cert that Envoy writes under SANITIZE_SET, its keys in Envoy's
// order: Hash, Cert, Chain, Subject, URI, DNS. Subject and URI are there even if empty, as Envoy's are. By would name
// our own certificate, and is left out.
//
// Envoy writes URI and DNS as the certificate holds them, and the subject with \" for a quote. Here nothing that the holder of
// a certificate chooses can look like a quote, a separator or a key of ours: in URI and DNS such characters are
// percent-encoded, in Subject they are hex pairs. A comma in a subject's value is "\," as in Envoy's, with no "=" after it.
func xfccElement(dst []byte, f *Facts) ([]byte, error) {
	leaf := f.leaf()
	names, err := sans(leaf)
	if err != nil {
		return dst, err
	}
	sum := sha256.Sum256(leaf.Raw)
	out := append(dst, "Hash="...)
	out = hex.AppendEncode(out, sum[:])
	out = append(out, `;Cert="`...)
	out = appendEscapedPEM(out, leaf.Raw)
	out = append(out, `";Chain="`...)
	for _, c := range f.Chain {
		out = appendEscapedPEM(out, c.Raw)
	}
	out = append(out, `";Subject="`...)
	if out, err = appendHexedDN(out, leaf.RawSubject, xfccHexed, appendEscaped); err != nil {
		return dst, err
	}
	out = append(out, '"')
	uris := len(out)
	if out = appendXFCCNames(out, names, sanURI, ";URI="); len(out) == uris {
		out = append(out, ";URI="...)
	}
	return appendXFCCNames(out, names, sanDNS, ";DNS="), nil
}

// appendXFCCNames appends the alternative names of one kind, each after its key. An empty name is left out: it names nobody.
func appendXFCCNames(dst []byte, names []san, kind byte, key string) []byte {
	for _, name := range names {
		if name.kind != kind || len(name.value) == 0 {
			continue
		}
		dst = append(dst, key...)
		for _, b := range name.value {
			if b <= ' ' || b > '~' || strings.IndexByte(`%"\,;=`, b) >= 0 {
				dst = appendPercent(dst, b)
			} else {
				dst = append(dst, b)
			}
		}
	}
	return dst
}
