package main_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// refusedClient has a certificate that is not believed, and what is told: nginx's title,
// our reason, and OpenSSL's words for it.
type refusedClient struct{ certificate, mode, title, reason, words string }

func refusals() []refusedClient {
	return []refusedClient{
		{"", "on", "No required SSL certificate was sent", "no_certificate", "sent none"},
		{"expired", "optional", "The SSL certificate error", "expired", "certificate has expired"},
		{"early", "optional", "The SSL certificate error", "not_yet_valid", "certificate is not yet valid"},
		{"stranger", "optional", "The SSL certificate error", "unknown_ca", "unable to verify the first certificate"},
		{"stranger", "on", "The SSL certificate error", "unknown_ca", "unable to verify the first certificate"},
		{"server", "on", "The SSL certificate error", "wrong_purpose", "unsuitable certificate purpose"},
	}
}

// addRefused issues them.
func (v *vault) addRefused(t *testing.T) {
	t.Helper()
	other, err := pki.NewRoot(pki.Options{Subject: named("Another CA")})
	if err != nil {
		t.Fatal(err)
	}
	v.issueFrom(other, "stranger", pki.Options{})
	v.issue("expired", pki.Options{NotBefore: days(-9), NotAfter: days(-2)})
	v.issue("early", pki.Options{NotBefore: days(2), NotAfter: days(9)})
}

func TestRefusalsAreToldOverHTTP2(t *testing.T) {
	for _, mode := range []string{"on", "optional"} {
		t.Run(mode, func(t *testing.T) {
			eachFront(t, settings{"MTLS_VERIFY_CLIENT": mode}, func(t *testing.T, f *front, s *site) {
				f.addRefused(t)
				s.once("/refused", func() { t.Error("a request that is to be refused reached the application") })
				for _, test := range refusals() {
					if test.mode == mode {
						f.refuses(t, test)
					}
				}
				if got := f.goClient(t, "client").ask(t, "GET", "/", nil); got.StatusCode != 200 || got.saw() != saw("client") {
					t.Errorf("who is believed got %d, %q", got.StatusCode, got.saw())
				}
			})
		})
	}
}

// refuses checks what net/http and curl are told: the same page for each, HTML or
// JSON as they like, and that the next request comes on a new connection, which
// could present another certificate.
func (f *front) refuses(t *testing.T, want refusedClient) {
	t.Helper()
	c := f.goClient(t, want.certificate)
	for n := range 2 {
		page := c.ask(t, "GET", "/refused", nil)
		if page.StatusCode != 400 || !strings.Contains(string(page.body), want.title) {
			t.Errorf("%q: got %d %q, want 400 and %q", want.certificate, page.StatusCode, page.body, want.title)
		}
		if f.nginx {
			continue
		}
		if !strings.Contains(string(page.body), want.words) || page.Header.Get("Content-Type") != "text/html; charset=utf-8" || page.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%q: got %v %q, want a page that says %q", want.certificate, page.Header, page.body, want.words)
		}
		if page.reused || int(c.dialled.Load()) != n+1 {
			t.Errorf("%q: request %d came on connection %d, want a new one after each refusal", want.certificate, n, c.dialled.Load())
		}
	}
	head := c.ask(t, "HEAD", "/refused", nil)
	upload := c.ask(t, "POST", "/refused", unsized{strings.NewReader(strings.Repeat("x", 1<<20))})
	if head.StatusCode != 400 || len(head.body) != 0 || upload.StatusCode != 400 || !strings.Contains(string(upload.body), want.title) {
		t.Errorf("%q: HEAD got %d, an upload %d %q", want.certificate, head.StatusCode, upload.StatusCode, upload.body)
	}
	if f.nginx {
		return
	}
	request := c.request(t, "GET", "/refused", nil)
	request.Header.Set("Accept", "application/json")
	asJSON := c.send(t, request)
	var problem struct {
		Title, Detail, Reason string
		Status                int
	}
	err := json.Unmarshal(asJSON.body, &problem)
	if err != nil || asJSON.Header.Get("Content-Type") != "application/problem+json" || problem.Status != 400 || problem.Title != want.title || problem.Reason != want.reason || !strings.Contains(problem.Detail, want.words) {
		t.Errorf("%q: as JSON got %q (%v), want 400, %q and the reason %q", want.certificate, asJSON.body, err, want.title, want.reason)
	}
}

func TestCurlIsToldOfRefusalsOverHTTP2(t *testing.T) {
	needCurl(t)
	eachFront(t, nil, func(t *testing.T, f *front, _ *site) {
		f.addRefused(t)
		write(t, f.path("large"), string(pattern(8<<20)))
		for way, args := range map[string][]string{"GET": {}, "an upload": {"-T", "large"}} {
			got, exit := f.curlAll(t, "expired", append(args, "-o", "page", f.url("/"), "-o", "page2", f.url("/"))...)
			if exit != 0 || len(got) != 2 || got[0].status != 400 || got[0].version != "2" || got[1].status != 400 {
				t.Errorf("%s: got %+v, exit %d, want 400 twice", way, got, exit)
				continue
			}
			if page := f.curlBody(t, "page"); !strings.Contains(page, "The SSL certificate error") {
				t.Errorf("%s: the page is %q", way, page)
			}
			if !f.nginx && got[1].connects != 1 {
				t.Errorf("%s: the second request came on the refused connection", way)
			}
		}
	})
}

func TestCurlChoosesTheProtocol(t *testing.T) {
	needCurl(t)
	for _, offered := range []bool{true, false} {
		t.Run("Offered_"+strconv.FormatBool(offered), func(t *testing.T) {
			eachFront(t, settings{"MTLS_HTTP2": strconv.FormatBool(offered)}, func(t *testing.T, f *front, _ *site) {
				for option, want := range map[string]string{"--http2": "2", "--http1.1": "1.1", "--no-alpn": "1.1", "--http1.0": "1.1"} {
					if !offered {
						want = "1.1"
					}
					got, exit := f.curlAll(t, "client", option, "-o", "/dev/null", f.url("/"))
					if exit != 0 || len(got) != 1 || got[0].status != 200 || got[0].version != want || got[0].saw != saw("client") {
						t.Errorf("%s: got %+v, exit %d, want 200 over %s", option, got, exit, want)
					}
				}
			})
		})
	}
}
