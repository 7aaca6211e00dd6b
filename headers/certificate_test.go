package headers

import (
	"crypto/x509"
	"testing"
)

// crafted is a certificate made by hand, for what crypto/x509 does not write. It is not signed.
type crafted struct {
	serial              string // content of the INTEGER; default 1
	subject, issuer     []byte // default: empty name, CN=issuer
	notBefore, notAfter string // whole TLV; default 2020 and 2099
	extensions          string // concatenated Extension TLVs
}

// times as DER
func utcTime(text string) string         { return tlv(23, text) }
func generalizedTime(text string) string { return tlv(24, text) }

const (
	ed25519Algorithm = "\x30\x05\x06\x03\x2b\x65\x70"
	oidSAN           = "\x55\x1d\x11"
	oidKeyUsage      = "\x55\x1d\x0f"
	oidConstraints   = "\x55\x1d\x13"
)

func or[T string | []byte](value, otherwise T) T {
	if len(value) == 0 {
		return otherwise
	}
	return value
}

func (c crafted) der() []byte {
	tbs := tlv(0xa0, "\x02\x01\x02") + // v3
		tlv(2, or(c.serial, "\x01")) +
		ed25519Algorithm +
		string(or(c.issuer, name(attr(oidCN, tagUTF8String, "issuer")))) +
		tlv(tagSequence, or(c.notBefore, utcTime("200101000000Z"))+or(c.notAfter, generalizedTime("20990101000000Z"))) +
		string(or(c.subject, name())) +
		tlv(tagSequence, ed25519Algorithm+tlv(tagBitString, "\x00"+string(make([]byte, 32))))
	if c.extensions != "" {
		tbs += tlv(0xa3, tlv(tagSequence, c.extensions))
	}
	return []byte(tlv(tagSequence, tlv(tagSequence, tbs)+ed25519Algorithm+tlv(tagBitString, "\x00"+string(make([]byte, 64)))))
}

func (c crafted) parse(t *testing.T) *x509.Certificate {
	t.Helper()
	parsed, err := x509.ParseCertificate(c.der())
	if err != nil {
		t.Fatalf("parsing a crafted certificate: %v", err)
	}
	return parsed
}

func extension(oid, value string) string {
	return tlv(tagSequence, tlv(tagObjectID, oid)+tlv(4, value))
}

// generalNames is a subjectAltName extension of these GeneralName TLVs.
func generalNames(members ...string) string {
	all := ""
	for _, m := range members {
		all += m
	}
	return extension(oidSAN, tlv(tagSequence, all))
}

func generalName(kind byte, value string) string { return tlv(0x80|kind, value) }

// valueOf is what the variable says, which must not be an error.
func valueOf(t *testing.T, variable string, f Facts) string {
	t.Helper()
	v := findVariable(variable, false)
	if v == nil {
		t.Fatalf("there is no variable %s", variable)
	}
	const before = "before "
	got, err := v.value([]byte(before), &f)
	if err != nil {
		t.Errorf("%s: %v", variable, err)
		return ""
	}
	if len(got) < len(before) || string(got[:len(before)]) != before {
		t.Fatalf("%s does not append to what stood there: %q", variable, got)
	}
	return string(got[len(before):])
}

// client is the facts about a verified client.
func client(chain ...*x509.Certificate) Facts {
	return Facts{Verify: VerifySuccess, Chain: chain}
}
