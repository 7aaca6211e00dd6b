package trust

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/crypto/ocsp"
)

// ocspParts is what is read of an answer by a walk of our own.
type ocspParts struct {
	responder    element // a ResponderID
	certificates []byte  // the contents of the list of enclosed certificates
	status       byte    // of the one SingleResponse about the certificate: 0 good, 1 revoked, 2 unknown
}

// read takes an OCSPResponse apart (RFC 6960 §4.2.1). There is nothing in it that is not
// looked at, and exactly one SingleResponse has the serial of the certificate.
func (q *ocspQuestion) read(der []byte) (ocspParts, error) {
	outer := ocspReader{rest: der}
	response := ocspReader{rest: outer.take(tagSequence)}
	status := response.take(tagEnumerated)
	if !outer.end() || len(status) != 1 {
		return ocspParts{}, unfit("is malformed")
	}
	if status[0] != 0 {
		return ocspParts{}, fmt.Errorf("the OCSP responder gave no answer but said %q; ask whoever runs it", ocsp.ResponseStatus(status[0]).String())
	}
	explicit := ocspReader{rest: response.take(contextTag(0, true))}
	contents := ocspReader{rest: explicit.take(tagSequence)}
	kind := contents.take(tagOID)
	wrapped := ocspReader{rest: contents.take(tagOctetString)}
	basic := ocspReader{rest: wrapped.take(tagSequence)}
	if !response.end() || !explicit.end() || !contents.end() || !wrapped.end() || !bytes.Equal(kind, oidOCSPBasic) {
		return ocspParts{}, unfit("is malformed, or of another kind than basic")
	}
	data := basic.take(tagSequence)
	basic.take(tagSequence) // the signature's algorithm
	basic.take(tagBitString)
	var parts ocspParts
	if list, there := basic.optional(contextTag(0, true)); there {
		certificates := ocspReader{rest: list}
		parts.certificates = certificates.take(tagSequence)
		basic.bad = basic.bad || !certificates.end()
	}
	if !basic.end() {
		return ocspParts{}, unfit("is malformed")
	}
	return parts, q.readData(data, &parts)
}

// oidOCSPBasic is the contents of id-pkix-ocsp-basic (RFC 6960 §4.2.1).
var oidOCSPBasic = []byte{0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01}

// ocspVersion1 is the INTEGER 0. DER leaves it out, but responders that write it harm nobody.
var ocspVersion1 = []byte{tagInteger, 1, 0}

var errCriticalOCSPExtension = errors.New("has a critical extension that is not known here")

// readData reads the contents of the ResponseData.
func (q *ocspQuestion) readData(body []byte, parts *ocspParts) error {
	data := ocspReader{rest: body}
	if version, there := data.optional(contextTag(0, true)); there && !bytes.Equal(version, ocspVersion1) {
		return unfit("is of an unknown version")
	}
	parts.responder = data.next()
	data.take(tagGeneralTime) // producedAt
	singles := data.take(tagSequence)
	extensions, there := data.optional(contextTag(1, true))
	if !data.end() {
		return unfit("is malformed")
	}
	if there {
		if err := uncritical(extensions); err != nil {
			return unfit("%w", err)
		}
	}
	ours, others := 0, 0
	var fault error
	whole := every(singles, func(single element) bool {
		if single.tag != tagSequence {
			return false
		}
		var match, same bool
		match, same, fault = q.readSingle(single.body, parts)
		switch {
		case match:
			ours++
		case same:
			others++
		}
		return fault == nil
	})
	switch {
	case fault != nil:
		return unfit("%w", fault)
	case !whole:
		return unfit("is malformed")
	case ours == 0:
		return unfit("is not about the certificate")
	case ours+others > 1: // the library would take the first
		return unfit("has several states for one serial number")
	}
	return nil
}

// readSingle reads the contents of one SingleResponse. Does it match the whole
// CertID, and has it the same serial number?
func (q *ocspQuestion) readSingle(body []byte, parts *ocspParts) (match, same bool, err error) {
	single := ocspReader{rest: body}
	certID := single.take(tagSequence)
	status := single.next()
	single.take(tagGeneralTime) // thisUpdate
	single.optional(contextTag(0, true))
	extensions, there := single.optional(contextTag(1, true))
	if !single.end() {
		return false, false, errors.New("is malformed")
	}
	if there {
		if err := uncritical(extensions); err != nil {
			return false, false, err
		}
	}
	match = q.asksFor(certID)
	same = match || q.sameSerial(certID)
	switch status.tag {
	case contextTag(0, false), contextTag(2, false):
		if len(status.body) > 0 {
			return false, false, errors.New("is malformed")
		}
	case contextTag(1, true):
	default:
		return false, false, errors.New("tells no state that is known")
	}
	if match {
		parts.status = status.tag & 0x1f
	}
	return match, same, nil
}

// sameSerial looks at the serial number of a CertID alone.
func (q *ocspQuestion) sameSerial(certID []byte) bool {
	r := ocspReader{rest: certID}
	r.take(tagSequence)
	r.take(tagOctetString)
	r.take(tagOctetString)
	serial := r.take(tagInteger)
	return r.bad || bytes.Equal(serial, q.serial)
}

// uncritical refuses extensions marked critical, since none is known here.
func uncritical(explicit []byte) error {
	list, ok := sequence(explicit)
	var fault error
	whole := ok && every(list, func(extension element) bool {
		fields := ocspReader{rest: extension.body}
		fields.take(tagOID)
		critical, there := fields.optional(tagBoolean)
		fields.take(tagOctetString)
		if there && (len(critical) != 1 || critical[0] != 0) {
			fault = errCriticalOCSPExtension
		}
		return extension.tag == tagSequence && fields.end() && fault == nil
	})
	if fault == nil && !whole {
		return errors.New("has malformed extensions")
	}
	return fault
}

// ocspReader takes the fields off the contents of a structure, in order. After
// the first that is missing or of another type all are empty, and end is false.
type ocspReader struct {
	rest []byte
	bad  bool
}

// next takes an element of any type.
func (r *ocspReader) next() element {
	if r.bad {
		return element{}
	}
	e, rest, ok := nextElement(r.rest)
	if !ok {
		r.bad = true
		return element{}
	}
	r.rest = rest
	return e
}

// take takes an element that must be there, and returns its contents.
func (r *ocspReader) take(tag byte) []byte {
	e := r.next()
	if e.tag != tag {
		r.bad = true
	}
	if r.bad {
		return nil
	}
	return e.body
}

// optional takes an element that may be there.
func (r *ocspReader) optional(tag byte) (body []byte, there bool) {
	if r.bad || len(r.rest) == 0 || r.rest[0] != tag {
		return nil, false
	}
	return r.take(tag), !r.bad
}

// end reports whether all was well and nothing is left.
func (r *ocspReader) end() bool { return !r.bad && len(r.rest) == 0 }
