package trust

import (
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestUserAndPasswordOfACRLAddressAreSentAndNeverTold(t *testing.T) {
	noLeaks(t)
	der := mintCRL(t, newWorld(t).root, 1)
	var mode atomic.Value
	mode.Store("good")
	plain := crlServer(t, func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "harry" || password != "hidden/secret" {
			t.Errorf("user %q, password %q", user, password)
		}
		switch mode.Load() {
		case "good":
			w.Write(der)
		case "redirect":
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(302)
		case "hang up":
			hangUp(w)
		case "garbage":
			fmt.Fprint(w, "garbage")
		case "refused":
			w.WriteHeader(401)
		}
	})
	f := &CRLFetch{URL: strings.Replace(plain, "http://", "http://harry:hidden%2Fsecret@", 1), MaxBytes: roomForCRLs, Refresh: time.Hour}
	if lists, err := f.Once(t.Context()); err != nil || len(lists) != 1 {
		t.Errorf("%d lists, error %v", len(lists), err)
	}
	for _, fault := range []string{"redirect", "hang up", "garbage", "refused"} {
		mode.Store(fault)
		r := runFetch(t, f)
		report := r.report()
		if text := fmt.Sprintf("%+v %v", report, report.Err); report.Err == nil || strings.Contains(text, "harry") || strings.Contains(text, "hidden") {
			t.Errorf("%s: %s", fault, text)
		}
		if report.URL != plain || !strings.HasPrefix(fmt.Sprint(report.Err), plain+": ") {
			t.Errorf("%s: %v is not about %s", fault, report.Err, plain)
		}
		r.cancel()
		r.wait()
	}
	for url, want := range map[string]string{
		"http://harry:hidden@127.0.0.1:1/":        "cannot be fetched",
		"http://harry:hidden@/ca.crl":             "not an http or https URL",
		"ftp://harry:hidden@127.0.0.1/":           "not an http or https URL",
		"http://harry:hid/den@127.0.0.1/ca.crl":   "not an http or https URL",
		"http://harry:hidden%zz@127.0.0.1/":       "not an http or https URL",
		"//harry:hidden@127.0.0.1":                "not an http or https URL",
		"harry:hidden@[::1":                       "not an http or https URL",
		"http://harry:hidden@127.0.0.1/\x7f":      "not an http or https URL",
		"http:harry:hidden@127.0.0.1/":            "not an http or https URL",
		"http://harry:hidden@127.0.0.1:99999999/": "cannot be fetched",
	} {
		_, err := (&CRLFetch{URL: url, MaxBytes: roomForCRLs}).Once(t.Context())
		text := fmt.Sprint(err)
		if !strings.Contains(text, want) || strings.Contains(text, "harry") || strings.Contains(text, "hid") {
			t.Errorf("%q: %v, want %q", url, err, want)
		}
	}
}

func TestOnlyValidatorsThatCanBeSentBackAreKept(t *testing.T) {
	for value, want := range map[string]string{
		"": "", `W/"a b~"`: `W/"a b~"`, "\"\xff\"": "", "\"\x01\"": "", "\"\x7f\"": "", "a\r\nb": "",
		strings.Repeat("x", maxQuoted): strings.Repeat("x", maxQuoted), strings.Repeat("x", maxQuoted+1): "",
	} {
		if got := validator(value); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

func TestACRLIsFetchedByTLSFromServersThatTheSystemTrusts(t *testing.T) {
	noLeaks(t)
	der := mintCRL(t, newWorld(t).root, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(der) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused handshake
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	f := &CRLFetch{URL: server.URL, MaxBytes: roomForCRLs, roots: roots}
	if lists, err := f.Once(t.Context()); err != nil || len(lists) != 1 {
		t.Errorf("%d lists, error %v", len(lists), err)
	}
	f.roots = nil
	if lists, err := f.Once(t.Context()); err == nil || lists != nil || !strings.Contains(err.Error(), "SSL_CERT_FILE") {
		t.Errorf("from a server with an unknown CA: %d lists, error %v", len(lists), err)
	}
}

func TestTheEnvironmentNamesNoProxyForCRLs(t *testing.T) {
	// net/http reads HTTP_PROXY once and never heeds it for loopback, so what is looked at is the setting.
	transport, ok := (&CRLFetch{}).source().client.Transport.(*http.Transport)
	if !ok || transport.Proxy != nil {
		t.Errorf("the transport has a proxy function")
	}
}
