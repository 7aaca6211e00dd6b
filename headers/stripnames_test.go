package headers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// nameOf is by what a field is counted.
func nameOf(s *Stripper, field string) string {
	if i := s.NameIndex([]byte(field)); i >= 0 {
		return s.Names()[i]
	}
	return ""
}

func TestWhatIsDroppedIsCountedByItsFoldedName(t *testing.T) {
	s := stripper(t, StripOptions{Emit: []string{"X-Who"}, Strip: []string{"X-Extra"}, Keep: []string{"X-SSL-Client-Cert"}})
	for _, test := range []struct{ field, want string }{
		{"VERIFIED", "verified"},
		{"Verified", "verified"},
		{"DN", "dn"},
		{"X_SSL_Client_Verify", "x-ssl-client-verify"},
		{"X-SSL-Client-DN", "x-ssl-client-dn"},
		{"X-SSL-Anything-Else", "x-ssl-*"},
		{"SSL_CLIENT_SAN_OTHER_msUPN_17", "ssl-client-*"},
		{"X-Forwarded-Client-Cert", "x-forwarded-client-cert"},
		{"X-Forwarded-Client-Cert-Of-Somebody", "x-forwarded-client-cert*"},
		{"X-Forwarded-Port", "x-forwarded-*"},
		{"Transfer_Encoding", "transfer-encoding"},
		{"X.Forwarded.For", "x-forwarded-for"},
		{"x.who", "x-who"},
		{"X-EXTRA", "x-extra"},
		{"X-SSL-" + strings.Repeat("x", 4000), "x-ssl-*"},
		{"Accept", ""},
		{"", ""},
	} {
		if got := nameOf(s, test.field); got != test.want {
			t.Errorf("%.40q is counted as %q, want %q", test.field, got, test.want)
		}
	}
}

func TestEveryNameThatIsDroppedHasAnEntry(t *testing.T) {
	s := stripper(t, StripOptions{Strip: []string{"X-Extra"}, Paths: true})
	names := s.Names()
	if !slices.IsSorted(names) || len(slices.Compact(s.Names())) != len(names) {
		t.Errorf("the names are not sorted, or some are there twice: %q", names)
	}
	for _, listed := range strings.Fields(catalogue + "X-Extra X-Original-URL x_anything X-Forwarded-Anything") {
		for _, n := range spellings(listed) {
			if s.Drop([]byte(n)) && s.NameIndex([]byte(n)) < 0 {
				t.Errorf("%q is dropped, and has no entry", n)
			}
		}
	}
}

// Each name is a series that is there from the start.
func TestTheNamesThatClientsCanAddToAreBounded(t *testing.T) {
	s := stripper(t, StripOptions{Paths: true})
	before := len(s.Names())
	for i := range 1000 {
		s.NameIndex(fmt.Appendf(nil, "X-SSL-Client-%d", i))
	}
	if after := len(s.Names()); after != before || after > 250 {
		t.Errorf("%d names, %d before; want the same, and at most 250", after, before)
	}
}

func TestNameIndexDoesNotAllocate(t *testing.T) {
	s := stripper(t, StripOptions{})
	names := [][]byte{[]byte("VERIFIED"), []byte("X-SSL-Foo"), []byte("SSL_CLIENT_" + strings.Repeat("X", 100))}
	if got := testing.AllocsPerRun(100, func() {
		for _, n := range names {
			s.NameIndex(n)
		}
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
