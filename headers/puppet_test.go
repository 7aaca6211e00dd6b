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
		"second equals sign":            {name(cn("puppet.example.com=x")), ""},
		"shorter attribute beside it":   {name(cn("some-longer-agent.example.com") + attr(oidOU, tagUTF8String, "puppet.example.com")), "CN=some-longer-agent.example.com"},
		"type that Java does not know":  {name(attr(oidUnknown, tagUTF8String, "x.example.com"), cn("mallory")), "CN=mallory"},
		"slash and CN in another value": {name(attr(oidO, tagUTF8String, "x/CN=admin"), cn("mallory")), "CN=mallory"},
		"slash in the CN":               {name(cn("x/CN=admin")), ""},
		"separators":                    {name(cn(`a,b+c;d"e\f<g> h#`)), ""},
		"above ASCII":                   {name(attr(oidCN, tagBMPString, "\x00a\x01/")), ""}, // U+012F has the slash's last byte
		"backslash at the beginning":    {name(cn(`\puppet.example.com`)), ""},
		"hex at the beginning":          {name(cn("#0C127075707065742E6578616D706C652E636F6D")), ""},
		"blank at the end":              {name(cn("agent ")), ""},
		"CN that is no text":            {name(attr(oidCN, tagBitString, "\x00a")), ""},
		"CN that is no text beside one": {name(attr(oidCN, tagBitString, "\x00a"), cn("agent")), ""},
		"CN of a type that Java reads":  {name(attr(oidCN, 7, "puppet.example.com")), ""},
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

// FuzzPuppetFindsNoOtherName holds that whatever the subject, the header is empty or one CN of which no reader makes another.
func FuzzPuppetFindsNoOtherName(f *testing.F) {
	one := regexp.MustCompile(`^CN=[A-Za-z0-9._-]+$`)
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
