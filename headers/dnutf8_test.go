package headers

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// Worked out by hand: the RFC 2253 form, with printable characters above ASCII as they are.
func TestUTF8DNKeepsWhatIsPrintable(t *testing.T) {
	cases := []struct {
		what string
		der  []byte
		want string
	}{
		{"one of everything", manyKinds(), `UID=u1+CN=multi,1.2.3.4.5.6=#0C06637573746F6D,serialNumber=42,emailAddress=a@b.c,DC=example,` +
			`OU=tab\09nl\0Anul\00del\7F,OU=\#hash\<a\>\"q\"\\b=c/d,O=\ lead\,trail\;\ ,ST=São Paulo,C=US`},
		{"BMP", name(attr(oidCN, tagBMPString, "\x00h\x00\xe9\x20\xac")), "CN=hé€"},
		{"T61 is Latin-1", name(attr(oidCN, tagTeletexString, "h\xe9")), "CN=hé"},
		{"universal", name(attr(oidCN, tagUniversalString, "\x00\x01\xf6\x00")), "CN=😀"},
		{"scripts", name(attr(oidCN, 12, "Ж中あ한עא़")), "CN=Ж中あ한עא़"},
		{"C1 controls", name(attr(oidCN, 12, "a\u0080\u0085\u009fb")), `CN=a\C2\80\C2\85\C2\9Fb`},
		{"bidirectional", name(attr(oidCN, 12, "a\u202eb\u2066c\u200fd")), `CN=a\E2\80\AEb\E2\81\A6c\E2\80\8Fd`},
		{"zero width", name(attr(oidCN, 12, "a\u200bb\ufeffc\u00add")), `CN=a\E2\80\8Bb\EF\BB\BFc\C2\ADd`},
		{"other spaces", name(attr(oidCN, 12, "a\u00a0b\u3000c\u2028d")), `CN=a\C2\A0b\E3\80\80c\E2\80\A8d`},
		{"noncharacter", name(attr(oidCN, 12, "\ufffe")), `CN=\EF\BF\BE`},
		{"private use", name(attr(oidCN, 12, "\ue000")), `CN=\EE\80\80`},
		{"spaces at the ends", name(attr(oidCN, 12, " é ")), `CN=\ é\ `},
		{"hash before it", name(attr(oidCN, 12, "#é")), `CN=\#é`},
		{"unknown type", name(attr(oidUnknown, 12, "é")), "1.2.3.4.5.6=#0C02C3A9"},
		{"empty", name(), ""},
		{"absent", nil, ""},
	}
	for _, c := range cases {
		got, err := appendUTF8DN([]byte("x"), c.der)
		if err != nil || string(got) != "x"+c.want {
			t.Errorf("%s: got %q, %v; want %q", c.what, got, err, "x"+c.want)
		}
	}
}

// TestUTF8DNAgreesWithOpenSSLOnHostileSubjects compares with OpenSSL's RFC 2253 form without its escaping of bytes above ASCII, in
// which only what is not printable is then escaped here.
func TestUTF8DNAgreesWithOpenSSLOnHostileSubjects(t *testing.T) {
	requireTool(t, "openssl")
	subjects := hostileSubjects(t, 1500)
	dir := t.TempDir()
	writeCertificates(t, dir, subjects)
	printed := verifySubjects(t, dir, "RFC2253,-esc_msb", len(subjects))
	for i, subject := range subjects {
		want, read := printed[i]
		got, err := appendUTF8DN(nil, subject)
		switch {
		case !read && err == nil:
			t.Errorf("%x: got %q, openssl does not read it", subject, got)
		case read && (err != nil || string(got) != hideUnprintable(want)):
			t.Errorf("%x:\n got %q, %v\nwant %q", subject, got, err, hideUnprintable(want))
		}
	}
}

func hideUnprintable(text string) string {
	var out strings.Builder
	for _, r := range text {
		if r < utf8.RuneSelf || unicode.IsPrint(r) {
			out.WriteRune(r)
			continue
		}
		for _, b := range []byte(string(r)) {
			fmt.Fprintf(&out, `\%02X`, b)
		}
	}
	return out.String()
}

// TestAUTF8NameSurvivesWhoTrimsLatin1: header bytes are Latin-1 text to WSGI, Node and servlets, in which the last byte of some
// letters is white space.
func TestAUTF8NameSurvivesWhoTrimsLatin1(t *testing.T) {
	for value, want := range map[string]string{
		"Anna Vilà": `CN=Anna Vil\C3\A0`,
		"Anna VilÅ": `CN=Anna Vil\C3\85`,
		"à Å":       `CN=à \C3\85`,
		"é":         "CN=é",
		"à":         `CN=\C3\A0`,
		"ab":        "CN=ab",
	} {
		got, err := appendUTF8DN(nil, name(attr(oidCN, tagUTF8String, value)))
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v; want %s", value, got, err, want)
		}
		var latin1 []rune
		for _, b := range got {
			latin1 = append(latin1, rune(b))
		}
		if text := string(latin1); strings.TrimSpace(text) != text {
			t.Errorf("%s: %q loses its end", value, text)
		}
	}
}
