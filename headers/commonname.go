package headers

import "unicode/utf8"

const contentCN = "\x55\x04\x03" // 2.5.4.3, encoded

// appendCN appends the common names of a DER-encoded Name as a list (see appendListed), in the order of the encoding, each
// converted to UTF-8 as for $ssl_client_s_dn. A value that is not text is left out. The error is as in appendDN.
func appendCN(dst, rawName []byte) ([]byte, error) {
	var usual [usualAttributes]attribute
	attrs, err := readRawName(usual[:0], rawName)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	var text []byte
	for _, a := range attrs {
		if string(a.oid) == contentCN && isText(a.value) {
			text = appendText(text[:0], a.value, appendPlain)
			dst = appendMember(dst, start, text)
		}
	}
	return dst, nil
}

func appendPlain(dst []byte, c rune, _ place) []byte {
	return utf8.AppendRune(dst, c)
}
