package headers

import (
	"bytes"
	"crypto/x509"
	"strings"
	"testing"
)

func TestIdentityWritesTheLinesOfThePresetNginx(t *testing.T) {
	subject := name(attr(oidO, 12, "Acme, Inc."), attr(oidCN, 12, "client"))
	cases := []struct {
		what  string
		facts Facts
		want  string
	}{
		{"no certificate", Facts{Verify: VerifyNone}, "VERIFIED: NONE\r\n"},
		{"believed", Facts{Verify: VerifySuccess, Chain: named(subject)}, "VERIFIED: SUCCESS\r\nDN: CN=client,O=Acme\\, Inc.\r\n"},
		{"believed, empty subject", Facts{Verify: VerifySuccess, Chain: named(name())}, "VERIFIED: SUCCESS\r\n"},
		{"believed, subject of empty RDNs", Facts{Verify: VerifySuccess, Chain: named(name("", ""))}, "VERIFIED: SUCCESS\r\n"},
		{"not believed", Facts{Verify: "FAILED:certificate has expired", Chain: named(subject)}, "VERIFIED: FAILED:certificate has expired\r\n"},
		{"certificate passed over", Facts{Verify: VerifyNone, Chain: named(subject)}, "VERIFIED: NONE\r\n"},
		{"not believed, unreadable subject", Facts{Verify: "FAILED:", Chain: named([]byte("junk"))}, "VERIFIED: FAILED:\r\n"},
		{"reason that would leave its line", Facts{Verify: "FAILED:~\r\nDN: CN=root\x00\x7f\xff"}, "VERIFIED: FAILED:~??DN: CN=root???\r\n"},
	}
	for _, c := range cases {
		got, err := identity(c.facts)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.what, got, err, c.want)
		}
	}
}

// named is a certificate of which only the subject matters.
func named(subject []byte) []*x509.Certificate {
	return []*x509.Certificate{{RawSubject: subject}}
}

// identity renders the default template.
func identity(f Facts) ([]byte, error) {
	t, err := ParseTemplate("nginx")
	if err != nil {
		return nil, err
	}
	lines, _, err := t.Render(f)
	return lines, err
}

func TestIdentityWritesNothingOnAnError(t *testing.T) {
	cases := map[string]Facts{
		"no verdict":                      {},
		"unknown verdict":                 {Verify: "GENEROUS"},
		"success with a tail":             {Verify: "SUCCESS\r\nDN: CN=root"},
		"lower case":                      {Verify: "success"},
		"failure without its colon":       {Verify: "FAILED"},
		"subject is no name":              {Verify: VerifySuccess, Chain: named([]byte("\x30\x03"))},
		"subject is no name at its end":   {Verify: VerifySuccess, Chain: named(append(name(attr(oidCN, 12, "root")), 0))},
		"first attribute good, next not":  {Verify: VerifySuccess, Chain: named(name(attr(oidCN, 12, "\xff"), attr(oidCN, 12, "root")))},
		"subject of a forbidden type":     {Verify: VerifySuccess, Chain: named(name(attr(oidCN, 2, "\x01")))},
		"subject with surrogates in text": {Verify: VerifySuccess, Chain: named(name(attr(oidCN, tagBMPString, "\xd8\x3d")))},
	}
	for what, facts := range cases {
		if got, err := identity(facts); err == nil || got != nil {
			t.Errorf("%s: got %q, %v; want an error and nothing else", what, got, err)
		}
	}
}

// FuzzIdentity holds that what comes out is VERIFIED and at most DN, each one line of visible ASCII.
func FuzzIdentity(f *testing.F) {
	f.Add("SUCCESS", name(attr(oidCN, 12, "a\r\nb")))
	f.Add("FAILED:\r\nVERIFIED: SUCCESS", []byte(nil))
	f.Add("NONE", name(attr(oidCN, tagTeletexString, "\x00\xff")))
	f.Fuzz(func(t *testing.T, verify string, subject []byte) {
		block, err := identity(Facts{Verify: verify, Chain: named(subject)})
		if err != nil {
			if block != nil {
				t.Fatalf("error %v with the lines %q", err, block)
			}
			return
		}
		lines := bytes.Split(block, []byte("\r\n"))
		if len(lines) > 3 || len(lines[len(lines)-1]) != 0 {
			t.Fatalf("%q is not one or two whole lines", block)
		}
		for i, line := range lines[:len(lines)-1] {
			if want := []string{"VERIFIED: ", "DN: "}[i]; !strings.HasPrefix(string(line), want) {
				t.Fatalf("line %d of %q does not begin with %q", i, block, want)
			}
			if at := bytes.IndexFunc(line, func(r rune) bool { return r < ' ' || r > '~' }); at >= 0 {
				t.Fatalf("byte %#02x in %q", line[at], line)
			}
		}
		if len(lines) == 3 && verify != VerifySuccess {
			t.Fatalf("a subject with the verdict %q: %q", verify, block)
		}
	})
}

func BenchmarkIdentity(b *testing.B) {
	facts := Facts{Verify: VerifySuccess, Chain: named(name(
		attr(oidC, tagPrintableString, "DE"), attr(oidO, 12, "Acme, Inc."), attr(oidCN, 12, "client")))}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := identity(facts); err != nil {
			b.Fatal(err)
		}
	}
}
