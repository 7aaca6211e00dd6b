package headers

import (
	"strings"
	"testing"
)

func TestOperatorsAddAndExceptNames(t *testing.T) {
	s := stripper(t, StripOptions{
		Strip: []string{"X-Internal_User", "Cookie", "authorization", "X-Original-URL", "X-Internal_User", "X-Request-Id", "VERIFIED", "Forwarded",
			strings.Repeat("x", 300)},
		Keep: []string{"X-SSL-Client-Cert", "Remote.User", "x-forwarded-prefix", "X-Unheard-Of"},
	})
	cases := map[string]bool{
		"x_internal-user": true, "X.INTERNAL.USER": true, "Cookie": true, "Authorization": true, "x-original-url": true,
		"X-Request-ID": true, "Forwarded": true, strings.Repeat("X", 300): true, strings.Repeat("X", 299): false,
		"X-SSL-Client-Cert": false, "x_ssl_client_cert": false, "X-SSL-Client-Certs": true, "X-SSL-Client-DN": true,
		"REMOTE_USER": false, "REMOTE_USER_EMAIL": true, "X-Forwarded-Prefix": false, "X-Forwarded-Port": true,
		"X-Unheard-Of": false, "VERIFIED": true, "DN": true,
	}
	for n, want := range cases {
		if got := s.Drop([]byte(n)); got != want {
			t.Errorf("%q: dropped %t, want %t", n, got, want)
		}
		if got := s.DropTrailer([]byte(n)); got != want {
			t.Errorf("trailer %q: dropped %t, want %t", n, got, want)
		}
	}
}

// TestNoFieldTellsAnotherPathWherePathsAreDecidedAbout covers fields that some application takes its path from.
func TestNoFieldTellsAnotherPathWherePathsAreDecidedAbout(t *testing.T) {
	names := []string{"X-Original-URL", "x_rewrite_url", "SCRIPT_NAME", "Path-Info", "X-Script-Name", "x-middleware-subrequest", "X_VHM_ROOT", "X-Forwarded-Prefix"}
	with, without := stripper(t, StripOptions{Paths: true}), stripper(t, StripOptions{})
	for _, n := range names {
		if !with.Drop([]byte(n)) || !with.DropTrailer([]byte(n)) {
			t.Errorf("%s passes", n)
		}
	}
	for _, n := range []string{"X-Original-URL", "SCRIPT_NAME", "Path-Info", "X-Matched-Path"} {
		if without.Drop([]byte(n)) {
			t.Errorf("%s is dropped where nobody looks at paths", n)
		}
	}
	for _, n := range []string{"Path_Info", "x-forwarded-prefix", "X-Original-URI", "X-Original-URL"} {
		kept := stripper(t, StripOptions{Paths: true, Keep: []string{n}})
		if kept.Drop([]byte(n)) || !TellsOtherPath(n) {
			t.Errorf("%s is dropped though it is to be kept", n)
		}
	}
	if with.Drop([]byte("Destination")) || !with.DropTrailer([]byte("destination")) || without.DropTrailer([]byte("Destination")) {
		t.Error("Destination has its place in the head, and nowhere else where paths are decided about")
	}
}

func TestEveryFaultOfTheOperatorIsNamedAtOnce(t *testing.T) {
	_, err := NewStripper(StripOptions{
		Emit:  []string{NameVerified, NameDN},
		Strip: []string{"Host", "transfer_encoding", "a b", "", "X-Forwarded-For", "X-Both", "é"},
		Keep: []string{"VERIFIED", "d.n", "dn", "Connection", "TE", "Cookie", "Authorization", "X:", "X-Forwarded-For", "x-real-ip",
			"x_both", "Via", "Content-Type"},
	})
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		`MTLS_STRIP_HEADERS="Host" cannot be stripped, since it frames the message; remove it`,
		`MTLS_STRIP_HEADERS="transfer_encoding" cannot be stripped, since it frames the message; remove it`,
		`MTLS_STRIP_HEADERS="a b" is not a field name; separate names by commas`,
		`MTLS_STRIP_HEADERS="" is not a field name; separate names by commas`,
		`MTLS_STRIP_HEADERS="X-Forwarded-For" is set by MTLS_FORWARDED_FOR: use replace or off there`,
		`MTLS_STRIP_HEADERS="é" is not a field name; separate names by commas`,
		`MTLS_KEEP_HEADERS="VERIFIED" is written by the sidecar (MTLS_HEADERS), and a client's own would be believed; remove it`,
		`MTLS_KEEP_HEADERS="dn" is written by the sidecar (MTLS_HEADERS), and a client's own would be believed; remove it`,
		`MTLS_KEEP_HEADERS="Connection" frames the message, and its exact spelling needs no exception; remove it`,
		`MTLS_KEEP_HEADERS="TE" frames the message, and its exact spelling needs no exception; remove it`,
		`MTLS_KEEP_HEADERS="Cookie" passes in its exact spelling; remove it`,
		`MTLS_KEEP_HEADERS="Authorization" passes in its exact spelling; remove it`,
		`MTLS_KEEP_HEADERS="X:" is not a field name; separate names by commas`,
		`MTLS_KEEP_HEADERS="X-Forwarded-For" is written by the sidecar itself; remove it`,
		`MTLS_KEEP_HEADERS="x-real-ip" is written by the sidecar itself; remove it`,
		`MTLS_KEEP_HEADERS="x_both" is in MTLS_STRIP_HEADERS too; remove it from one of them`,
		`MTLS_KEEP_HEADERS="Via" passes in its exact spelling; remove it`,
		`MTLS_KEEP_HEADERS="Content-Type" passes in the head; remove it`,
	}
	if got := err.Error(); got != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}
