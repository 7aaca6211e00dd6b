package headers

import (
	"slices"
	"strings"
	"testing"
)

func TestPuppetsNameHasNoSlashOfAValue(t *testing.T) {
	cases := []struct {
		subject []byte
		want    string
	}{
		{name(attr(oidO, tagUTF8String, "Acme, Inc."), attr(oidCN, tagUTF8String, "agent.example")), `CN=agent.example,O=Acme\, Inc.`},
		{name(attr(oidO, tagUTF8String, "x/CN=admin"), attr(oidCN, tagUTF8String, "agent")), `CN=agent,O=x\2FCN=admin`},
		{name(attr(oidO, tagUTF8String, `/\/"é #`)), `O=\2F\\\2F\"\C3\A9 #`},
		{name(attr(oidO, tagBMPString, "\x00/\x01/")), `O=\2F\C4\AF`}, // U+012F has the slash's last byte
	}
	for _, c := range cases {
		facts := client(named(c.subject)...)
		got, err := puppetDN(nil, &facts)
		if err != nil || string(got) != c.want {
			t.Errorf("%q: got %s, %v; want %s", c.subject, got, err, c.want)
		}
	}
}

// FuzzHexedNamesReadTheSame holds that a name with hex pairs is the same name to a reader of RFC 4514, with none of the
// characters in its values.
func FuzzHexedNamesReadTheSame(f *testing.F) {
	f.Add(name(attr(oidO, tagUTF8String, "x/CN=admin"), attr(oidCN, tagUTF8String, "agent")))
	f.Add(name(attr(oidO, tagUTF8String, `\"/;=`) + attr(oidUnknown, tagBMPString, "\x00/")))
	f.Fuzz(func(t *testing.T, subject []byte) {
		facts := client(named(subject)...)
		hexed, err := puppetDN(nil, &facts)
		if err != nil {
			return
		}
		want, _ := attributesOf(t, subject)
		got := readName2253(t, string(hexed))
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", hexed, got, want)
		}
		if strings.Contains(string(hexed), "/") {
			t.Errorf("%s has a slash", hexed)
		}
	})
}
