package upstream

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"

	"mtls-sidecar/proxy/http1"
)

// h2cUnsent are the fields that HTTP/2 has no place for: the first are said by
// pseudo-fields or frames, the others speak of a connection (RFC 9113 §8.2.2).
var h2cUnsent = [...]bool{
	http1.Host:             true,
	http1.ContentLength:    true, // net/http writes it, from the number
	http1.TransferEncoding: true,
	http1.Connection:       true,
	http1.KeepAlive:        true,
	http1.ProxyConnection:  true,
	http1.Upgrade:          true,
	http1.HTTP2Settings:    true,
}

var errTargetForm = &http1.Error{Status: 400, Text: "the target is neither a path nor *, and HTTP/2 carries no other"}

// newRequest says in net/http's words what the head says.
func (h *H2C) newRequest(a *Answer, r *Request) (*http.Request, error) {
	head := h.heads.Get().(*http1.Request)
	defer h.heads.Put(head)
	if err := head.Parse(r.Head, http1.Limits{}); err != nil {
		return nil, err
	}
	if head.Target[0] != '/' && len(head.Target) > 1 {
		return nil, errTargetForm
	}
	text := texts{}
	text.Grow(len(r.Head))
	a.method = text.take(head.Method)
	a.target = url.URL{Scheme: "http", Host: standIn}
	host := text.take(head.Host)
	a.target.Opaque = text.take(head.Target)
	if strings.HasPrefix(a.target.Opaque, "//") {
		// Else net/http would take the first segment for an authority. It cuts off
		// a scheme and Host that come before a path.
		a.target.Opaque = "//" + host + a.target.Opaque
	}
	request := http.Request{Method: a.method, Host: host, URL: &a.target}
	request.Header = h2cHeader(head, &text)
	a.upload.start(head, r)
	if a.upload.src != nil {
		request.Body = &a.upload
		request.ContentLength = a.upload.left
	}
	return request.WithContext(h.traced(a, r)), nil
}

// traced has net/http tell of interim answers, and of the end of the body.
func (h *H2C) traced(a *Answer, r *Request) context.Context {
	if r.Interim == nil && a.upload.src == nil {
		return a.ctx
	}
	trace := new(httptrace.ClientTrace)
	if r.Interim != nil {
		a.interim.start(r.Interim, h.config.MaxHeader, a.cancel)
		trace.Got1xxResponse = a.interim.got
	}
	if a.upload.src != nil {
		trace.WroteRequest = a.upload.fate.wrote
	}
	return httptrace.WithClientTrace(a.ctx, trace)
}

// h2cHeader makes the regular fields. Names are lower case, as they will be on
// the wire: net/http leaves such ones alone.
func h2cHeader(head *http1.Request, text *texts) http.Header {
	header := make(http.Header, len(head.Fields)+1)
	values := make([]string, 0, len(head.Fields))
	for i := range head.Fields {
		f := &head.Fields[i]
		switch {
		case int(f.Kind) < len(h2cUnsent) && h2cUnsent[f.Kind]:
			continue
		case f.Kind == http1.TE && !bytes.EqualFold(f.Value, []byte("trailers")):
			continue // RFC 9113 §8.2.2 has no other member
		case f.Kind != http1.TE && head.Nominated(f.Name):
			continue
		}
		name := text.takeLower(f.Name)
		values = append(values, text.take(f.Value))
		last := len(values) - 1
		if held := header[name]; held != nil {
			header[name] = append(held, values[last])
		} else {
			header[name] = values[last : last+1 : last+1]
		}
	}
	leaveOut(header, "user-agent")
	return header
}

// leaveOut keeps net/http from adding a field of its own, as it does where there
// is no entry.
func leaveOut(header http.Header, name string) {
	if header[name] == nil {
		header[name] = nil
	}
}

// texts keeps the strings of one head in one piece of memory.
type texts struct{ strings.Builder }

func (t *texts) take(b []byte) string {
	start := t.Len()
	t.Write(b)
	return t.String()[start:]
}

func (t *texts) takeLower(b []byte) string {
	start := t.Len()
	for _, c := range b {
		if c-'A' <= 'Z'-'A' {
			c |= 0x20
		}
		t.WriteByte(c)
	}
	return t.String()[start:]
}
