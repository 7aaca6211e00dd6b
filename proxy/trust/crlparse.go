package trust

import (
	"bytes"
	"crypto/sha256"
	"math/big"
)

// maxNameBytes bounds names, far above any in a certificate: comparing takes
// many times their size in memory.
const maxNameBytes = 64 << 10

// fields hands out the elements of a structure, one after another.
type fields struct{ left []byte }

// take splits off the next element if it is well-formed and has one of the tags;
// der is the whole of it. What is left unread is the caller's to refuse.
func (f *fields) take(tags ...byte) (e element, der []byte, ok bool) {
	e, rest, ok := nextElement(f.left)
	if !ok || bytes.IndexByte(tags, e.tag) < 0 {
		return element{}, nil, false
	}
	der = f.left[:len(f.left)-len(rest)]
	f.left = rest
	return e, der, true
}

// parseCRL reads one CertificateList (RFC 5280 §5.1) from its DER. crypto/x509
// makes several objects of each entry and so takes 745 MB to read one of 50 MB.
func parseCRL(der []byte) (*CRL, *CRLError) {
	outer, rest, ok := nextElement(der)
	switch {
	case !ok || outer.tag != tagSequence:
		return nil, &CRLError{Fault: "cut short, or not a CRL in DER", Remedy: fetchAnew}
	case len(rest) > 0:
		return nil, &CRLError{Fault: "bytes follow the list", Remedy: fetchAnew}
	}
	f := fields{outer.body}
	tbs, signed, ok1 := f.take(tagSequence)
	algorithm, _, ok2 := f.take(tagSequence)
	signature, _, ok3 := f.take(tagBitString)
	if !ok1 || !ok2 || !ok3 || len(f.left) > 0 {
		return nil, &CRLError{Fault: "not a CRL: its parts are not a TBSCertList, an algorithm and a signature", Remedy: nameLists}
	}
	if len(signature.body) < 2 || signature.body[0] != 0 { // unused bits
		return nil, malformed("the signature is malformed")
	}
	c := &CRL{Digest: sha256.Sum256(der)}
	inner, fault := c.readTBS(tbs.body)
	if fault != nil {
		return nil, fault
	}
	if !bytes.Equal(inner, algorithm.body) { // RFC 5280 §5.1.1.2
		return nil, malformed("the signature algorithm that is signed is not the one that is used")
	}
	signedWith, fault := parseCRLAlgorithm(algorithm.body)
	if fault != nil {
		return nil, fault
	}
	c.signature.keep(signedWith, signed, signature.body[1:])
	return c, nil
}

// readTBS reads the TBSCertList and returns the contents of its signature field.
func (c *CRL) readTBS(body []byte) (algorithm []byte, fault *CRLError) {
	f := fields{body}
	v2 := false
	if version, _, ok := f.take(tagInteger); ok {
		if v2 = string(version.body) == "\x01"; !v2 { // RFC 5280 §5.1.2.1: if present, v2
			return nil, malformed("the version is neither 1 nor 2")
		}
	}
	signature, _, ok1 := f.take(tagSequence)
	_, issuer, ok2 := f.take(tagSequence)
	switch {
	case !ok1 || !ok2 || !goodName(issuer):
		return nil, malformed("the algorithm or the issuer is malformed")
	case len(issuer) > maxNameBytes:
		return nil, malformed("the issuer's name has %d bytes", len(issuer))
	}
	c.RawIssuer = bytes.Clone(issuer)
	c.issuer = canonicalName(issuer)
	if fault := c.readDates(&f); fault != nil {
		return nil, fault
	}
	if revoked, _, ok := f.take(tagSequence); ok {
		if c.serials, fault = readEntries(revoked.body, v2); fault != nil {
			return nil, fault
		}
	}
	if wrapped, _, ok := f.take(contextTag(0, true)); ok {
		extensions, ok := sequence(wrapped.body)
		switch {
		case !ok:
			return nil, malformed("the extensions are malformed")
		case !v2:
			return nil, malformed("extensions in a list of version 1")
		}
		if fault := c.readExtensions(extensions); fault != nil {
			return nil, fault
		}
	}
	if len(f.left) > 0 {
		return nil, malformed("a field that does not belong in a list, or a damaged one")
	}
	return signature.body, nil
}

func (c *CRL) readDates(f *fields) *CRLError {
	this, _, found := f.take(tagUTCTime, tagGeneralTime)
	thisUpdate, good := readTime(this)
	if !found || !good {
		return malformed("thisUpdate is missing or malformed")
	}
	next, _, found := f.take(tagUTCTime, tagGeneralTime)
	if !found {
		return malformed("no nextUpdate, so nobody can tell when the list is stale")
	}
	nextUpdate, good := readTime(next)
	switch {
	case !good:
		return malformed("nextUpdate is malformed")
	case nextUpdate.Before(thisUpdate):
		return malformed("nextUpdate is before thisUpdate")
	}
	c.ThisUpdate, c.NextUpdate = thisUpdate, nextUpdate
	return nil
}

// readEntries reads revokedCertificates (RFC 5280 §5.1.2.6) twice: to check the
// entries and measure them, and to keep what was measured. Some CAs write the
// empty list that the RFC would have left out.
func readEntries(body []byte, v2 bool) (serialSet, *CRLError) {
	var counts [maxIntegerBytes + 1]int
	number := 0
	for rest := body; len(rest) > 0; {
		number++
		entry, after, ok := nextElement(rest)
		if !ok || entry.tag != tagSequence {
			return serialSet{}, malformed("entry %d is malformed", number)
		}
		serial, fault := readEntry(entry.body, v2)
		if fault != nil {
			return serialSet{}, fault.in("entry %d", number)
		}
		counts[len(serial)]++
		rest = after
	}
	set := newSerialSet(&counts)
	every(body, func(entry element) bool {
		serial, _, ok := nextElement(entry.body)
		set.add(serial.body)
		return ok
	})
	set.sort()
	return set, nil
}

// readEntry checks one entry and returns the contents of its serial number.
func readEntry(body []byte, v2 bool) ([]byte, *CRLError) {
	serial, rest, ok := nextElement(body)
	if !ok || serial.tag != tagInteger || !goodInteger(serial.body) {
		return nil, malformed("the serial number is malformed")
	}
	if len(serial.body) > maxIntegerBytes {
		return nil, malformed("a serial number of %d bytes, where RFC 5280 §4.1.2.2 allows 20", len(serial.body))
	}
	date, rest, ok := nextElement(rest)
	if !ok {
		return nil, malformed("the revocation date is missing or damaged")
	}
	if _, good := readTime(date); !good {
		return nil, malformed("the revocation date is malformed")
	}
	if len(rest) == 0 {
		return serial.body, nil
	}
	extensions, ok := sequence(rest)
	switch {
	case !ok:
		return nil, malformed("something follows the revocation date that is not a list of extensions")
	case !v2:
		return nil, malformed("extensions in a list of version 1")
	}
	return serial.body, eachExtension(extensions, checkEntryExtension)
}

// readInteger reads a DER INTEGER that is not negative and has at most
// maxIntegerBytes.
func readInteger(der []byte) (*big.Int, bool) {
	e, rest, ok := nextElement(der)
	if !ok || e.tag != tagInteger || len(rest) > 0 || !goodInteger(e.body) || len(e.body) > maxIntegerBytes || e.body[0] >= 0x80 {
		return nil, false
	}
	return new(big.Int).SetBytes(e.body), true
}
