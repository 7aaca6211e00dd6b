package trust

import (
	"io"
	"runtime"
)

// readBody reads a list of size bytes, or of an unknown number where size is
// negative, and no more than maxBytes. The list is in memory once at the end
// and twice at the most meanwhile, like a file. What is too large is a
// CRLError, what is wrong with r an error of r's.
func readBody(r io.Reader, size, maxBytes int64) ([]byte, error) {
	if size > maxBytes {
		return nil, crlTooLarge(size, maxBytes)
	}
	if size < 0 {
		return gather(r, maxBytes)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err == io.EOF {
		return nil, io.ErrUnexpectedEOF
	} else if err != nil {
		return nil, err
	}
	return body, nil
}

const (
	firstPiece  = 32 << 10
	largePiece  = 4 << 20
	worthToFree = 8 << 20 // bytes of garbage that are worth a collection
)

// gather reads to the end in pieces, since a buffer that grows has to be there
// twice and leaves its former selves behind, and then joins them.
func gather(r io.Reader, maxBytes int64) ([]byte, error) {
	var pieces [][]byte
	var total int64
	for size := int64(firstPiece); ; size = min(2*size, largePiece) {
		piece := make([]byte, min(size, maxBytes-total+1)) // one more than allowed shows
		n, err := fill(r, piece)
		pieces, total = append(pieces, piece[:n]), total+int64(n)
		if total > maxBytes {
			return nil, crlTooLarge(-1, maxBytes)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	whole := make([]byte, 0, total)
	for i, piece := range pieces {
		whole = append(whole, piece...)
		pieces[i] = nil
	}
	if total > worthToFree {
		runtime.GC() // else the pieces stay until long after the list is parsed
	}
	return whole, nil
}

// fill reads until p is full. Unlike io.ReadFull it tells the end, io.EOF, from an
// answer cut short, for which net/http says io.ErrUnexpectedEOF.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var more int
		more, err = r.Read(p[n:])
		n += more
	}
	return n, err
}
