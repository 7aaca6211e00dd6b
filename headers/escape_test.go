package headers

import (
	"encoding/pem"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

// everyByte is each byte once.
func everyByte() []byte {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return all
}

// splitList takes a list apart as an application would: at the commas, then percent-decoding.
func splitList(t *testing.T, list string) []string {
	t.Helper()
	if list == "" {
		return nil
	}
	members := strings.Split(list, ",")
	for i, m := range members {
		decoded, err := url.PathUnescape(m)
		if err != nil {
			t.Fatalf("member %q of %q: %v", m, list, err)
		}
		members[i] = decoded
	}
	return members
}

func TestPEMIsWhatEncodingPEMWrites(t *testing.T) {
	for _, n := range []int{1, 2, 3, 47, 48, 49, 95, 96, 97, 256, 1000} {
		der := make([]byte, n)
		for i := range der {
			der[i] = byte(i*7 + n)
		}
		got := string(appendPEM([]byte("x"), der))
		if want := "x" + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})); got != want {
			t.Errorf("%d bytes: got %q, want %q", n, got, want)
		}
	}
}

// $ssl_client_escaped_cert of nginx 1.22.1 began and ended so.
func TestEscapedPEMIsOneLineAsNginxWritesIt(t *testing.T) {
	got := string(appendEscapedPEM(nil, []byte("\x00\x00>\x00\x00?\xff")))
	if want := "-----BEGIN%20CERTIFICATE-----%0AAAA%2BAAA%2F%2Fw%3D%3D%0A-----END%20CERTIFICATE-----%0A"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestURIComponentKeepsTheUnreservedCharactersOnly(t *testing.T) {
	all := string(everyByte())
	got := string(appendURIComponent(nil, all))
	// url.QueryEscape differs in the space alone.
	if want := strings.ReplaceAll(url.QueryEscape(all), "+", "%20"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if kept := strings.Count(got, "%"); kept != 256-66 {
		t.Errorf("%d bytes are escaped, want all but the 66 of RFC 3986", kept)
	}
}

func TestListedValuesAreEscapedWhereTheyCouldMislead(t *testing.T) {
	cases := map[string]string{
		"spiffe://example.org/ns/a/sa/b":       "spiffe://example.org/ns/a/sa/b",
		"client.example.com":                   "client.example.com",
		"a b":                                  "a b",
		" a b ":                                "%20a b%20",
		" ":                                    "%20",
		"a,b":                                  "a%2Cb",
		"a%2Cb":                                "a%252Cb",
		`x"y;z\`:                               "x%22y%3Bz%5C",
		"é":                                    "%C3%A9",
		"a\r\nVERIFIED: SUCCESS":               "a%0D%0AVERIFIED: SUCCESS",
		"\x00\x7f\t":                           "%00%7F%09",
		"!#$&'()*+-./:<=>?@[]^_`{|}~":          "!#$&'()*+-./:<=>?@[]^_`{|}~",
		"spiffe://a;Hash=0,spiffe://b;URI=\"x": "spiffe://a%3BHash=0%2Cspiffe://b%3BURI=%22x",
	}
	for value, want := range cases {
		if got := string(appendListed([]byte("-"), []byte(value))); got != "-"+want {
			t.Errorf("%q: got %q, want %q", value, got, "-"+want)
		}
	}
}

func TestListsAreReadBackExactly(t *testing.T) {
	alphabet := `ab ,%;"\2C` + "\r\n\x00\xc3\xa9"
	random := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		var values []string
		list := []byte("before,")
		start := len(list)
		for range random.IntN(4) {
			value := make([]byte, 1+random.IntN(6))
			for i := range value {
				value[i] = alphabet[random.IntN(len(alphabet))]
			}
			values = append(values, string(value))
			list = appendMember(list, start, value)
		}
		text := string(list[start:])
		if got := splitList(t, text); strings.Join(got, "\x01") != strings.Join(values, "\x01") || len(got) != len(values) {
			t.Fatalf("%q is read as %q, want %q", text, got, values)
		}
		invisible := strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
		if text != strings.TrimSpace(text) || invisible || strings.ContainsAny(text, `"\;`) {
			t.Fatalf("%q holds what could mislead", text)
		}
	}
}

func TestEmptyMembersAreLeftOut(t *testing.T) {
	list := appendMember(nil, 0, nil)
	list = appendMember(list, 0, []byte("a"))
	list = appendMember(list, 0, []byte{})
	list = appendMember(list, 0, []byte("b"))
	if got := string(list); got != "a,b" {
		t.Errorf("got %q, want %q", got, "a,b")
	}
}
