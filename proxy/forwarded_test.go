package proxy

import (
	"slices"
	"strings"
	"testing"
)

// forwarded makes a request with some fields and returns the head that the
// application gets.
func forwarded(t *testing.T, c *client, app *backend, fields string) string {
	t.Helper()
	c.send("GET / HTTP/1.1\r\nHost: Example.org:8443\r\n", fields, "\r\n")
	c.wantAnswer("GET", 200, "ok")
	return app.seen(t)
}

func TestTheClientsAddressIsToldAsConfigured(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	for _, test := range []struct {
		mode, fields string
		want         []string
	}{
		{"append", "", []string{"127.0.0.1"}},
		{"append", "X-Forwarded-For: 10.0.0.1\r\n", []string{"10.0.0.1, 127.0.0.1"}},
		{"append", "X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\nx-FORWARDED-for: 10.0.0.3\r\n", []string{"10.0.0.1, 10.0.0.2, 10.0.0.3, 127.0.0.1"}},
		{"append", "X-Forwarded-For:\r\nX-Forwarded-For: 10.0.0.1\r\n", []string{"10.0.0.1, 127.0.0.1"}},
		{"append", "X_Forwarded_For: 6.6.6.6\r\n", []string{"127.0.0.1"}},
		{"replace", "X-Forwarded-For: 10.0.0.1\r\n", []string{"127.0.0.1"}},
		{"off", "X-Forwarded-For: 10.0.0.1\r\n", nil},
	} {
		s := startSidecar(t, app.url, "MTLS_FORWARDED_FOR="+test.mode)
		head := forwarded(t, s.dial(t, nil), app, test.fields)
		if got := values(head, "X-Forwarded-For"); !slices.Equal(got, test.want) {
			t.Errorf("%s, %q: got %q, want %q", test.mode, test.fields, got, test.want)
		}
	}
}

func TestWhatTheClientSaysOfItsOriginIsReplaced(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	c := startSidecar(t, app.url).dial(t, nil)
	head := forwarded(t, c, app, "X-Real-IP: 6.6.6.6\r\nx-real-ip: 6.6.6.6\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: evil\r\n"+
		"X-Forwarded-Port: 6666\r\nX-Forwarded-Server: evil\r\nX-Forwarded-Prefix: /evil\r\nForwarded: for=6.6.6.6;host=evil\r\n")
	for name, want := range map[string]string{
		"X-Real-IP": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "Example.org:8443", "Host": "Example.org:8443",
	} {
		if got := values(head, name); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if strings.Contains(head, "6.6.6.6") || strings.Contains(head, "evil") || strings.Contains(head, "6666") {
		t.Errorf("the application was told\n%s", head)
	}
}

func TestAWellFormedRequestIDIsKept(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	c := startSidecar(t, app.url).dial(t, nil)
	for _, id := range []string{"abc-1", "0f9c:7/8=+_.~", strings.Repeat("x", 128)} {
		head := forwarded(t, c, app, "x-request-ID: "+id+"\r\n")
		if got := values(head, "X-Request-Id"); !slices.Equal(got, []string{id}) {
			t.Errorf("%q: got %q", id, got)
		}
		if n := strings.Count(strings.ToLower(head), "x-request-id:"); n != 1 {
			t.Errorf("%q: the field is there %d times", id, n)
		}
	}
}

func TestAMissingOrMalformedRequestIDIsMadeAnew(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	seen := map[string]bool{}
	for range 2 {
		c := s.dial(t, nil)
		for _, fields := range []string{
			"", "X-Request-Id:\r\n", "X-Request-Id: a b\r\n", "X-Request-Id: a,b\r\n", "X-Request-Id: \"a\"\r\n",
			"X-Request-Id: a\xe9\r\n", "X-Request-Id: " + strings.Repeat("x", 129) + "\r\n",
			"X-Request-Id: a\r\nX-Request-Id: a\r\n", "X_Request_Id: a\r\n", "", "", "",
		} {
			got := values(forwarded(t, c, app, fields), "X-Request-Id")
			if len(got) != 1 || len(got[0]) != 32 || strings.Trim(got[0], "0123456789abcdef") != "" {
				t.Errorf("%q: got %q, want 32 hexadecimal digits", fields, got)
				continue
			}
			if seen[got[0]] {
				t.Errorf("%q: %s was given out before", fields, got[0])
			}
			seen[got[0]] = true
		}
	}
}
