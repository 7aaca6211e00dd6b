package trust

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// refusal says what is wrong with the head of an answer.
func refusal(answer *http.Response) *CRLError {
	status := fmt.Sprintf("answers with status %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	switch code := answer.StatusCode; {
	case code == http.StatusOK:
		coding := strings.Join(answer.Header.Values("Content-Encoding"), ", ")
		if coding == "" || strings.EqualFold(coding, "identity") {
			return nil
		}
		return &CRLError{Fault: fmt.Sprintf("answers with the Content-Encoding %q, which was not asked for", clip(coding)),
			Remedy: "have the server send the list as it is"}
	case code == http.StatusNotModified:
		return &CRLError{Fault: status + " to a request without a condition", Remedy: "look at the server, or at the cache before it"}
	case 300 <= code && code < 400 && answer.Header.Get("Location") != "":
		return &CRLError{Fault: fmt.Sprintf("answers with a redirect to %q", clip(target(answer))), Remedy: "name that address"}
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return &CRLError{Fault: status, Remedy: "check the user and password in the URL, and who may read the list"}
	case code >= 500:
		return &CRLError{Fault: status, Remedy: "look at the server's log"}
	default:
		return &CRLError{Fault: status, Remedy: "check the address"}
	}
}

// target is where a redirect leads, without the user and password that a relative
// one inherits.
func target(answer *http.Response) string {
	to, err := answer.Location()
	if err != nil {
		return "an address that cannot be read"
	}
	to.User = nil
	return to.String()
}

// unparsed tells of an answer that is no list. Any other Content-Type than a web
// page's is left alone: few servers know RFC 2585's.
func (s *crlSource) unparsed(err error, contentType string) error {
	var fault *CRLError
	switch {
	case strings.HasPrefix(strings.ToLower(contentType), "text/html"):
		return s.name(&CRLError{Fault: "answers with a web page and not with a CRL", Remedy: "name the address of the list itself"})
	case errors.As(err, &fault):
		return s.name(fault)
	default:
		return s.name(&CRLError{Fault: "cannot be read", Remedy: "name the address of a CRL", Err: err})
	}
}

// unfetched tells of a try that ended without a complete answer.
func (s *crlSource) unfetched(err error, timeout time.Duration) error {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		err = withURL.Err // the URL is told once, and without its user
	}
	fault := &CRLError{Fault: "cannot be fetched", Err: err,
		Remedy: "check the address, and that the server is up and may be reached from here"}
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &untrusted):
		fault.Remedy = "make the server's CA known to the system (SSL_CERT_FILE), or use http: a CRL is signed itself"
	case errors.Is(err, context.DeadlineExceeded):
		fault.Fault = "no complete answer within " + timeout.String()
		fault.Remedy = "look at the server, and at the network between"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		fault.Fault = "the connection was closed before the answer was complete"
		fault.Remedy = "look at the server's log"
	}
	if text := err.Error(); len(text) > maxQuoted { // a malformed answer is quoted in it
		fault.Err = errors.New(clip(text))
	}
	return s.name(fault)
}

func (s *crlSource) name(fault *CRLError) error {
	fault.Path = s.told
	return fault
}

func clip(text string) string {
	if len(text) > maxQuoted {
		return text[:maxQuoted] + "…"
	}
	return text
}

// withoutUser is a URL as it may be told: without user and password, also where
// it cannot be parsed.
func withoutUser(address string) string {
	if parsed, err := url.Parse(address); err == nil && parsed.Opaque == "" {
		parsed.User = nil
		return parsed.String()
	}
	scheme, _, found := strings.Cut(address, "://")
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		address = address[at+1:]
		if found {
			address = scheme + "://" + address
		}
	}
	return address
}
