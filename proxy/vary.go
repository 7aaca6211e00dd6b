package proxy

import "bytes"

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
		if s.config.Headers.Writes(name) || bytes.EqualFold(name, []byte("X-Real-IP")) || bytes.EqualFold(name, []byte("X-Forwarded-For")) {
			return varyAny
		}
	}
	return value
}
