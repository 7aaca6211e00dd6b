package proxy

import "bytes"

// need is what a request's path asks of its client. WebDAV's COPY and MOVE name
// a second path (RFC 4918 §10.3): whoever may not see one may not write to it either.
// Several of them, or one longer than a target may be, are made to cost.
func (c *conn) need() need {
	routes, r := &c.server.config.Routes, &c.work.request
	if !routes.Set() {
		return needOptional
	}
	n := routes.decide(originForm(r.Method, r.Target))
	destinations := 0
	for i := range r.Fields {
		f := &r.Fields[i]
		if len(f.Name) != len("Destination") || !bytes.EqualFold(f.Name, []byte("Destination")) {
			continue
		}
		if destinations++; destinations > 1 || len(f.Value) > maxTarget {
			return routes.strictest
		}
		destination := f.Value
		if bytes.Contains(destination, []byte("://")) {
			destination = originForm(r.Method, destination)
		}
		n = max(n, routes.decide(destination))
	}
	return n
}
