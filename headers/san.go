package headers

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/netip"
)

// The kinds of GeneralName that are told of, by their tag numbers (RFC 5280 §4.2.1.6).
const (
	sanEmail = 1 // rfc822Name
	sanDNS   = 2 // dNSName
	sanURI   = 6 // uniformResourceIdentifier
	sanIP    = 7 // iPAddress: 4 or 16 bytes
)

// san is one subject alternative name.
type san struct {
	kind  byte   // sanEmail, sanDNS, sanURI or sanIP
	value []byte // the bytes of the encoding, nothing decoded
}

// sans returns the alternative names of the four kinds that are told of, in the order of the certificate. It reads the
// extension itself: crypto/x509 keeps URIs parsed only, and url.URL.String writes some of them in other words.
//
// The error is for extensions that are not GeneralNames. OpenSSL marks such certificates as invalid; crypto/x509
// overlooks tags that it does not know.
func sans(c *x509.Certificate) (names []san, err error) {
	extension, found, err := sanExtension(c)
	if err != nil || !found {
		return nil, err
	}
	list, rest, err := readTagged(extension, tagSequence, "subject alternative names")
	if err != nil {
		return nil, err
	}
	if len(rest) != 0 {
		return nil, errors.New("data after the subject alternative names")
	}
	for members := list.content; len(members) > 0; {
		var member element
		if member, members, err = readElement(members); err != nil {
			return nil, fmt.Errorf("reading subject alternative name: %w", err)
		}
		told, err := isTold(member)
		if err != nil {
			return nil, fmt.Errorf("reading subject alternative name: %w", err)
		}
		if told {
			names = append(names, san{kind: member.tag & 0x1f, value: member.content})
		}
	}
	return names, nil
}

// sanExtension is the content of the subjectAltName extension, if there is one.
func sanExtension(c *x509.Certificate) (value []byte, found bool, err error) {
	for _, extension := range c.Extensions {
		if !extension.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) {
			continue
		}
		if found {
			return nil, false, errors.New("reading subject alternative names: the extension stands twice")
		}
		value, found = extension.Value, true
	}
	return value, found, nil
}

// isTold reports whether a GeneralName is of a kind that is told of, by its identifier octet: the strings and the address
// are implicitly tagged, so primitive in DER.
func isTold(name element) (bool, error) {
	switch name.tag {
	case 0x80 | sanEmail, 0x80 | sanDNS, 0x80 | sanURI:
		return true, nil
	case 0x80 | sanIP:
		if n := len(name.content); n != 4 && n != 16 {
			return false, fmt.Errorf("an address of %d bytes", n)
		}
		return true, nil
	case 0xa0, 0xa3, 0xa4, 0xa5, 0x88: // otherName, x400Address, directoryName, ediPartyName, registeredID
		return false, nil
	default:
		return false, fmt.Errorf("identifier octet %#02x is no kind of name", name.tag)
	}
}

// appendSANs appends the names of one kind as a list (see appendListed), addresses in their usual text form (RFC 5952).
func appendSANs(dst []byte, c *x509.Certificate, kind byte) ([]byte, error) {
	names, err := sans(c)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	for _, name := range names {
		switch {
		case name.kind != kind:
		case kind == sanIP:
			address, _ := netip.AddrFromSlice(name.value)
			dst = appendMember(dst, start, []byte(address.String()))
		default:
			dst = appendMember(dst, start, name.value)
		}
	}
	return dst, nil
}
