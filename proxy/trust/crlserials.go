package trust

import (
	"bytes"
	"math/big"
	"sort"
)

// maxIntegerBytes bounds the contents of a serial number and of a cRLNumber.
// RFC 5280 §4.1.2.2 and §5.2.3 allow 20 bytes; some CAs issued longer ones
// before there was a rule.
const maxIntegerBytes = 64

// serialSet holds serial numbers as the contents of their DER INTEGERs, which
// are the same exactly for the same number: zero and negative numbers, which no
// CA should issue (RFC 5280 §4.1.2.2), revoke just the certificates that have
// them. Numbers of one length lie side by side in ascending order of their
// bytes, so that a number costs its own length and nothing more.
type serialSet struct {
	size  int
	cells [maxIntegerBytes + 1][]byte // by length of the contents
}

// newSerialSet makes room for so many numbers of each length. fill them all,
// then sort.
func newSerialSet(counts *[maxIntegerBytes + 1]int) serialSet {
	var s serialSet
	total := 0
	for length, count := range counts {
		s.size += count
		total += length * count
	}
	slab := make([]byte, total)
	for length, count := range counts {
		s.cells[length] = slab[: 0 : length*count]
		slab = slab[length*count:]
	}
	return s
}

// add puts a number behind those of its length.
func (s *serialSet) add(contents []byte) {
	s.cells[len(contents)] = append(s.cells[len(contents)], contents...)
}

// sort makes the set ready for has.
func (s *serialSet) sort() {
	for length, cells := range s.cells {
		if len(cells) > length {
			sort.Sort(&cellSorter{cells: cells, length: length})
		}
	}
}

// has reports whether the number with these contents is in the set.
func (s *serialSet) has(contents []byte) bool {
	length := len(contents)
	if length == 0 || length > maxIntegerBytes {
		return false
	}
	cells := s.cells[length]
	low, high := 0, len(cells)/length
	for low < high {
		middle := int(uint(low+high) >> 1)
		switch bytes.Compare(cells[middle*length:(middle+1)*length], contents) {
		case 0:
			return true
		case -1:
			low = middle + 1
		default:
			high = middle
		}
	}
	return false
}

// cellSorter sorts cells where they lie; sorting an index would take as much
// memory again as short serials do.
type cellSorter struct {
	cells  []byte
	length int
	spare  [maxIntegerBytes]byte
}

func (c *cellSorter) cell(i int) []byte { return c.cells[i*c.length : (i+1)*c.length] }

func (c *cellSorter) Len() int           { return len(c.cells) / c.length }
func (c *cellSorter) Less(i, j int) bool { return bytes.Compare(c.cell(i), c.cell(j)) < 0 }

func (c *cellSorter) Swap(i, j int) {
	spare := c.spare[:c.length]
	copy(spare, c.cell(i))
	copy(c.cell(i), c.cell(j))
	copy(c.cell(j), spare)
}

// goodInteger reports whether body is what DER allows as contents of an
// INTEGER (X.690 §8.3.2): not empty, and no shorter form of it.
func goodInteger(body []byte) bool {
	switch {
	case len(body) == 0:
		return false
	case len(body) == 1:
		return true
	}
	redundant := body[0] == 0 && body[1] < 0x80 || body[0] == 0xff && body[1] >= 0x80
	return !redundant
}

// integerContents writes n as the contents of a DER INTEGER into buffer, which
// has maxIntegerBytes+1 bytes; false when n needs more than maxIntegerBytes.
func integerContents(buffer []byte, n *big.Int) ([]byte, bool) {
	length := n.BitLen()/8 + 1 // with room for the sign
	if length > len(buffer) {
		return nil, false
	}
	contents := n.FillBytes(buffer[:length])
	if n.Sign() < 0 {
		negate(contents)
		if length > 1 && contents[0] == 0xff && contents[1] >= 0x80 {
			contents = contents[1:]
		}
	}
	return contents, len(contents) <= maxIntegerBytes
}

// negate turns a magnitude into two's complement.
func negate(magnitude []byte) {
	carry := true
	for i := len(magnitude) - 1; i >= 0; i-- {
		magnitude[i] = ^magnitude[i]
		if carry {
			magnitude[i]++
			carry = magnitude[i] == 0
		}
	}
}

// bytes is how much memory the numbers take.
func (s *serialSet) bytes() (n int) {
	for _, cells := range s.cells {
		n += len(cells)
	}
	return n
}
