package headers

import "encoding/base64"

// pemLine is how many bytes of DER make a line of PEM: 64 characters of base64 (RFC 7468 §2).
const pemLine = 48

// appendPEM appends a certificate as PEM, as PEM_write_bio_X509 writes it and nginx keeps it in $ssl_client_raw_cert: lines
// of 64 characters, each ended by a line feed, the last one too. It has no place in a header without further encoding.
func appendPEM(dst, der []byte) []byte {
	dst = append(dst, "-----BEGIN CERTIFICATE-----\n"...)
	for len(der) > 0 {
		n := min(len(der), pemLine)
		dst = appendStdBase64(dst, der[:n])
		dst = append(dst, '\n')
		der = der[n:]
	}
	return append(dst, "-----END CERTIFICATE-----\n"...)
}

// appendEscapedPEM appends a certificate as nginx writes $ssl_client_escaped_cert: PEM, percent-encoded.
func appendEscapedPEM(dst, der []byte) []byte {
	text := appendPEM(make([]byte, 0, len(der)*3/2+64), der)
	return appendURIComponent(dst, text)
}

// appendURIComponent appends text with all but the unreserved characters of RFC 3986 §2.3 as %XX, upper case: nginx's
// NGX_ESCAPE_URI_COMPONENT.
func appendURIComponent[T string | []byte](dst []byte, text T) []byte {
	for i := range len(text) {
		if b := text[i]; isUnreserved(b) {
			dst = append(dst, b)
		} else {
			dst = appendPercent(dst, b)
		}
	}
	return dst
}

func isUnreserved(b byte) bool {
	return isLetterOrDigit(b) || b == '-' || b == '.' || b == '_' || b == '~'
}

func isLetterOrDigit(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9'
}

func appendPercent(dst []byte, b byte) []byte {
	return append(dst, '%', upperHex[b>>4], upperHex[b&15])
}

// appendListed appends one member of a list, without the comma that separates it from the next. Visible ASCII and inner
// spaces stay, but for percent, comma, double quote, semicolon and backslash; these, a space at either end, controls and
// all bytes above ASCII become %XX. So splitting a list at its commas and percent-decoding each part gives exactly the
// members, and no member can pass for two, nor end a quoted string or a parameter that the list was put into.
func appendListed(dst, value []byte) []byte {
	for i, b := range value {
		switch {
		case b < ' ' || b > '~',
			b == '%' || b == ',' || b == '"' || b == ';' || b == '\\',
			b == ' ' && (i == 0 || i == len(value)-1):
			dst = appendPercent(dst, b)
		default:
			dst = append(dst, b)
		}
	}
	return dst
}

// appendMember appends a member to the list that begins at start in dst, after a comma unless it is the first. An empty
// member is left out: it names nobody, and alone it could not be told from an empty list.
func appendMember(dst []byte, start int, value []byte) []byte {
	if len(value) == 0 {
		return dst
	}
	if len(dst) > start {
		dst = append(dst, ',')
	}
	return appendListed(dst, value)
}

// appendStdBase64 appends standard base64 with padding, on one line.
func appendStdBase64(dst, data []byte) []byte {
	return base64.StdEncoding.AppendEncode(dst, data)
}
