package headers

// appendLegacyDN appends a DER-encoded Name as OpenSSL 3.0's X509_NAME_oneline does, which nginx puts into
// $ssl_client_s_dn_legacy: "/C=US/O=Acme/CN=a+UID=b", in the order of the encoding, with the bytes of each value as they stand,
// whatever its type. On error, which is as in appendDN, dst is returned as it was.
func appendLegacyDN(dst, rawName []byte) ([]byte, error) {
	shortType := func(dst []byte, a attribute) []byte {
		dst, _ = appendType(dst, a)
		return dst
	}
	return appendOneline(dst, rawName, shortType, appendLegacyByte)
}

// appendOneline is appendLegacyDN with other ways to write an attribute's type and a byte of its value.
func appendOneline(dst, rawName []byte, kind func(dst []byte, a attribute) []byte, write func(dst []byte, b byte) []byte) ([]byte, error) {
	var usual [usualAttributes]attribute
	attrs, err := readRawName(usual[:0], rawName)
	if err != nil {
		return dst, err
	}
	for i, a := range attrs {
		separator := byte('/')
		if i > 0 && a.rdn == attrs[i-1].rdn {
			separator = '+'
		}
		dst = kind(append(dst, separator), a)
		dst = append(dst, '=')
		for _, b := range storedBytes(a.value) {
			dst = write(dst, b)
		}
	}
	return dst, nil
}

// storedBytes are what OpenSSL keeps of a checked value in its ASN1_STRING: the content; of a SEQUENCE all of the encoding; of a
// BIT STRING the bits that count (ossl_c2i_ASN1_BIT_STRING).
func storedBytes(v element) []byte {
	switch v.tag {
	case tagSequence:
		return v.full
	case tagBitString:
		return countedBits(v)
	default:
		return v.content
	}
}

// appendLegacyByte leaves the backslash alone, so that "\x00" may be one byte or four, and O="x\", CN="y" the same as O="x/CN=y";
// that is OpenSSL's way.
func appendLegacyByte(dst []byte, b byte) []byte {
	switch {
	case b < ' ' || b > '~':
		return appendLegacyHex(dst, b)
	case b == '/' || b == '+':
		return append(dst, '\\', b)
	default:
		return append(dst, b)
	}
}

func appendLegacyHex(dst []byte, b byte) []byte {
	return append(dst, '\\', 'x', upperHex[b>>4], upperHex[b&15])
}
