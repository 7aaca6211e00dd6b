package headers

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

func TestGoogleCloudsNamesAreListsOfBase64(t *testing.T) {
	cases := []struct {
		what      string
		names     string
		uris, dns string
	}{
		// The examples of RFC 4648 §10: foobar is Zm9vYmFy, fo is Zm8=.
		{"two of each", generalName(sanURI, "foobar") + generalName(sanDNS, "fo") + generalName(sanURI, "fo") + generalName(sanDNS, "foobar"), "Zm9vYmFy,Zm8=", "Zm8=,Zm9vYmFy"},
		{"the SPIFFE ID is told elsewhere", generalName(sanURI, "spiffe://example.org/a"), "", ""},
		{"two URIs are no SPIFFE ID", generalName(sanURI, "spiffe://example.org/a") + generalName(sanURI, "fo"), "c3BpZmZlOi8vZXhhbXBsZS5vcmcvYQ==,Zm8=", ""},
		{"empty ones name nobody", generalName(sanURI, "") + generalName(sanDNS, "fo") + generalName(sanDNS, "") + generalName(sanDNS, "fo"), "", "Zm8=,Zm8="},
		{"other kinds", generalName(sanEmail, "a@b") + generalName(sanIP, "\x7f\x00\x00\x01"), "", ""},
		{"a comma", generalName(sanDNS, "a,b"), "", "YSxi"},
	}
	for _, c := range cases {
		facts := client(withNames(name(), c.names))
		uris, err1 := gcpURISANs(nil, &facts)
		dns, err2 := gcpDNSNameSANs(nil, &facts)
		if err1 != nil || err2 != nil || string(uris) != c.uris || string(dns) != c.dns {
			t.Errorf("%s: got %q, %v and %q, %v; want %q and %q", c.what, uris, err1, dns, err2, c.uris, c.dns)
		}
	}
	facts := client(withNames(name(), "junk"))
	if _, err := gcpURISANs(nil, &facts); err == nil {
		t.Error("names that cannot be read are no error")
	}
}

// FuzzGoogleCloudNames holds that a list of names is read back exactly.
func FuzzGoogleCloudNames(f *testing.F) {
	f.Add("a.example", "b,c")
	f.Add("", "\x00\r\n\xff")
	f.Fuzz(func(t *testing.T, first, second string) {
		facts := client(withNames(name(), generalName(sanDNS, first)+generalName(sanDNS, second)))
		list, err := gcpDNSNameSANs(nil, &facts)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, member := range strings.Split(string(list), ",") {
			text, err := base64.StdEncoding.DecodeString(member)
			if err != nil {
				t.Fatalf("%q: %v", list, err)
			}
			if len(text) > 0 {
				got = append(got, string(text))
			}
		}
		want := slices.DeleteFunc([]string{first, second}, func(s string) bool { return s == "" })
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", list, got, want)
		}
	})
}
