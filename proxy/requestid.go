package proxy

import (
	"crypto/rand"
	"encoding/hex"
)

// requestIDs gives each request of a connection an identifier: 16 random bytes
// once, of which the last four count. Nothing secret hangs on it.
type requestIDs struct {
	seed [16]byte
	next uint32
	made bool
}

// fork gives the identifiers of one stream, the n-th of its connection.
func (r *requestIDs) fork(n uint32) requestIDs {
	if !r.made {
		_, _ = rand.Read(r.seed[:])
		r.made = true
	}
	return requestIDs{seed: r.seed, next: n, made: true}
}

func (r *requestIDs) appendNext(dst []byte) []byte {
	if !r.made {
		_, _ = rand.Read(r.seed[:]) // never fails: it ends the program instead
		r.made = true
	}
	r.next++
	id := r.seed
	for i := range 4 {
		id[15-i] ^= byte(r.next >> (8 * i))
	}
	return hex.AppendEncode(dst, id[:])
}

// maxRequestID is the longest identifier taken over from a client.
const maxRequestID = 128

// validRequestID accepts what log lines and header fields of any back end can
// bear: visible ASCII without quotes, commas or backslashes.
func validRequestID(id []byte) bool {
	if len(id) == 0 || len(id) > maxRequestID {
		return false
	}
	for _, b := range id {
		if b <= ' ' || b >= 0x7f || b == '"' || b == ',' || b == '\\' || b == ';' {
			return false
		}
	}
	return true
}
