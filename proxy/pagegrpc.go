package proxy

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"mtls-sidecar/proxy/http1"
)

// isGRPC reports whether a request is a gRPC call (gRPC's PROTOCOL-HTTP2,
// Content-Type).
func isGRPC(fields []http1.Field) bool {
	const kind = "application/grpc"
	for i := range fields {
		f := &fields[i]
		if !bytes.EqualFold(f.Name, []byte("Content-Type")) || len(f.Value) < len(kind) || !bytes.EqualFold(f.Value[:len(kind)], []byte(kind)) {
			continue
		}
		rest := f.Value[len(kind):]
		return len(rest) == 0 || rest[0] == '+' || rest[0] == ';' || rest[0] == ' '
	}
	return false
}

// Status codes of gRPC (its doc/statuscodes.md).
const (
	grpcPermissionDenied  = 7
	grpcResourceExhausted = 8
	grpcUnimplemented     = 12
	grpcInternal          = 13
	grpcUnavailable       = 14
	grpcUnauthenticated   = 16
)

// grpc is the refusal as gRPC's answer of trailers only.
func (r *refusal) grpc() page {
	return page{status: http.StatusOK, fields: [][2]string{
		{"Content-Type", "application/grpc"},
		{"Grpc-Status", strconv.Itoa(r.grpcStatus())},
		{"Grpc-Message", grpcMessage(r.title + ": " + r.detail)},
	}}
}

// grpcStatus follows gRPC's doc/http-grpc-status-mapping.md. A 400 that is nginx's
// answer to a certificate, or to none, is what its 401 is.
func (r *refusal) grpcStatus() int {
	switch r.status {
	case http.StatusBadRequest:
		if r.reason == reasonBadRequest {
			return grpcInternal
		}
		return grpcUnauthenticated
	case http.StatusForbidden:
		return grpcPermissionDenied
	case http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge:
		return grpcResourceExhausted
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return grpcUnavailable
	default:
		return grpcUnimplemented
	}
}

// grpcMessage is percent-encoded: a field value cannot hold all that a message
// can (gRPC's PROTOCOL-HTTP2, Status-Message).
func grpcMessage(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c >= ' ' && c <= '~' && c != '%' {
			b.WriteByte(c)
			continue
		}
		const digits = "0123456789ABCDEF"
		b.Write([]byte{'%', digits[c>>4], digits[c&15]})
	}
	return b.String()
}
