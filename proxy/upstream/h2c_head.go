package upstream

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"mtls-sidecar/proxy/http1"
)

// headRoom is what most heads fit in, in bytes.
const headRoom = 1 << 10

// Answers that break the rules. The texts are for the log.
var (
	errStatus             = &http1.Error{Status: 502, Text: "the status is not a number from 200 to 599 in three digits"}
	errLengthRepeated     = &http1.Error{Status: 502, Text: "content-length is repeated"}
	errLength             = &http1.Error{Status: 502, Text: "content-length is not one decimal number"}
	errConnectionField    = &http1.Error{Status: 502, Text: "a field that speaks of the connection has no place in HTTP/2"} // RFC 9113 §8.2.2
	errBodyOfBare         = &http1.Error{Status: 502, Text: "an answer that has no body brings one"}
	errAnswerHeadTooLarge = &http1.Error{Status: 502, Text: http1.ErrHeadTooLarge.Text}
	errTrailersTooLarge   = &http1.Error{Status: 502, Text: "the trailer section is too large"}
)

// appendAnswer writes the status line and the fields of a final answer.
func appendAnswer(dst []byte, res *http.Response) ([]byte, error) {
	// net/http takes any number.
	if digits, _, _ := strings.Cut(res.Status, " "); len(digits) != 3 || res.StatusCode < 200 || res.StatusCode > 599 {
		return nil, errStatus
	}
	switch lengths := res.Header["Content-Length"]; {
	case len(lengths) > 1:
		return nil, errLengthRepeated
	case len(lengths) == 1 && res.ContentLength < 0:
		return nil, errLength
	}
	dst, err := appendFields(appendStatus(dst, res.StatusCode), res.Header)
	if err != nil || len(res.Trailer) == 0 {
		return dst, err
	}
	// net/http has taken this field apart.
	dst = append(dst, "Trailer: "...)
	for i, name := range sortedNames(make([]string, 0, 8), res.Trailer) {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, name...)
	}
	return append(dst, "\r\n"...), nil
}

func appendStatus(dst []byte, status int) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, http.StatusText(status)...)
	return append(dst, "\r\n"...)
}

// appendFields writes the fields in the order of their names. net/http's framer
// has made sure that names are tokens and values have no control bytes.
func appendFields(dst []byte, header http.Header) ([]byte, error) {
	for _, name := range sortedNames(make([]string, 0, 32), header) {
		switch name {
		case "Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade":
			return nil, errConnectionField
		}
		for _, value := range header[name] {
			dst = append(dst, name...)
			dst = append(dst, ": "...)
			dst = append(dst, value...)
			dst = append(dst, "\r\n"...)
		}
	}
	return dst, nil
}

func sortedNames(dst []string, header http.Header) []string {
	for name := range header {
		dst = append(dst, name)
	}
	slices.Sort(dst)
	return dst
}

// trailerFields leaves out what was announced and never came.
func trailerFields(trailer http.Header) []http1.Field {
	if len(trailer) == 0 {
		return nil
	}
	var fields []http1.Field
	for _, name := range sortedNames(make([]string, 0, 8), trailer) {
		for _, value := range trailer[name] {
			key := []byte(name)
			fields = append(fields, http1.Field{Name: key, Value: []byte(value), Kind: http1.KindOf(key)})
		}
	}
	return fields
}

// trailerSize is what the section would take in HTTP/1.1.
func trailerSize(trailer http.Header) int {
	size := 0
	for name, values := range trailer {
		for _, value := range values {
			size += len(name) + len(": \r\n") + len(value)
		}
	}
	return size
}
