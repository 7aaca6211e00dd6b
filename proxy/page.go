package proxy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strconv"

	"mtls-sidecar/proxy/http1"
	"mtls-sidecar/proxy/trust"
)

// refusal is an answer of our own. It says nothing taken from a certificate or
// a request, so that it cannot be made to say anything.
type refusal struct {
	status int
	reason string // one word for logs and programs
	title  string // nginx's heading where nginx has one
	detail string // for the person who runs the client
}

// Refusals that are always the same.
var (
	noCertificate = &refusal{400, "no_certificate", "No required SSL certificate was sent",
		"This server asks every client for a certificate, and yours sent none. Configure a client certificate and its key in your client."}
	certificateRequired = &refusal{403, "certificate_required", "Forbidden",
		"What you ask for is for clients with a certificate, and yours sent none. Configure a client certificate and its key in your client."}
	plainHTTP = &refusal{400, "plain_http", "The plain HTTP request was sent to HTTPS port",
		"This port speaks TLS. Use https:// in the address."}
	unrenderable = &refusal{400, "unrenderable_subject", "The SSL certificate error",
		"The name in your certificate cannot be told to the application. Ask for a certificate with a simpler subject."}
	identityTooLarge = &refusal{431, "identity_too_large", "The SSL certificate is too large",
		"What your certificate says takes more room than this server gives it. Ask for a certificate with fewer or shorter names."}
	bodyTooLarge = &refusal{413, "body_too_large", "Request Entity Too Large",
		"The body of the request is larger than this server accepts."}
	upstreamDown = &refusal{502, "upstream_down", "Bad Gateway",
		"The application behind this server cannot be reached."}
	upstreamBroken = &refusal{502, "upstream_broken", "Bad Gateway",
		"The application behind this server gave no valid answer."}
	upstreamSlow = &refusal{504, "upstream_timeout", "Gateway Time-out",
		"The application behind this server did not answer in time."}
)

// badCertificate is nginx's 495, with the reason in words, and in OpenSSL's,
// which people search for.
func badCertificate(reason trust.Reason) *refusal {
	return &refusal{400, reason.String(), "The SSL certificate error", reason.Advice() + " (" + reason.Text() + ")"}
}

// forbidden is badCertificate on a path that MTLS_ROUTES protects.
func forbidden(reason trust.Reason) *refusal {
	return &refusal{403, reason.String(), "Forbidden",
		"What you ask for is for clients with a valid certificate. " + reason.Advice() + " (" + reason.Text() + ")"}
}

// reasonBadRequest is the reason of every refusal of a message.
const reasonBadRequest = "bad_request"

// badRequest tells which rule of HTTP a message broke.
func badRequest(err *http1.Error) *refusal {
	return &refusal{err.Status, reasonBadRequest, http.StatusText(err.Status), sentence(err.Text)}
}

func sentence(text string) string {
	if text == "" {
		return ""
	}
	return string(bytes.ToUpper([]byte(text[:1]))) + text[1:] + "."
}

// form is how a refusal is told.
type form uint8

const (
	anyForm form = iota // not decided yet
	asHTML
	asJSON
	asGRPC
)

// form is what suits the client: gRPC's to gRPC clients, who speak HTTP/2 and read no other, else
// what Accept prefers.
func (x *exchange) form() form {
	w := x.work
	switch {
	case w.form != anyForm:
		return w.form
	case x.stream != nil && isGRPC(w.request.Fields):
		return asGRPC
	case prefersJSON(w.request.Fields):
		return asJSON
	default:
		return asHTML
	}
}

// page is a refusal in a form.
type page struct {
	status int
	fields [][2]string // all but Content-Length and what concerns the connection
	body   []byte
}

// in renders a refusal.
func (r *refusal) in(f form) page {
	if f == asGRPC {
		return r.grpc()
	}
	p := page{status: r.status, body: r.html()}
	kind := "text/html; charset=utf-8"
	if f == asJSON {
		p.body, kind = r.problem(), "application/problem+json"
	}
	p.fields = append(p.fields, [2]string{"Content-Type", kind}, [2]string{"Cache-Control", "no-store"})
	if r.status == http.StatusMethodNotAllowed {
		// RFC 9110 §15.5.6 wants to know what is allowed: here, what the
		// application makes of it.
		p.fields = append(p.fields, [2]string{"Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"})
	}
	return p
}

// appendTo writes the whole answer, head and body.
func (p page) appendTo(dst []byte, head bool) []byte {
	dst = fmt.Appendf(dst, "HTTP/1.1 %d %s\r\n", p.status, http.StatusText(p.status))
	for _, field := range p.fields {
		dst = appendLine(dst, field[0], field[1])
	}
	dst = fmt.Appendf(dst, "Content-Length: %d\r\nConnection: close\r\n\r\n", len(p.body))
	if head {
		return dst
	}
	return append(dst, p.body...)
}

func (r *refusal) html() []byte {
	heading := strconv.Itoa(r.status) + " " + html.EscapeString(r.title)
	return fmt.Appendf(nil, "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>%s</title></head>\n<body>\n<h1>%s</h1>\n<p>%s</p>\n<p><small>Reason: <code>%s</code></small></p>\n</body>\n</html>\n",
		heading, heading, html.EscapeString(r.detail), html.EscapeString(r.reason))
}

// problem is RFC 9457's form.
func (r *refusal) problem() []byte {
	body, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		Reason string `json:"reason"`
	}{"about:blank", r.title, r.status, r.detail, r.reason})
	if err != nil {
		return nil // strings and a number: cannot fail
	}
	return append(body, '\n')
}

// prefersJSON reports whether the request's Accept fields put JSON before HTML
// (RFC 9110 §12.5.1): a higher quality, or the same by a closer match.
func prefersJSON(fields []http1.Field) bool {
	var jsonQ, htmlQ, jsonMatch, htmlMatch int
	for _, f := range fields {
		if !bytes.EqualFold(f.Name, []byte("Accept")) {
			continue
		}
		for mediaRange := range bytes.SplitSeq(f.Value, []byte(",")) {
			kind, q := parseMediaRange(mediaRange)
			switch kind {
			case "application/json", "application/problem+json":
				better(&jsonMatch, &jsonQ, 3, q)
			case "application/*":
				better(&jsonMatch, &jsonQ, 2, q)
			case "text/html", "application/xhtml+xml":
				better(&htmlMatch, &htmlQ, 3, q)
			case "text/*":
				better(&htmlMatch, &htmlQ, 2, q)
			case "*/*":
				better(&jsonMatch, &jsonQ, 1, q)
				better(&htmlMatch, &htmlQ, 1, q)
			}
		}
	}
	return jsonQ > htmlQ || (jsonQ == htmlQ && jsonQ > 0 && jsonMatch > htmlMatch)
}

// better keeps the quality of the closest match, and the best of equals.
func better(match, quality *int, m, q int) {
	if m > *match || (m == *match && q > *quality) {
		*match, *quality = m, q
	}
}

// parseMediaRange gives the range in lower case and its quality in thousandths.
func parseMediaRange(text []byte) (string, int) {
	kind, parameters, _ := bytes.Cut(text, []byte(";"))
	q := 1000
	for parameter := range bytes.SplitSeq(parameters, []byte(";")) {
		name, value, found := bytes.Cut(bytes.TrimSpace(parameter), []byte("="))
		if !found || !bytes.EqualFold(name, []byte("q")) {
			continue
		}
		f, err := strconv.ParseFloat(string(value), 64)
		if err != nil || !(f >= 0 && f <= 1) {
			return "", 0
		}
		q = int(f * 1000)
	}
	return string(bytes.ToLower(bytes.TrimSpace(kind))), q
}
