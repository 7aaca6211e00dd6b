package headers

import (
	"crypto/tls"
	"strings"
	"testing"
)

func TestServerNameIsToldWhenItIsAHostName(t *testing.T) {
	long := strings.Repeat(strings.Repeat("a", 63)+".", 3) // 192 bytes
	good := []string{
		"example.com", "Example.COM", "localhost", "a", "xn--bcher-kva.example", "a-.-b", "under_score", "10.0.0.1", "0",
		strings.Repeat("a", 63), long + strings.Repeat("b", 61),
	}
	bad := []string{
		"", ".", "a.", ".a", "a..b", "a b", " a", "a\r\nVERIFIED: SUCCESS", "a\n", "a\x00", "a\t", "\x7f", "bücher.example", "a\xff",
		"a:443", "[::1]", "::1", "a/b", "a,b", "a;b", `a"b`, "a%41", "*.a", "a$b",
		strings.Repeat("a", 64), long + strings.Repeat("b", 62),
	}
	for _, name := range good {
		if got := valueOf(t, "ssl_server_name", Facts{TLS: &tls.ConnectionState{ServerName: name}}); got != name {
			t.Errorf("%q: got %q", name, got)
		}
	}
	for _, name := range bad {
		if got := valueOf(t, "ssl_server_name", Facts{TLS: &tls.ConnectionState{ServerName: name}}); got != "" {
			t.Errorf("%q: got %q, want nothing", name, got)
		}
	}
}
