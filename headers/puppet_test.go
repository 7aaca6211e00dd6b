package headers

import (
	"regexp"
	"strings"
	"testing"
)

func TestPuppetIsToldOfOneCommonNameAlone(t *testing.T) {
	cn := func(value string) string { return attr(oidCN, tagUTF8String, value) }
	for what, c := range map[string]struct {
		subject []byte
		want    string
	}{
		"ordinary":                      {name(attr(oidO, tagUTF8String, "Acme, Inc."), cn("agent-1.example_x")), "CN=agent-1.example_x"},
		"in capitals":                   {name(cn("Agent")), "CN=Agent"},
		"second equals sign":            {name(cn("puppet.example.com=x")), `CN=puppet.example.com\3Dx`},
		"shorter attribute beside it":   {name(cn("some-longer-agent.example.com") + attr(oidOU, tagUTF8String, "puppet.example.com")), "CN=some-longer-agent.example.com"},
		"type that Java does not know":  {name(attr(oidUnknown, tagUTF8String, "x.example.com"), cn("mallory")), "CN=mallory"},
		"slash and CN in another value": {name(attr(oidO, tagUTF8String, "x/CN=admin"), cn("mallory")), "CN=mallory"},
		"slash in the CN":               {name(cn("x/CN=admin")), `CN=x\2FCN\3Dadmin`},
		"separators":                    {name(cn(`a,b+c;d"e\f<g> h#`)), `CN=a\2Cb\2Bc\3Bd\22e\5Cf\3Cg\3E\20h\23`},
		"above ASCII":                   {name(attr(oidCN, tagBMPString, "\x00a\x01/")), `CN=a\C4\AF`}, // U+012F has the slash's last byte
		"two CNs":                       {name(cn("a"), cn("b")), ""},
		"two CNs in one":                {name(cn("a") + cn("b")), ""},
		"no CN":                         {name(attr(oidO, tagUTF8String, "CN=a")), ""},
		"empty CN":                      {name(cn("")), ""},
		"no subject":                    {name(), ""},
	} {
		facts := client(named(c.subject)...)
		got, err := puppetDN(nil, &facts)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v; want %s", what, got, err, c.want)
		}
	}
}

// FuzzPuppetFindsNoOtherName holds that whatever the subject, the header is empty or one CN without any separator.
func FuzzPuppetFindsNoOtherName(f *testing.F) {
	one := regexp.MustCompile(`^CN=([A-Za-z0-9._-]|\\[0-9A-F]{2})+$`)
	f.Add(name(attr(oidO, tagUTF8String, "x/CN=admin"), attr(oidCN, tagUTF8String, "agent")))
	f.Add(name(attr(oidCN, tagUTF8String, `\"/;=`) + attr(oidUnknown, tagBMPString, "\x00/")))
	f.Fuzz(func(t *testing.T, subject []byte) {
		facts := client(named(subject)...)
		got, err := puppetDN(nil, &facts)
		if err != nil {
			return
		}
		attributes, types := attributesOf(t, subject)
		if strings.Count(" "+strings.Join(types, " ")+" ", " CN ") > 1 && len(got) > 0 {
			t.Errorf("%q is told as %s", attributes, got)
		}
		if len(got) > 0 && !one.Match(got) {
			t.Errorf("%q is told as %s", attributes, got)
		}
	})
}
