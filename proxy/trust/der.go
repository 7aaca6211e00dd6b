package trust

// The tags met when walking certificates and CRLs by hand (X.690 §8.1.2).
const (
	tagBoolean     = 0x01
	tagInteger     = 0x02
	tagBitString   = 0x03
	tagOctetString = 0x04
	tagNull        = 0x05
	tagOID         = 0x06
	tagEnumerated  = 0x0a
	tagUTF8        = 0x0c
	tagPrintable   = 0x13
	tagT61         = 0x14
	tagIA5         = 0x16
	tagUTCTime     = 0x17
	tagGeneralTime = 0x18
	tagVisible     = 0x1a
	tagUniversal   = 0x1c
	tagBMP         = 0x1e
	tagSequence    = 0x30
	tagSet         = 0x31
)

// contextTag is the tag of a context-specific element; constructed ones hold others.
func contextTag(n byte, constructed bool) byte {
	if constructed {
		return 0xa0 | n
	}
	return 0x80 | n
}

// element is one DER value: its tag byte and its contents.
type element struct {
	tag  byte
	body []byte
}

// nextElement splits the first element off der. It does not allocate, and refuses
// what does not occur in certificates and CRLs: multi-byte tags, indefinite and
// overlong lengths, and lengths of 2 GiB and more.
func nextElement(der []byte) (e element, rest []byte, ok bool) {
	if len(der) < 2 || der[0]&0x1f == 0x1f {
		return element{}, nil, false
	}
	size, head := int(der[1]), 2
	if size >= 0x80 {
		digits := size & 0x7f
		// With the top bit of four bytes clear the length fits an int of 32 bits.
		if digits == 0 || digits > 4 || len(der) < 2+digits || digits == 4 && der[2] >= 0x80 {
			return element{}, nil, false
		}
		size = 0
		for _, b := range der[2 : 2+digits] {
			size = size<<8 | int(b)
		}
		if size < 0x80 || digits > 1 && der[2] == 0 {
			return element{}, nil, false
		}
		head += digits
	}
	if len(der)-head < size {
		return element{}, nil, false
	}
	return element{der[0], der[head : head+size]}, der[head+size:], true
}

// every reports whether body consists of well-formed elements that are all
// good. It stops at the first that is not.
func every(body []byte, good func(element) bool) bool {
	for len(body) > 0 {
		e, rest, ok := nextElement(body)
		if !ok || !good(e) {
			return false
		}
		body = rest
	}
	return true
}

// count is how many elements body consists of, or -1 when they are not well-formed.
func count(body []byte) int {
	n := 0
	if !every(body, func(element) bool { n++; return true }) {
		return -1
	}
	return n
}

// inOrder reports whether body consists of elements with these tags, each at
// most once, in this order.
func inOrder(body []byte, tags ...byte) bool {
	return every(body, func(e element) bool {
		for len(tags) > 0 && tags[0] != e.tag {
			tags = tags[1:]
		}
		if len(tags) == 0 {
			return false
		}
		tags = tags[1:]
		return true
	})
}

// sequence returns the contents of der when it is one SEQUENCE and nothing else.
func sequence(der []byte) ([]byte, bool) {
	e, rest, ok := nextElement(der)
	if !ok || e.tag != tagSequence || len(rest) > 0 {
		return nil, false
	}
	return e.body, true
}
