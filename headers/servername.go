package headers

import "strings"

// Limits of a host name (RFC 1035 §2.3.4), without the dot of the root.
const (
	maxHostName  = 253
	maxHostLabel = 63
)

// appendServerName appends the name that a client asked for, or nothing unless it is a host name: crypto/tls passes on
// whatever bytes stand there, CR and LF among them. Letters' case stays, as in nginx.
func appendServerName(dst []byte, name string) []byte {
	if !isHostName(name) {
		return dst
	}
	return append(dst, name...)
}

// isHostName takes letters, digits and hyphens (RFC 1123 §2.1), and underscores, which container platforms put into names.
func isHostName(name string) bool {
	if len(name) > maxHostName {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxHostLabel {
			return false
		}
		for i := range len(label) {
			if b := label[i]; !isLetterOrDigit(b) && b != '-' && b != '_' {
				return false
			}
		}
	}
	return true
}
