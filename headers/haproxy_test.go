package headers

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHAProxysVerdictIsANumberAndNoneWithoutACertificate(t *testing.T) {
	chain, _ := recorded(t, "names")
	cases := []struct {
		facts Facts
		want  []string
	}{
		{Facts{Verify: VerifySuccess, Chain: chain}, []string{"X-SSL-Client-Verify: 0"}},
		{Facts{Verify: "FAILED:self-signed certificate", Code: 18, Chain: chain}, []string{"X-SSL-Client-Verify: 18"}},
		{Facts{Verify: "FAILED:certificate status request failed", Chain: chain}, []string{"X-SSL-Client-Verify: 50"}}, // X509_V_ERR_APPLICATION_VERIFICATION
		{Facts{Verify: VerifyNone}, nil},
		{Facts{Verify: VerifyNone, Code: 18, Chain: chain}, nil},
	}
	for _, c := range cases {
		var got []string
		for _, line := range presetLines(t, "haproxy", c.facts) {
			if strings.HasPrefix(line, "X-SSL-Client-Verify") {
				got = append(got, line)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s, %d: got %q, want %q", c.facts.Verify, c.facts.Code, got, c.want)
		}
	}
}

// HAProxy 2.6.12 answered "first" for the subject /C=US/O=Acme/CN=first/CN=second, and the bytes themselves for others.
func TestHAProxysCommonNameIsTheFirst(t *testing.T) {
	cases := []struct {
		subject []byte
		want    string
	}{
		{name(attr(oidO, tagUTF8String, "Acme"), attr(oidCN, tagUTF8String, "first"), attr(oidCN, tagUTF8String, "second")), "first"},
		{name(attr(oidO, tagUTF8String, "Acme"), attr(oidCN, tagUTF8String, "multi")+attr(oidOU, tagUTF8String, "u")), "multi"},
		{name(attr(oidCN, tagUTF8String, "Dév, x%\"y;z\r\n")), "D%C3%A9v%2C x%25%22y%3Bz%0D%0A"},
		{name(attr(oidCN, tagTeletexString, "\xe9")), "%C3%A9"},
		{name(attr(oidCN, tagBMPString, "\x00a\x00b")), "ab"},
		{name(attr(oidCN, tagBitString, "\x00a"), attr(oidCN, tagUTF8String, "text")), "text"},
		{name(attr(oidO, tagUTF8String, "CN=Acme")), ""},
		{name(), ""},
	}
	for _, c := range cases {
		facts := client(named(c.subject)...)
		got, err := haproxyCN(nil, &facts)
		if err != nil || string(got) != c.want {
			t.Errorf("%q: got %q, %v; want %q", c.subject, got, err, c.want)
		}
	}
	facts := client(named([]byte("junk"))...)
	if got, err := haproxyCN(nil, &facts); err == nil || got != nil {
		t.Errorf("junk: got %q, %v; want an error", got, err)
	}
}

// HAProxy 2.6.12 sent an empty value for a certificate valid until 2136; ssl_sock_get_time refuses the years before 2000, too.
func TestHAProxysTimesHaveNoCentury(t *testing.T) {
	cases := []struct {
		at   time.Time
		want string
	}{
		{time.Date(2026, 11, 22, 6, 9, 24, 0, time.UTC), "261122060924Z"},
		{time.Date(2026, 1, 1, 1, 0, 0, 0, time.FixedZone("", 2*3600)), "251231230000Z"},
		{time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), "000101000000Z"},
		{time.Date(2099, 12, 31, 23, 59, 59, 0, time.UTC), "991231235959Z"},
		{time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC), ""},
		{time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), ""},
		{time.Date(2136, 5, 1, 0, 0, 0, 0, time.UTC), ""},
	}
	for _, c := range cases {
		if got := string(appendHAProxyTime(nil, c.at)); got != c.want {
			t.Errorf("%v: got %q, want %q", c.at, got, c.want)
		}
	}
}

// TestHAProxysNamesHaveOneReading: readers of this form split at slashes, and key accounts by the whole.
func TestHAProxysNamesHaveOneReading(t *testing.T) {
	seen := map[string]string{}
	for what, c := range map[string]struct {
		subject []byte
		want    string
	}{
		"slash that would be a CN":     {name(attr(oidO, tagUTF8String, "x/CN=admin"), attr(oidCN, tagUTF8String, "mallory")), `/O=x\x2FCN\x3Dadmin/CN=mallory`},
		"backslash before the slash":   {name(attr(oidO, tagUTF8String, `x\`), attr(oidCN, tagUTF8String, "alice")), `/O=x\x5C/CN=alice`},
		"slash after what looks alike": {name(attr(oidO, tagUTF8String, "x/CN=alice")), `/O=x\x2FCN\x3Dalice`},
		"plus that would be a CN":      {name(attr(oidO, tagUTF8String, "x+CN=alice")), `/O=x\x2BCN\x3Dalice`},
		"two attributes in one":        {name(attr(oidO, tagUTF8String, "x") + attr(oidCN, tagUTF8String, "alice")), `/O=x+CN=alice`},
		"a byte and its spelling":      {name(attr(oidCN, tagUTF8String, `\xC3`)), `/CN=\x5CxC3`},
		"bytes above ASCII":            {name(attr(oidCN, tagUTF8String, "é")), `/CN=\xC3\xA9`},
		"type that ends in CN":         {name(attr("\x2a\x81\x1c", tagUTF8String, "admin"), attr(oidCN, tagUTF8String, "m")), `/1.2.156=admin/CN=m`},
		"ordinary":                     {name(attr(oidC, tagPrintableString, "US"), attr(oidO, tagUTF8String, "Acme, Inc. (EU)"), attr(oidCN, tagUTF8String, "a b")), `/C=US/O=Acme, Inc. (EU)/CN=a b`},
	} {
		for _, value := range []func([]byte, *Facts) ([]byte, error){haproxySubject, haproxyIssuer} {
			facts := client(&x509.Certificate{RawSubject: c.subject, RawIssuer: c.subject})
			if got, err := value(nil, &facts); err != nil || string(got) != c.want {
				t.Errorf("%s: got %s, %v; want %s", what, got, err, c.want)
			}
		}
		if other, twice := seen[c.want]; twice {
			t.Errorf("%s and %s are the same", what, other)
		}
		seen[c.want] = what
	}
}
