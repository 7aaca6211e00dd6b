package trust

import "time"

// misdated returns why a certificate's times cannot be read, or nothing. OpenSSL
// (X509_cmp_time) takes them in the form of RFC 5280 alone; crypto/x509 reads
// offsets from UTC as well, and times without seconds.
func (c *certificate) misdated() (notBefore, notAfter Reason) {
	tbs, ok := sequence(c.RawTBSCertificate)
	if ok && len(tbs) > 0 && tbs[0] == contextTag(0, true) { // the version
		_, tbs, ok = nextElement(tbs)
	}
	var field element
	for range 4 { // serialNumber, signature, issuer, validity
		if ok {
			field, tbs, ok = nextElement(tbs)
		}
	}
	from, rest, both := nextElement(field.body)
	until, _, whole := nextElement(rest)
	if _, good := readTime(from); !ok || !both || !good {
		notBefore = NotBeforeForm
	}
	if _, good := readTime(until); !ok || !whole || !good {
		notAfter = NotAfterForm
	}
	return notBefore, notAfter
}

// begun reports whether now is at or after NotBefore.
func (c *certificate) begun(now time.Time) bool { return !now.Before(c.NotBefore) }

// ended reports whether now is at or after NotAfter. RFC 5280 §4.1.2.5 counts that
// second itself as valid, as crypto/x509 does; OpenSSL (X509_cmp_time) does
// not, and the stricter wins.
func (c *certificate) ended(now time.Time) bool { return !now.Before(c.NotAfter) }

// inDate reports whether c is valid at now.
func (c *certificate) inDate(now time.Time) bool { return c.begun(now) && !c.ended(now) }

// readTime reads UTCTime and GeneralizedTime in the one form that RFC 5280
// §4.1.2.5.1-2 leaves of each: seconds, no fractions, Z. Which of the two a CA
// has to use for which year is not asked: a reader must process both (§5.1.2.4).
func readTime(e element) (time.Time, bool) {
	text, century := e.body, 0
	switch {
	case e.tag == tagUTCTime && len(text) == len("YYMMDDHHMMSSZ"):
		century = 19
		if text[0] < '5' {
			century = 20
		}
	case e.tag == tagGeneralTime && len(text) == len("YYYYMMDDHHMMSSZ"):
		first, ok := twoDigits(text)
		if !ok {
			return time.Time{}, false
		}
		century, text = first, text[2:]
	default:
		return time.Time{}, false
	}
	var parts [6]int // year, month, day, hour, minute, second
	for i := range parts {
		n, ok := twoDigits(text[2*i:])
		if !ok {
			return time.Time{}, false
		}
		parts[i] = n
	}
	if text[12] != 'Z' || parts[3] > 23 || parts[4] > 59 || parts[5] > 59 {
		return time.Time{}, false
	}
	year, month, day := 100*century+parts[0], time.Month(parts[1]), parts[2]
	t := time.Date(year, month, day, parts[3], parts[4], parts[5], 0, time.UTC)
	return t, t.Month() == month && t.Day() == day // or it was the 30th of February
}

func twoDigits(text []byte) (int, bool) {
	tens, ones := text[0]-'0', text[1]-'0'
	return int(10*tens + ones), tens <= 9 && ones <= 9
}
