package proxy

import (
	"strings"

	"mtls-sidecar/proxy/http1"
)

// Faults of HTTP/2 requests that net/http lets through, and that have no form in
// an HTTP/1.1 head.
var (
	errPseudoField = &http1.Error{Status: 400, Text: "a pseudo-header field has white space or a control byte"}
	errPath        = &http1.Error{Status: 400, Text: "the path begins with no slash"}
	errAuthority   = &http1.Error{Status: 400, Text: "host names another authority than the request"}
	errFieldValue  = &http1.Error{Status: 400, Text: "a header value has a control byte"}
	errBodyLength  = &http1.Error{Status: 400, Text: "content-length is not the length of the body"}
)

// appendHead writes down the stream's request as an HTTP/1.1 head (RFC 9113
// §8.3.1, §8.2). Nothing in it may end a line, or begin another field, but what
// is written here.
func (t *stream) appendHead(dst []byte) ([]byte, error) {
	r := t.request
	if hidesSpace(r.Method) || hidesSpace(r.RequestURI) || hidesSpace(r.Host) {
		return dst, errPseudoField
	}
	// CONNECT has no path; its method is refused by the parser.
	if r.Method != "CONNECT" && r.RequestURI[0] != '/' && r.RequestURI != "*" {
		return dst, errPath
	}
	dst = append(dst, r.Method...)
	dst = append(dst, ' ')
	dst = append(dst, r.RequestURI...)
	dst = append(dst, " HTTP/1.1\r\n"...)
	hosts := r.Header["Host"]
	if len(hosts) == 1 && hosts[0] != r.Host {
		return dst, errAuthority // RFC 9113 §8.3.1
	}
	if len(hosts) == 0 && r.Host != "" {
		dst = appendLine(dst, "Host", r.Host)
	}
	for _, name := range sortedNames(r.Header) {
		for _, value := range r.Header[name] {
			if strings.ContainsAny(value, "\r\n\x00") {
				return dst, errFieldValue
			}
			dst = appendLine(dst, name, value)
		}
	}
	for _, name := range sortedNames(r.Trailer) {
		dst = appendLine(dst, "Trailer", name)
	}
	if r.ContentLength < 0 {
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...) // the body's end is END_STREAM
	}
	return append(dst, "\r\n"...), nil
}

func appendLine(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// hidesSpace reports whether a text would end early where it is written before
// a space or a line's end.
func hidesSpace(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] == 0x7f {
			return true
		}
	}
	return false
}

// checkLength refuses a Content-Length that the frames contradict already
// (RFC 9113 §8.1.1). While the body comes, net/http compares.
func (t *stream) checkLength() error {
	if r := &t.work.request; r.Framing == http1.Length && r.Length != t.request.ContentLength {
		return errBodyLength
	}
	return nil
}
