package proxy

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
	"mtls-sidecar/proxy/trust"
)

func TestMetricsOfWhatIsInForce(t *testing.T) {
	s := newSidecar(t, "http://127.0.0.1:1", "MTLS_VERIFY_CLIENT=on", "MTLS_DRAIN_DELAY=7s", "MTLS_DRAIN_TIMEOUT=1m", "MTLS_UPSTREAM_EXPOSED=warn")
	a, all := testCA(t), s.scrape(t)
	const settings = `config_info{crl_policy="strict",drain_delay="7s",drain_timeout="1m0s",invalid_cert="reject",ocsp="off",reject_with="page",upstream_exposed="warn",verify_client="on"}`
	if all[settings] != 1 {
		t.Errorf("the settings are not\n%s\nbut\n%s", settings, all)
	}
	for name := range all {
		if strings.HasPrefix(name, "build_info{") && (all[name] != 1 || !strings.Contains(name, `goversion="go1.`)) {
			t.Errorf("%s is %v", name, all[name])
		}
	}
	for name, want := range map[string]time.Time{
		`certificate_not_after_timestamp_seconds{kind="server",serial="` + Serial(a.server.Leaf) + `",subject="CN=localhost"}`: a.server.Leaf.NotAfter,
		`certificate_not_before_timestamp_seconds{kind="ca",serial="` + Serial(a.ca.Cert) + `",subject="CN=Relay Test CA"}`:    a.ca.Cert.NotBefore,
	} {
		if got := all[name]; got != float64(want.Unix()) {
			t.Errorf("%s is %v, want %d", name, got, want.Unix())
		}
	}
	for _, kind := range []string{"server", "ca", "crl", "tickets"} {
		if age := time.Since(time.UnixMilli(int64(1000 * all[`reload_last_success_timestamp_seconds{kind="`+kind+`"}`]))); age < 0 || age > hang {
			t.Errorf("%s was read %s ago, want just now", kind, age)
		}
	}
}

func TestMetricsOfReloads(t *testing.T) {
	p := newReloadPKI(t)
	folder := folderFor(t)
	put(t, folder+"/ca.crt", pki.CertPEM(p.cas[0].Cert))
	s := newSidecar(t, startTeller(t).url, "MTLS_CLIENT_CA_FILE="+folder+"/ca.crt")
	look := s.looker()
	before := s.scrape(t)
	look.look(false)
	s.counted(t, before) // nothing has changed
	later := time.Now().Add(time.Hour)
	s.clock = func() time.Time { return later }
	put(t, folder+"/ca.crt", pki.CertPEM(p.cas[0].Cert, p.cas[1].Cert))
	look.look(false)
	s.counted(t, before, `reloads_total{kind="ca",result="success"}`)
	const last = `reload_last_success_timestamp_seconds{kind="ca"}`
	after := s.scrape(t)
	if got := after[last]; got != float64(later.UnixMilli())/1e3 {
		t.Errorf("the last success is of %v, want %d", got, later.Unix())
	}
	if got := strings.Count(after.String(), `certificate_not_after_timestamp_seconds{kind="ca"`); got != 2 {
		t.Errorf("%d client CAs, want 2", got)
	}
	put(t, folder+"/ca.crt", []byte("no certificate"))
	look.look(false)
	bad := s.scrape(t)
	if bad[`reloads_total{kind="ca",result="failure"}`] == 0 || bad[`reloads_total{kind="ca",result="success"}`] != 1 ||
		bad["troubles"] != 1 || bad[last] != after[last] {
		t.Errorf("after a bad file:\n%s", bad)
	}
	put(t, folder+"/ca.crt", pki.CertPEM(p.cas[0].Cert))
	look.look(false)
	if got := s.scrape(t); got["troubles"] != 0 || got[`reloads_total{kind="ca",result="success"}`] != 2 {
		t.Errorf("once it is mended:\n%s", got)
	}
}

func TestMetricsOfListsFromURLs(t *testing.T) {
	p := newReloadPKI(t)
	web := startListServer(t, http.StatusInternalServerError, nil)
	s := urlWorld(t, p, web.URL)
	started := s.starting(t.Context())
	defer s.shutsDown(t)
	fetched := func(result string, times float64) {
		t.Helper()
		waitFor(t, result, func() bool { return s.scrape(t)[`crl_fetches_total{result="`+result+`"}`] >= times })
	}
	fetched("failed", 2)
	web.answers(http.StatusOK, p.forged(p.cas[0], 9))
	fetched("refused", 1)
	web.answers(http.StatusOK, p.list(p.cas[0], 1, p.revoked))
	fetched("ok", 1)
	fetched("unchanged", 2)
	if err := await(t, "the start", started); err != nil {
		t.Fatal(err)
	}
	labels := `{issuer="CN=first CA",source="` + web.URL + `"}`
	all := s.scrape(t)
	now := float64(time.Now().Unix())
	if this, next := all["crl_this_update_timestamp_seconds"+labels], all["crl_next_update_timestamp_seconds"+labels]; this < now-3600 || this > now || next-this != 3660 {
		t.Errorf("the list is of %v until %v, want an hour and a minute, begun", this, next)
	}
	if got := all["crl_entries"+labels]; got != 1 {
		t.Errorf("it has %v entries, want 1", got)
	}
	if got := all[`crl_fetches_total{result="ok"}`]; got != 1 {
		t.Errorf("%v new lists, want 1", got)
	}
}

// Everybody may read /metrics, and a query may be what opens a URL.
func TestMetricsOfListsDoNotTellTheQueryOfAURL(t *testing.T) {
	want := map[string]string{
		"/etc/crl/what?.crl":           "/etc/crl/what?.crl",
		"http://ca/a.crl":              "http://ca/a.crl",
		"http://ca/b.crl?sig=1":        "http://ca/b.crl?…",
		"http://ca/b.crl?sig=2":        "http://ca/b.crl?… (2)",
		"https://ca/c.crl?a=b?c&d=e#f": "https://ca/c.crl?…",
	}
	var lists []*trust.CRL
	for source := range want {
		lists = append(lists, &trust.CRL{Source: source}, &trust.CRL{Source: source})
	}
	if got := sourceLabels(lists); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestMetricsOfOCSPAndOfBeliefThatIsLost(t *testing.T) {
	w := newLiveWorld(t, liveSetting{books: newGoRegistrar, withOCSP: true})
	w.byHand()
	c := w.dial(t, w.victim.certificate)
	before := w.scrape(t)
	w.asks(c, "victim", nil)
	if got := w.scrape(t).since(before); got[`ocsp_requests_total{result="good"}`] != 1 {
		t.Errorf("counted\n%s", got)
	}
	before = w.scrape(t)
	w.inter.marks(w.victim.certificate.Leaf, revoked)
	w.clock.set(30 * time.Minute)
	c.send(simpleGet)
	c.answer("GET")
	waitFor(t, "the refusal is counted", func() bool { return w.scrape(t)[`refusals_total{reason="ocsp_revoked"}`] == 1 })
	got := w.scrape(t).since(before)
	for _, name := range []string{`ocsp_requests_total{result="revoked"}`, `reverifications_total{result="lost"}`, `verdicts_total{reason="ocsp_revoked",status="FAILED"}`} {
		if got[name] != 1 {
			t.Errorf("%s is %v, want 1", name, got[name])
		}
	}
	w.mute.Store(true)
	before = w.scrape(t)
	other := w.dial(t, w.other.certificate)
	other.send(simpleGet)
	other.answer("GET")
	if got := w.scrape(t).since(before); got[`ocsp_requests_total{result="failed"}`] != 1 {
		t.Errorf("with a responder that fails:\n%s", got)
	}
}

func TestMetricsOfBeliefThatIsHeld(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	c := s.dial(t, &testCA(t).client)
	for range 2 {
		c.send(simpleGet)
		c.wantAnswer("GET", 200, "ok")
	}
	s.store.Renew()
	c.send(simpleGet)
	c.wantAnswer("GET", 200, "ok")
	s.counted(t, series{}, append(arrived("SUCCESS", noReason), `verdicts_total{reason="",status="SUCCESS"} 2`, `reverifications_total{result="held"}`,
		request("GET", "200", "SUCCESS")+" 3", lasted("2xx")+" 3", appAnswered+" 3")...)
}

func TestMetricsOfLinesThatAreLost(t *testing.T) {
	s := newSidecar(t, "http://127.0.0.1:1")
	s.CountLost(func() uint64 { return 7 })
	if got := s.scrape(t)[`log_lines_dropped_total{reason="full"}`]; got != 7 {
		t.Errorf("%v lines found the log full, want 7", got)
	}
}

// Some CAs have thousands of certificates in their bundle, or somebody has put a
// folder of the whole Web's there.
func TestMetricsOfManyCAsAreBounded(t *testing.T) {
	s := newSidecar(t, "http://127.0.0.1:1")
	for i := range 2 * maxSeries {
		ca := *testCA(t).ca.Cert
		ca.RawSubject = nil
		ca.Subject.CommonName = fmt.Sprint("CA ", i)
		s.belief.material.CAs = append(s.belief.material.CAs, &ca)
	}
	if got := strings.Count(s.scrape(t).String(), `certificate_not_after_timestamp_seconds{kind="ca"`); got > maxSeries {
		t.Errorf("%d series of CAs, want at most %d", got, maxSeries)
	}
	if _, shown := s.shownCertificates(); len(shown) != 1+2*maxSeries {
		t.Errorf("the status page shows %d of %d CAs, and the one that has ended may be among the others", len(shown), 1+2*maxSeries)
	}
}
