package proxy

import (
	"net/http"
	"strconv"

	"mtls-sidecar/proxy/http1"
)

// start sends the answer's head, or has net/http keep it for the first bytes of
// the body.
func (t *stream) start() {
	if t.status == 0 {
		return
	}
	t.writer.WriteHeader(t.status)
	t.status = 0
	clear(t.header) // it has been copied; what is put there now are trailers
}

func (t *stream) write(p []byte) error {
	t.start()
	t.pushed, t.wrote = false, true
	n, err := t.writer.Write(p)
	t.streams.useful.Add(int64(n))
	return err
}

// push sends what net/http holds back: nothing more may come for a while.
func (t *stream) push() error {
	if t.pushed && t.status == 0 {
		return nil
	}
	t.start()
	t.pushed = true
	return t.writer.FlushError()
}

// newHead begins a head to which net/http adds nothing of its own. Because of
// Content-Length it also copies the map of an interim answer, which it else reads
// while this goroutine goes on.
func (t *stream) newHead(status int) {
	clear(t.header)
	t.status = status
	t.header["Date"], t.header["Content-Type"], t.header["Content-Length"] = nil, nil, nil
}

// setHead keeps the head of an answer until start.
func (t *stream) setHead(r *http1.Response, f answerFraming) {
	t.newHead(r.Status)
	values := make([]string, 0, len(r.Fields)+1)
	for i := range r.Fields {
		field := &r.Fields[i]
		value, passes := t.answerField(r, field)
		if !passes {
			continue
		}
		values = appendValue(t.header, values, field.Name, value)
	}
	if f.close {
		t.header["Connection"] = append(values, "close")[len(values):] // net/http sends GOAWAY for it
	}
}

// appendValue adds a field to a header; values is where its text is kept.
func appendValue(header http.Header, values []string, name, value []byte) []string {
	key := http.CanonicalHeaderKey(string(name))
	values = append(values, string(value))
	if held := header[key]; len(held) > 0 {
		header[key] = append(held, values[len(values)-1])
	} else {
		header[key] = values[len(values)-1 : len(values) : len(values)]
	}
	return values
}

// interim sends an answer before the final one.
func (t *stream) interim(r *http1.Response) {
	t.setHead(r, answerFraming{})
	t.start()
}

// refuse gives an answer of our own.
func (t *stream) refuse(p page) ending {
	t.newHead(p.status)
	for _, field := range p.fields {
		t.header[field[0]] = []string{field[1]}
	}
	if t.leaving() {
		t.header["Connection"] = []string{"close"}
	}
	t.begun = true
	if len(p.body) > 0 {
		t.header["Content-Length"] = []string{strconv.Itoa(len(p.body))}
	}
	if t.work.isHead || len(p.body) == 0 {
		t.start()
		return keep
	}
	if t.write(p.body) != nil {
		return cut
	}
	return keep
}

// setTrailers has net/http end the answer with trailer fields.
func (t *stream) setTrailers(fields []http1.Field) {
	for i := range fields {
		key := http.TrailerPrefix + http.CanonicalHeaderKey(string(fields[i].Name))
		t.header[key] = append(t.header[key], string(fields[i].Value))
	}
}
