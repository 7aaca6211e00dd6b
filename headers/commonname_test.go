package headers

import "testing"

// Worked out by hand from the list's rule.
func TestCommonNamesAreListedInTheirOrder(t *testing.T) {
	cases := []struct {
		what string
		der  []byte
		want string
	}{
		{"one", name(attr(oidC, tagPrintableString, "DE"), attr(oidCN, 12, "client")), "client"},
		{"none", name(attr(oidC, tagPrintableString, "DE"), attr(oidO, 12, "client")), ""},
		{"several", name(attr(oidCN, 12, "b"), attr(oidO, 12, "x"), attr(oidCN, 12, "a")), "b,a"},
		{"in one RDN", name(attr(oidCN, 12, "b") + attr(oidOU, 12, "x") + attr(oidCN, 12, "a")), "b,a"},
		{"a comma forges none", name(attr(oidCN, 12, "a,admin")), "a%2Cadmin"},
		{"an escaped comma neither", name(attr(oidCN, 12, "a%2Cadmin")), "a%252Cadmin"},
		{"a line forges none", name(attr(oidCN, 12, "a\r\nVERIFIED: SUCCESS")), "a%0D%0AVERIFIED: SUCCESS"},
		{"NUL", name(attr(oidCN, 12, "admin\x00.evil")), "admin%00.evil"},
		{"spaces", name(attr(oidCN, 12, " a b ")), "%20a b%20"},
		{"UTF-8", name(attr(oidCN, 12, "é😀")), "%C3%A9%F0%9F%98%80"},
		{"BMP", name(attr(oidCN, tagBMPString, "\x00a\x20\xac")), "a%E2%82%AC"},
		{"universal", name(attr(oidCN, tagUniversalString, "\x00\x01\xf6\x00")), "%F0%9F%98%80"},
		{"T61 is Latin-1", name(attr(oidCN, tagTeletexString, "\xe9")), "%C3%A9"},
		{"wide comma", name(attr(oidCN, tagBMPString, "\x00,")), "%2C"},
		{"empty ones", name(attr(oidCN, 12, ""), attr(oidCN, 12, "a"), attr(oidCN, 12, "")), "a"},
		{"not text", name(attr(oidCN, tagBitString, "\x00a"), attr(oidCN, tagSequence, ""), attr(oidCN, 11, "x"), attr(oidCN, 12, "a")), "a"},
		{"an OID that begins alike", name(attr(oidCN+"\x01", 12, "x")), ""},
		{"empty name", name(), ""},
		{"absent", nil, ""},
	}
	for _, c := range cases {
		got, err := appendCN([]byte("x,"), c.der)
		if err != nil || string(got) != "x,"+c.want {
			t.Errorf("%s: got %q, %v; want %q", c.what, got, err, "x,"+c.want)
		}
	}
}
