package headers

import (
	"errors"
	"fmt"
	"strconv"
)

// Universal ASN.1 tags that may stand in a name (X.680 §8.6).
const (
	tagBitString       = 3
	tagObjectID        = 6
	tagUTF8String      = 12
	tagNumericString   = 18
	tagPrintableString = 19
	tagTeletexString   = 20
	tagIA5String       = 22
	tagUniversalString = 28
	tagBMPString       = 30
	tagSequence        = 0x30 // identifier octet: SEQUENCE is always constructed
	tagSet             = 0x31
)

var (
	errTruncated = errors.New("truncated element")
	errNotDER    = errors.New("length is not DER")
	errLongTag   = errors.New("tag number above 30")
)

// element is one DER element: its identifier octet, its content, and both together as they stood.
type element struct {
	tag     byte
	content []byte
	full    []byte
}

// readElement takes the first element off der. Indefinite and non-minimal lengths are refused (X.690 §10.1): OpenSSL
// would read them, but crypto/x509 never hands over a certificate that has them, and re-encoding them is guesswork.
func readElement(der []byte) (e element, rest []byte, err error) {
	if len(der) < 2 {
		return e, nil, errTruncated
	}
	if der[0]&0x1f == 0x1f {
		return e, nil, errLongTag
	}
	length, start := int(der[1]), 2
	if der[1] >= 0x80 {
		octets := int(der[1] & 0x7f)
		if octets == 0 || octets > 3 {
			return e, nil, errNotDER
		}
		start += octets
		if len(der) < start {
			return e, nil, errTruncated
		}
		length = 0
		for _, b := range der[2:start] {
			length = length<<8 | int(b)
		}
		if length < 0x80 || length < 1<<(8*(octets-1)) {
			return e, nil, errNotDER
		}
	}
	end := start + length
	if len(der) < end {
		return e, nil, errTruncated
	}
	return element{tag: der[0], content: der[start:end], full: der[:end]}, der[end:], nil
}

// readTagged is readElement for a place where only one identifier octet is right.
func readTagged(der []byte, tag byte, what string) (e element, rest []byte, err error) {
	e, rest, err = readElement(der)
	if err != nil {
		return e, nil, fmt.Errorf("reading %s: %w", what, err)
	}
	if e.tag != tag {
		return e, nil, fmt.Errorf("reading %s: tag %#02x where %#02x belongs", what, e.tag, tag)
	}
	return e, rest, nil
}

// maxOIDText is how much of a dotted OID OpenSSL prints in a name: do_name_ex renders it into a buffer of 80 bytes with
// the terminating NUL, and the rest is cut off without a sign.
const maxOIDText = 79

// checkOID refuses what OpenSSL's ossl_c2i_ASN1_OBJECT refuses: no content, a padded or an unfinished sub-identifier.
// Sub-identifiers above 63 bits, which crypto/x509 never accepts, are refused too.
func checkOID(oid []byte) error {
	if len(oid) == 0 || oid[len(oid)-1]&0x80 != 0 {
		return errors.New("malformed object identifier")
	}
	size := 0
	for _, b := range oid {
		if size == 0 && b == 0x80 {
			return errors.New("padded object identifier")
		}
		if size++; size > 9 {
			return errors.New("object identifier component too large")
		}
		if b&0x80 == 0 {
			size = 0
		}
	}
	return nil
}

// appendOID appends the dotted form of a checked OID, cut off after maxOIDText bytes.
func appendOID(dst, oid []byte) []byte {
	start := len(dst)
	var arc uint64
	first := true
	for _, b := range oid {
		arc = arc<<7 | uint64(b&0x7f)
		if b&0x80 != 0 {
			continue
		}
		if first {
			// X.690 §8.19.4: the first sub-identifier holds two components.
			root := min(arc/40, 2)
			dst = strconv.AppendUint(dst, root, 10)
			arc -= 40 * root
			first = false
		}
		dst = append(dst, '.')
		dst = strconv.AppendUint(dst, arc, 10)
		arc = 0
		if len(dst)-start > maxOIDText {
			return dst[:start+maxOIDText]
		}
	}
	return dst
}
