package headers

import (
	"math/big"
	"strings"
	"testing"
)

// Worked out by hand from i2a_ASN1_INTEGER: two digits for each byte of the number, no sign byte.
func TestSerialsAreWrittenAsOpenSSLWritesThem(t *testing.T) {
	twenty := "\x7f\x00" + strings.Repeat("\xab", 17) + "\x01"
	cases := []struct{ content, want string }{
		{"\x00", "00"},
		{"\x01", "01"},
		{"\x7f", "7F"},
		{"\x00\x80", "80"},
		{"\x0a\xbc", "0ABC"},
		{"\x01\x00", "0100"},
		{"\x00\xff\xff", "FFFF"},
		{"\x00\xde\xad\xbe\xef", "DEADBEEF"},
		{twenty, "7F00" + strings.Repeat("AB", 17) + "01"},
		{"\x00\xff" + strings.Repeat("\x00", 19), "FF" + strings.Repeat("00", 19)},
		{strings.Repeat("\x11", 36), strings.Repeat("11", 36)}, // OpenSSL would break the line
	}
	for _, c := range cases {
		leaf := crafted{serial: c.content}.parse(t)
		if got := valueOf(t, "ssl_client_serial", client(leaf)); got != c.want {
			t.Errorf("%x: got %q, want %q", c.content, got, c.want)
		}
	}
}

// crypto/x509 reads negative serial numbers only when GODEBUG asks for it.
func TestNegativeSerialsHaveASign(t *testing.T) {
	for number, want := range map[int64]string{-1: "-01", -128: "-80", -2748: "-0ABC"} {
		if got := string(appendSerial(nil, big.NewInt(number))); got != want {
			t.Errorf("%d: got %q, want %q", number, got, want)
		}
	}
}
