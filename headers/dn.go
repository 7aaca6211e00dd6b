package headers

import (
	"errors"
	"fmt"
)

// attribute is one AttributeTypeAndValue of a name and the place of its RDN (RFC 5280 §4.1.2.4).
type attribute struct {
	oid   []byte
	value element
	rdn   int
}

// usualAttributes is how many attributes a name is expected to have; more cost an allocation.
const usualAttributes = 12

// DN renders a DER-encoded Name as OpenSSL 3.0's X509_NAME_print_ex does with XN_FLAG_RFC2253, which is what nginx puts
// into $ssl_client_s_dn. The result consists of visible ASCII and space only. An empty name gives "", as does no name.
//
// The order is reversed, also inside a multi-valued RDN; types go by OpenSSL's short name where it has one, by dotted OID
// otherwise, and then with the value as # and the hex of its DER.
//
// The error is for names that OpenSSL does not read, so that nginx could not have been given the certificate: a broken
// structure, a value type outside DirectoryString and its relatives, text that is not valid in its encoding. BER that is not
// DER and OID components above 63 bits, which OpenSSL reads, are refused too. crypto/x509 refuses nearly all of these before;
// it overlooks data after an attribute's value.
func DN(rawName []byte) (string, error) {
	out, err := appendDN(make([]byte, 0, len(rawName)*3/2), rawName)
	if err != nil {
		return "", err
	}
	return string(out), nil
}

// appendDN is DN without the string. On error dst is returned as it was.
func appendDN(dst, rawName []byte) ([]byte, error) {
	return appendReversed(dst, rawName, appendAttribute)
}

// appendReversed appends a name's attributes from the last to the first, with "+" inside a relative distinguished name and ","
// elsewhere, each as write says. On error dst is returned as it was.
func appendReversed(dst, rawName []byte, write func(dst []byte, a attribute) []byte) ([]byte, error) {
	var usual [usualAttributes]attribute
	attrs, err := readRawName(usual[:0], rawName)
	if err != nil {
		return dst, err
	}
	out := dst
	for i := len(attrs) - 1; i >= 0; i-- {
		if i < len(attrs)-1 {
			separator := byte(',')
			if attrs[i].rdn == attrs[i+1].rdn {
				separator = '+'
			}
			out = append(out, separator)
		}
		out = write(out, attrs[i])
	}
	return out, nil
}

// readRawName is readName for what may be no name at all.
func readRawName(attrs []attribute, rawName []byte) ([]attribute, error) {
	if len(rawName) == 0 {
		return nil, nil
	}
	attrs, err := readName(attrs, rawName)
	if err != nil {
		return nil, fmt.Errorf("rendering distinguished name: %w", err)
	}
	return attrs, nil
}

// appendType appends what OpenSSL calls an attribute's type: its short name, else the dotted OID.
func appendType(dst []byte, a attribute) (out []byte, known bool) {
	name, known := shortName(a.oid)
	if !known {
		return appendOID(dst, a.oid), false
	}
	return append(dst, name...), true
}

func appendAttribute(dst []byte, a attribute) []byte {
	return appendTypeAndValue(dst, a, appendEscaped)
}

// appendTypeAndValue appends an attribute with its text, if it is text of a known type, as write says.
func appendTypeAndValue(dst []byte, a attribute, write func(dst []byte, c rune, where place) []byte) []byte {
	dst, known := appendType(dst, a)
	dst = append(dst, '=')
	if !known || !isText(a.value) {
		return appendDump(dst, a.value)
	}
	return appendText(dst, a.value, write)
}

// readName appends the attributes of a Name to attrs, in the order of the encoding, each checked so that rendering it
// cannot fail.
func readName(attrs []attribute, rawName []byte) ([]attribute, error) {
	name, rest, err := readTagged(rawName, tagSequence, "name")
	if err != nil {
		return nil, err
	}
	if len(rest) != 0 {
		return nil, errors.New("data after the name")
	}
	for rdns, rdn := name.content, 0; len(rdns) > 0; rdn++ {
		var set element
		if set, rdns, err = readTagged(rdns, tagSet, "relative distinguished name"); err != nil {
			return nil, err
		}
		for members := set.content; len(members) > 0; {
			var member element
			if member, members, err = readTagged(members, tagSequence, "attribute"); err != nil {
				return nil, err
			}
			a, err := readAttribute(member.content)
			if err != nil {
				return nil, err
			}
			a.rdn = rdn
			attrs = append(attrs, a)
		}
	}
	return attrs, nil
}

func readAttribute(der []byte) (a attribute, err error) {
	oid, rest, err := readTagged(der, tagObjectID, "attribute type")
	if err != nil {
		return a, err
	}
	if err = checkOID(oid.content); err != nil {
		return a, fmt.Errorf("reading attribute type: %w", err)
	}
	value, rest, err := readElement(rest)
	if err != nil {
		return a, fmt.Errorf("reading attribute value: %w", err)
	}
	if len(rest) != 0 {
		return a, errors.New("data after the attribute value")
	}
	if err = checkValue(value); err != nil {
		return a, fmt.Errorf("reading attribute value: %w", err)
	}
	return attribute{oid: oid.content, value: value}, nil
}
