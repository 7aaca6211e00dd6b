package proxy

import (
	"bytes"

	"mtls-sidecar/proxy/http1"
)

// appendRequestHead builds the head that the application gets: the client's
// fields in their order and case, without hop-by-hop and stripped names, and
// after everything the client said, what we say. Clean first, write last: no
// field of the client's can take away or come after a line of ours.
func (x *exchange) appendRequestHead(dst, identity []byte) ([]byte, error) {
	r := &x.work.request
	dst = append(dst, r.Method...)
	dst = append(dst, ' ')
	dst = append(dst, originForm(r.Method, r.Target)...)
	dst = append(dst, " HTTP/1.1\r\n"...)
	if r.Host == nil {
		dst = appendField(dst, "Host", []byte(x.server.upstreamHost()))
	}
	dst, trailers, err := x.appendClientFields(dst)
	if err != nil {
		return dst, err
	}
	if r.Framing == http1.Chunked {
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}
	dst = appendConnection(dst, trailers, x.work.upgrade)
	dst = appendField(dst, "X-Request-Id", x.work.kept.requestID)
	if r.Host != nil {
		dst = appendField(dst, "X-Forwarded-Host", r.Host)
	}
	dst = x.appendForwardedFor(dst)
	dst = append(dst, identity...)
	return append(dst, "\r\n"...), nil
}

// appendClientFields passes the client's fields on, but those that end here. It
// reports whether the client takes trailers (TE: trailers).
func (x *exchange) appendClientFields(dst []byte) (head []byte, trailers bool, err error) {
	r := &x.work.request
	for i := range r.Fields {
		f := &r.Fields[i]
		switch f.Kind {
		case http1.Host, http1.ContentLength:
			// RFC 9110 §7.6.1: Connection must not name what the recipient of the
			// message needs; a client that tries wants us and the application to
			// see two different messages.
			if r.Nominated(f.Name) {
				return dst, false, errNominated
			}
		case http1.TE:
			trailers = trailers || wantsTrailers(f.Value)
			continue
		case http1.Connection, http1.KeepAlive, http1.ProxyConnection, http1.Upgrade,
			http1.HTTP2Settings, http1.TransferEncoding, http1.Forwarded,
			http1.XForwardedFor, http1.XForwardedProto, http1.XForwardedHost, http1.XRealIP, http1.XRequestID:
			continue
		case http1.Trailer:
			if r.Nominated(f.Name) || x.server.h2c != nil {
				continue // see callBody
			}
			dst = x.appendTrailerField(dst, f)
			continue
		default:
			if x.strip(f.Name) || r.Nominated(f.Name) {
				continue
			}
		}
		dst = append(dst, f.Name...)
		dst = append(dst, ": "...)
		dst = append(dst, f.Value...)
		dst = append(dst, "\r\n"...)
	}
	return dst, trailers, nil
}

// appendConnection writes the hop-by-hop fields that are meant for the
// application: TE with the one member that is (RFC 9110 §10.1.4), and a
// permitted Upgrade.
func appendConnection(dst []byte, trailers bool, upgrade string) []byte {
	options := ""
	switch {
	case trailers && upgrade != "":
		options = "TE, Upgrade"
	case trailers:
		options = "TE"
	case upgrade != "":
		options = "Upgrade"
	default:
		return dst
	}
	dst = appendField(dst, "Connection", []byte(options))
	if trailers {
		dst = appendField(dst, "TE", []byte("trailers"))
	}
	if upgrade != "" {
		dst = appendField(dst, "Upgrade", []byte(upgrade))
	}
	return dst
}

func wantsTrailers(value []byte) bool {
	for member := range bytes.SplitSeq(value, []byte(",")) {
		if bytes.EqualFold(bytes.Trim(member, " \t"), []byte("trailers")) {
			return true
		}
	}
	return false
}

// errNominated refuses a Connection field that names Host or Content-Length.
var errNominated = &http1.Error{Status: 400, Text: "the connection field names a field that the message cannot do without"}

// appendForwardedFor is nginx's $proxy_add_x_forwarded_for: the client's values,
// if it sent any, and the address that we see.
func (x *exchange) appendForwardedFor(dst []byte) []byte {
	mode := x.server.config.ForwardedFor
	if mode == ForwardedOff {
		return dst
	}
	dst = append(dst, "X-Forwarded-For: "...)
	if mode == ForwardedAppend {
		for i := range x.work.request.Fields {
			f := &x.work.request.Fields[i]
			if f.Kind == http1.XForwardedFor && len(f.Value) > 0 {
				dst = append(dst, f.Value...)
				dst = append(dst, ", "...)
			}
		}
	}
	dst = append(dst, x.conn.remote...)
	return append(dst, "\r\n"...)
}

// appendTrailerField announces the trailers that will be passed on, which
// identity names are not (RFC 9110 §6.6.2).
func (x *exchange) appendTrailerField(dst []byte, f *http1.Field) []byte {
	start := len(dst)
	dst = append(dst, f.Name...)
	dst = append(dst, ": "...)
	first := true
	for name := range bytes.SplitSeq(f.Value, []byte(",")) {
		name = bytes.Trim(name, " \t")
		if len(name) == 0 || x.server.stripper.DropTrailer(name) || x.work.request.Nominated(name) {
			continue
		}
		if !first {
			dst = append(dst, ", "...)
		}
		dst = append(dst, name...)
		first = false
	}
	if first {
		return dst[:start]
	}
	return append(dst, "\r\n"...)
}

func appendField(dst []byte, name string, value []byte) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// upstreamHost stands in for the Host that an HTTP/1.0 client did not send:
// HTTP/1.1, which the application is spoken to, demands one.
func (s *Server) upstreamHost() string {
	if s.config.UpstreamURL.Network == "unix" {
		return "localhost"
	}
	return s.config.UpstreamURL.Address
}
