package http1

import (
	"encoding/binary"
	"math/bits"
)

// class is what a byte may be part of.
type class uint8

const (
	isToken class = 1 << iota // tchar (RFC 9110 §5.6.2)
	isHost                    // reg-name without "%" (RFC 3986 §3.2.2)
)

// classes is indexed by byte and never written.
var classes = makeClasses()

func makeClasses() (table [256]class) {
	mark := func(c class, set string) {
		for i := range len(set) {
			table[set[i]] |= c
		}
	}
	const alnum = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	mark(isToken, alnum+"!#$%&'*+-.^_`|~")
	mark(isHost, alnum+"-._~!$&'()*+,;=")
	return table
}

// Each word below holds one byte value eight times.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// indexControl returns the index, from i on, of the first byte below `below`
// (at most 0x80) or equal to DEL; len(b) if there is none. It looks at eight
// bytes at a time: subtraction borrows into a byte's top bit where the byte is
// smaller. A borrow can only mislead above the first hit, and the first is
// what is asked for.
func indexControl(b []byte, i int, below byte) int {
	less := ones * uint64(below)
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		del := x ^ (ones * 0x7f)
		if hit := ((x-less)&^x | (del-ones)&^del) & highs; hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
	}
	for ; i < len(b); i++ {
		if b[i] < below || b[i] == 0x7f {
			return i
		}
	}
	return len(b)
}

// indexValueEnd returns the index, from i on, of the first byte that a field
// value cannot hold: a control byte other than HTAB (RFC 9110 §5.5).
func indexValueEnd(b []byte, i int) int {
	for {
		i = indexControl(b, i, ' ')
		if i == len(b) || b[i] != '\t' {
			return i
		}
		i++
	}
}

// trim cuts the optional white space around a value (RFC 9110 §5.6.3).
func trim(b []byte) []byte {
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isBlank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func isDigit(c byte) bool { return c-'0' <= 9 }

func hasOnlyToken(b []byte) bool {
	for _, c := range b {
		if classes[c]&isToken == 0 {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c-'A' <= 'Z'-'A' {
		return c | 0x20
	}
	return c
}

// equalFold compares without regard to ASCII case. bytes.EqualFold would fold
// Unicode too, and read U+212A as "k".
func equalFold[B []byte | string](a []byte, b B) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}
