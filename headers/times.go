package headers

import (
	"crypto/x509"
	"strconv"
	"time"
)

const secondsPerDay = 86400

// appendTime appends a time as OpenSSL's ASN1_TIME_print does, which nginx puts into $ssl_client_v_start and _v_end:
// "Feb  3 00:55:52 2015 GMT".
func appendTime(dst []byte, t time.Time) []byte {
	if !isReadByOpenSSL(t) {
		return append(dst, "Bad time value"...)
	}
	t = t.UTC()
	dst = t.AppendFormat(dst, "Jan _2 15:04:05 ")
	dst = strconv.AppendInt(dst, int64(t.Year()), 10)
	return append(dst, " GMT"...)
}

// isReadByOpenSSL reports whether ossl_asn1_time_to_tm takes a time that crypto/x509 took. They differ in times with an
// offset from UTC, which RFC 5280 §4.1.2.5 forbids: OpenSSL wants it below 13 hours, and the year in UTC from 1900 to 9999.
func isReadByOpenSSL(t time.Time) bool {
	const most = 13 * 60 * 60
	_, offset := t.Zone()
	year := t.UTC().Year()
	return offset == 0 || -most < offset && offset < most && 1900 <= year && year <= 9999
}

// appendRemain appends $ssl_client_v_remain.
func appendRemain(dst []byte, notAfter, now time.Time) []byte {
	if !isReadByNginx(notAfter) {
		return dst
	}
	return strconv.AppendInt(dst, remainingDays(notAfter, now), 10)
}

// remainingDays counts as nginx's ngx_ssl_get_client_v_remain does: whole days of 86400 seconds between whole seconds, none
// once less than a day remains.
func remainingDays(notAfter, now time.Time) int64 {
	return max(0, (notAfter.Unix()-now.Unix())/secondsPerDay)
}

// isReadByNginx reports whether ngx_parse_http_time takes what ASN1_TIME_print makes of a time. It wants four digits for the
// year, and its sign of a failure is -1, which is the last second before 1970 as well. $ssl_client_v_remain is empty then.
func isReadByNginx(t time.Time) bool {
	return isReadByOpenSSL(t) && t.UTC().Year() >= 1000 && t.Unix() != -1
}

// remainChanges is when $ssl_client_v_remain has its next value, the zero time when it has its last.
func remainChanges(leaf *x509.Certificate, now time.Time) time.Time {
	days := remainingDays(leaf.NotAfter, now)
	if days == 0 || !isReadByNginx(leaf.NotAfter) {
		return time.Time{}
	}
	return time.Unix(leaf.NotAfter.Unix()-days*secondsPerDay+1, 0)
}
