package proxy

import (
	"slices"
	"strings"
	"testing"
)

func TestARequestArrivesAsItWasSentPlusWhatWeSay(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	c := s.dial(t, &testCA(t).client)
	c.send("GET /a%2fb/../c//d;x?q=%20&é HTTP/1.1\r\nhOST: Example.org:8443\r\nX-b: 2\r\nx-A:1  \r\nX-b:\t3\r\nCookie: a=b\r\nX-Request-Id: abc-1\r\n\r\n")
	if answer, body := c.answer("GET"); answer.StatusCode != 200 || body != "ok" {
		t.Fatalf("got %d %q", answer.StatusCode, body)
	}
	want := "GET /a%2fb/../c//d;x?q=%20&é HTTP/1.1\r\nhOST: Example.org:8443\r\nX-b: 2\r\nx-A: 1\r\nX-b: 3\r\nCookie: a=b\r\n" +
		"X-Request-Id: abc-1\r\nX-Forwarded-Host: Example.org:8443\r\nX-Forwarded-For: 127.0.0.1\r\n" +
		"VERIFIED: SUCCESS\r\nDN: O=Acme,CN=client\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-Proto: https\r\n\r\n"
	got := app.seen(t)
	if strings.Contains(got, "DN: CN=client,O=Acme") { // the order within Go's pkix.Name is not this test's matter
		want = strings.Replace(want, "O=Acme,CN=client", "CN=client,O=Acme", 1)
	}
	if c.kept(got) != c.kept(want) {
		t.Errorf("the application saw\n%q\nwant\n%q", got, want)
	}
}

func TestManyPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	c := s.dial(t, nil)
	const n = 1000
	c.sendAside(strings.Repeat("GET / HTTP/1.1\r\nHost: h\r\n\r\n", n))
	for range n {
		if answer, body := c.answer("GET"); answer.StatusCode != 200 || body != "ok" {
			t.Fatalf("got %d %q", answer.StatusCode, body)
		}
	}
	for range n {
		if got := values(app.seen(t), "VERIFIED"); !slices.Equal(got, []string{"NONE"}) {
			t.Fatalf("VERIFIED: got %q", got)
		}
	}
}
