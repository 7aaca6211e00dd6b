package proxy

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"mtls-sidecar/proxy/http1"
	"mtls-sidecar/proxy/upstream"
)

// isGRPC reports whether a request is a gRPC call (gRPC's PROTOCOL-HTTP2,
// Content-Type).
func isGRPC(fields []http1.Field) bool {
	return isGRPCType(string(fieldValue(fields, "Content-Type")))
}

func isGRPCType(kind string) bool {
	const grpc = "application/grpc"
	if len(kind) < len(grpc) || !strings.EqualFold(kind[:len(grpc)], grpc) {
		return false
	}
	rest := kind[len(grpc):]
	return rest == "" || rest[0] == '+' || rest[0] == ';' || rest[0] == ' '
}

// fieldValue is the value of the first field of a name; nil: there is none.
func fieldValue(fields []http1.Field, name string) []byte {
	for i := range fields {
		if bytes.EqualFold(fields[i].Name, []byte(name)) {
			return fields[i].Value
		}
	}
	return nil
}

// Status codes of gRPC (its doc/statuscodes.md).
const (
	grpcCancelled         = 1
	grpcDeadlineExceeded  = 4
	grpcPermissionDenied  = 7
	grpcResourceExhausted = 8
	grpcUnimplemented     = 12
	grpcInternal          = 13
	grpcUnavailable       = 14
	grpcUnauthenticated   = 16
)

// grpc is the refusal as gRPC's answer of trailers only.
func (r *refusal) grpc() page {
	return grpcPage(r.grpcStatus(), r.title+": "+r.detail)
}

func grpcPage(status int, message string) page {
	return page{status: http.StatusOK, fields: [][2]string{
		{"Content-Type", "application/grpc"},
		{"Grpc-Status", strconv.Itoa(status)},
		{"Grpc-Message", grpcMessage(message)},
	}}
}

// grpcStatusOfReset is what gRPC makes of an application's RST_STREAM (its
// PROTOCOL-HTTP2, Errors). Servers end a call whose deadline has passed by CANCEL.
func grpcStatusOfReset(code upstream.ErrorCode, hadDeadline bool) int {
	switch {
	case code == upstream.Cancel && hadDeadline:
		return grpcDeadlineExceeded
	case code == upstream.Cancel:
		return grpcCancelled
	case code == upstream.RefusedStream:
		return grpcUnavailable
	case code == upstream.EnhanceYourCalm:
		return grpcResourceExhausted
	case code == upstream.InadequateSecurity:
		return grpcPermissionDenied
	default:
		return grpcInternal
	}
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
