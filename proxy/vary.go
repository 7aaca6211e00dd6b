package proxy

import (
	"bytes"

	"mtls-sidecar/proxy/http1"
)

// varyAny says that no later request can be known to get the same answer (RFC 9110 §12.5.5).
var varyAny = []byte("*")

// variesFor is a Vary field for the client's side. Where the application names a
// field that tells it who the client is, no cache before us can compare that
// field: to it the requests of two clients are the same, and one would be given
// the other's answer. RFC 9440 §2.4 has Client-Cert become an asterisk; the same
// holds for every dialect.
func (s *Server) variesFor(value []byte) []byte {
	for name := range bytes.SplitSeq(value, []byte(",")) {
		name = bytes.Trim(name, " \t")
		kind := http1.KindOf(name)
		if s.config.Headers.Writes(name) || kind == http1.XRealIP || kind == http1.XForwardedFor {
			return varyAny
		}
	}
	return value
}
