package proxy

import (
	"bufio"
	"bytes"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/http1"
	"mtls-sidecar/proxy/pki"
	"mtls-sidecar/proxy/trust"
)

func TestJSONIsAnsweredWhereItIsPreferred(t *testing.T) {
	for _, test := range []struct {
		accept []string // one field each
		json   bool
	}{
		{nil, false},
		{[]string{""}, false},
		{[]string{"*/*"}, false}, // curl
		{[]string{"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"}, false}, // a browser
		{[]string{"application/json"}, true},
		{[]string{"application/problem+json"}, true},
		{[]string{"Application/JSON"}, true},
		{[]string{"application/json, text/plain, */*"}, true}, // axios
		{[]string{"application/json;q=0.9, text/html"}, false},
		{[]string{"application/json, text/html;q=0.9"}, true},
		{[]string{"text/html, application/json"}, false}, // equal: HTML, as without preference
		{[]string{"text/*, application/json"}, true},
		{[]string{"application/*, text/html"}, false},
		{[]string{"application/*"}, true},
		{[]string{"application/json;q=0"}, false},
		{[]string{"application/json;q=0, */*"}, false},
		{[]string{"text/html;q=0, */*"}, true},
		{[]string{"text/html;q=0.5, application/json ; charset=utf-8 ; Q=0.6"}, true},
		{[]string{"text/html;q=0.1", "application/json;q=0.2"}, true},
		{[]string{"application/problem+json;q=0.1, application/json;q=0.9, text/html;q=0.5"}, true},
		{[]string{"application/json;q=2, text/html;q=0.1"}, false},
		{[]string{"application/json;q=, text/html;q=0.1"}, false},
		{[]string{"text/html;q=nan"}, false},
		{[]string{"text/html;q=-1"}, false},
		{[]string{"application/jsonp"}, false},
		{[]string{"image/png"}, false},
		{[]string{";;;,,,q=1;=;"}, false},
	} {
		var fields []http1.Field
		for _, value := range test.accept {
			fields = append(fields, http1.Field{Name: []byte("aCCept"), Value: []byte(value)})
		}
		if got := prefersJSON(fields); got != test.json {
			t.Errorf("Accept: %q: got %t, want %t", test.accept, got, test.json)
		}
	}
}

// problemOf parses a page in RFC 9457's form.
func problemOf(t *testing.T, page []byte) (p struct {
	Type, Title, Detail, Reason string
	Status                      int
}) {
	t.Helper()
	if err := json.Unmarshal(page, &p); err != nil {
		t.Fatalf("%s: %v", page, err)
	}
	return p
}

func TestEveryReasonHasItsWordAndAdviceOnThePage(t *testing.T) {
	pages := []*refusal{noCertificate, certificateRequired, plainHTTP, unrenderable, identityTooLarge, bodyTooLarge, upstreamDown, upstreamBroken, upstreamSlow}
	for reason := trust.Reason(1); reason.String() != "unspecified"; reason++ {
		pages = append(pages, badCertificate(reason))
	}
	if len(pages) < 30 {
		t.Fatalf("only %d pages", len(pages))
	}
	for _, page := range pages {
		for _, form := range []form{asHTML, asJSON} {
			raw := page.in(form).appendTo(nil, false)
			answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw)), nil)
			if err != nil {
				t.Fatalf("%s: %v", page.reason, err)
			}
			body, err := io.ReadAll(answer.Body)
			if err != nil || answer.StatusCode != page.status || !answer.Close || int(answer.ContentLength) != len(body) {
				t.Errorf("%s: status %d, close %t, length %d of %d, %v", page.reason, answer.StatusCode, answer.Close, answer.ContentLength, len(body), err)
			}
			if answer.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: the page may be cached", page.reason)
			}
			kind := answer.Header.Get("Content-Type")
			if form == asJSON {
				p := problemOf(t, body)
				if kind != "application/problem+json" || p.Status != page.status || p.Reason != page.reason || p.Detail != page.detail || p.Title == "" || p.Type != "about:blank" {
					t.Errorf("%s as %s: got %+v", page.reason, kind, p)
				}
			} else if !strings.HasPrefix(kind, "text/html") || !strings.Contains(string(body), "<code>"+page.reason+"</code>") ||
				!strings.Contains(string(body), strings.SplitN(page.detail, "'", 2)[0]) {
				t.Errorf("%s as %s:\n%s", page.reason, kind, body)
			}
			if page.reason == "" || len(page.detail) < 20 {
				t.Errorf("%s: no advice: %q", page.reason, page.detail)
			}
			if head := page.in(form).appendTo(nil, true); !bytes.Equal(head, raw[:len(raw)-len(body)]) {
				t.Errorf("%s: to HEAD the answer differs by more than its body", page.reason)
			}
		}
	}
}

func TestNothingOfRequestOrCertificateIsOnThePage(t *testing.T) {
	past := time.Now().Add(-time.Hour)
	mark := "<script>mark</script>"
	certificate := issue(t, pki.Options{
		Subject: pkix.Name{CommonName: mark, Organization: []string{"markorg"}}, DNSNames: []string{"mark.example"},
		NotBefore: past.AddDate(-1, 0, 0), NotAfter: past,
	})
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	for _, accept := range []string{"text/html", "application/json"} {
		c := s.dial(t, certificate)
		c.send("GET /mark?mark=mark HTTP/1.1\r\nHost: mark.example\r\nUser-Agent: mark\r\nX-Mark: mark\r\nAccept: ", accept, "\r\n\r\n")
		answer, body := c.answer("GET")
		if all := fmt.Sprint(answer.Header, body); answer.StatusCode != 400 || strings.Contains(all, "mark") || strings.Contains(all, "Relay Test CA") {
			t.Errorf("%s: got %d with\n%s", accept, answer.StatusCode, all)
		}
		if strings.Contains(accept, "json") {
			if p := problemOf(t, []byte(body)); p.Reason != "expired" || p.Status != 400 {
				t.Errorf("got %+v", p)
			}
		}
	}
}

func TestARefusalOfHEADHasNoBody(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_VERIFY_CLIENT=on")
	c := s.dial(t, nil)
	c.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
	if answer, body := c.answer("HEAD"); answer.StatusCode != 400 || body != "" || answer.ContentLength <= 0 {
		t.Errorf("got %d, %q, length %d", answer.StatusCode, body, answer.ContentLength)
	}
	if rest, err := c.rest(); rest != "" || err != nil {
		t.Errorf("after the head: got %q and %v", rest, err)
	}
}
