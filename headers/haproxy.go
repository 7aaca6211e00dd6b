package headers

import (
	"crypto/sha1"
	"strconv"
	"strings"
	"time"
)

// applicationVerification is X509_V_ERR_APPLICATION_VERIFICATION, for failures that OpenSSL has no number for.
const applicationVerification = 50

// haproxyVerify appends ssl_c_verify: 0 when the certificate was verified, OpenSSL's number when not. HAProxy says 0 without
// a certificate, too, and a back end that looks at nothing else believes everybody; here there is no value then.
func haproxyVerify(dst []byte, f *Facts) ([]byte, error) {
	switch {
	case f.Verify == VerifySuccess:
		return append(dst, '0'), nil
	case !strings.HasPrefix(f.Verify, VerifyFailed):
		return dst, nil
	case f.Code == 0:
		return strconv.AppendInt(dst, applicationVerification, 10), nil
	default:
		return strconv.AppendInt(dst, int64(f.Code), 10), nil
	}
}

// haproxyVersion appends ssl_c_version: 3 for X.509 v3.
func haproxyVersion(dst []byte, f *Facts) ([]byte, error) {
	return strconv.AppendInt(dst, int64(f.leaf().Version), 10), nil
}

// haproxySHA1 appends ssl_c_sha1,hex, in upper case.
func haproxySHA1(dst []byte, f *Facts) ([]byte, error) {
	sum := sha1.Sum(f.leaf().Raw)
	return appendHex(dst, sum[:]), nil
}

// haproxyCN appends ssl_c_s_dn(cn): the first common name in the order of the certificate. HAProxy sends the bytes as they are
// encoded; here they are UTF-8 and escaped as members of a list are (see appendListed), which changes no ordinary name.
func haproxyCN(dst []byte, f *Facts) ([]byte, error) {
	var usual [usualAttributes]attribute
	attrs, err := readRawName(usual[:0], f.leaf().RawSubject)
	if err != nil {
		return dst, err
	}
	for _, a := range attrs {
		if string(a.oid) == contentCN && isText(a.value) {
			return appendListed(dst, appendText(nil, a.value, appendPlain)), nil
		}
	}
	return dst, nil
}

// haproxySubject appends ssl_c_s_dn, see appendHAProxyName.
func haproxySubject(dst []byte, f *Facts) ([]byte, error) {
	return appendHAProxyName(dst, f.leaf().RawSubject)
}

// haproxyIssuer appends ssl_c_i_dn.
func haproxyIssuer(dst []byte, f *Facts) ([]byte, error) {
	return appendHAProxyName(dst, f.leaf().RawIssuer)
}

// appendHAProxyName appends a Name in OpenSSL's old form, which HAProxy writes without any escape. Readers split it at slashes, so
// in values slash, plus, equals sign and backslash are written as bytes above ASCII are, "\x2F": no value looks like the
// next attribute, and no two names are alike.
func appendHAProxyName(dst, rawName []byte) ([]byte, error) {
	return appendOneline(dst, rawName, appendPlainType, func(dst []byte, b byte) []byte {
		if b < ' ' || b > '~' || b == '/' || b == '+' || b == '=' || b == '\\' {
			return appendLegacyHex(dst, b)
		}
		return append(dst, b)
	})
}

// haproxyNotBefore appends ssl_c_notbefore.
func haproxyNotBefore(dst []byte, f *Facts) ([]byte, error) {
	return appendHAProxyTime(dst, f.leaf().NotBefore), nil
}

// haproxyNotAfter appends ssl_c_notafter.
func haproxyNotAfter(dst []byte, f *Facts) ([]byte, error) {
	return appendHAProxyTime(dst, f.leaf().NotAfter), nil
}

// appendHAProxyTime appends a time as HAProxy does, YYMMDDhhmmssZ. Outside of the years 2000 to 2099 it has nothing to say.
func appendHAProxyTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	if t.Year() < 2000 || t.Year() > 2099 {
		return dst
	}
	return t.AppendFormat(dst, "060102150405Z")
}
