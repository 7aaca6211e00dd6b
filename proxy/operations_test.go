package proxy

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"mtls-sidecar/proxy/admin"
)

// openAdmin opens an admin port beside a sidecar of the same configuration.
func (s *sidecar) openAdmin(t *testing.T, drain *Drain) (*Admin, string) {
	t.Helper()
	s.config.AdminAddr = "127.0.0.1:0"
	a, err := OpenAdmin(s.config, &Logging{Logger: s.log, Level: zap.NewAtomicLevel()}, drain)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a, "http://" + a.Addr().String()
}

func askPort(t *testing.T, url string) (int, string) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := (&http.Client{Transport: transport, Timeout: hang}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func expectStatus(t *testing.T, url string, status int, says string) {
	t.Helper()
	if got, text := askPort(t, url); got != status || !strings.Contains(text, says) {
		t.Errorf("%s: got %d %q, want %d and %q", url, got, text, status, says)
	}
}

func TestTheAdminPortTellsWhatTheSidecarWaitsFor(t *testing.T) {
	s := newSidecar(t, "http://127.0.0.1:1")
	drain := NewDrain()
	a, url := s.openAdmin(t, drain)
	expectStatus(t, url+"/livez", 200, "")
	expectStatus(t, url+"/startupz", 503, "being read")
	expectStatus(t, url+"/readyz", 503, "being read")
	expectStatus(t, url+"/metrics", 503, "starting")
	expectStatus(t, url+"/status.json", 200, `"state": "starting"`)
	a.Attach(s.Server)
	expectStatus(t, url+"/startupz", 503, "not listening yet")
	s.start(t)
	waitFor(t, "the listener", func() bool { return s.bound.Load() != nil })
	expectStatus(t, url+"/startupz", 200, "")
	expectStatus(t, url+"/readyz", 200, "") // the application is not asked: nobody is on its port
	expectStatus(t, url+"/metrics", 200, "mtls_draining 0")
	expectStatus(t, url+"/status.json", 200, `"state": "serving"`)
	if !drain.Begin(0) {
		t.Error("the drain had begun")
	}
	expectStatus(t, url+"/readyz", 503, "draining")
	expectStatus(t, url+"/startupz", 200, "")
	expectStatus(t, url+"/livez", 200, "")
	expectStatus(t, url+"/status.json", 200, `"state": "draining"`)
	s.Drain(context.Background(), drain)
	expectStatus(t, url+"/drained", 200, "")
	expectStatus(t, url+"/status.json", 200, `"state": "drained"`)
	expectStatus(t, url+"/metrics", 200, "mtls_draining 1")
}

func TestReadinessAsksTheApplicationWhereThatIsWanted(t *testing.T) {
	app := startBackend(t, answering("HTTP/1.1 204 No Content\r\n\r\n"))
	s := startSidecar(t, app.url, "MTLS_READY_UPSTREAM=true")
	a, url := s.openAdmin(t, NewDrain())
	a.Attach(s.Server)
	waitFor(t, "the listener", func() bool { return s.bound.Load() != nil })
	expectStatus(t, url+"/readyz", 200, "")
	app.listener.Close()
	waitFor(t, "the second for which an answer counts", func() bool {
		status, text := askPort(t, url+"/readyz")
		return status == 503 && strings.Contains(text, "accepts no connection")
	})
	expectStatus(t, url+"/startupz", 200, "")
	app.sawNothing(t) // a connection is enough
}

// The kubelet's probes say nothing to the application, but where to look and how.
func TestProbesReachTheApplicationAsNobody(t *testing.T) {
	heads := make(chan *http.Request, 1)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		heads <- r
		w.Header().Set("X-Secret", "for the kubelet it is not")
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, "short and stout")
	})
	for _, h2c := range []bool{false, true} {
		app := httptest.NewUnstartedServer(handler)
		app.Config.Protocols = new(http.Protocols)
		app.Config.Protocols.SetHTTP1(!h2c)
		app.Config.Protocols.SetUnencryptedHTTP2(h2c)
		app.Start()
		url := app.URL
		if h2c {
			url = strings.Replace(url, "http://", "h2c://", 1)
		}
		s := startSidecar(t, url, "MTLS_ADMIN_UPSTREAM_PATHS=/healthz", "MTLS_HEADERS=nginx haproxy X-TLS=$ssl_protocol")
		a, port := s.openAdmin(t, NewDrain())
		a.Attach(s.Server)
		request, err := http.NewRequest(http.MethodGet, port+"/upstream/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"VERIFIED", "DN", "X-Forwarded-For", "Authorization", "Cookie", "User-Agent", "X-SSL-Client-DN"} {
			request.Header.Set(name, "SUCCESS")
		}
		transport := &http.Transport{DisableKeepAlives: true}
		answer, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusTeapot || string(text) != "short and stout" || answer.Header.Get("X-Secret") != "" {
			t.Errorf("h2c %v: got %d %q with %v", h2c, answer.StatusCode, text, answer.Header)
		}
		seen := <-heads
		var said []string
		for name := range seen.Header {
			said = append(said, name)
		}
		slices.Sort(said)
		if want := []string{"User-Agent", "Verified", "X-Ssl"}; seen.Method != "GET" || seen.RequestURI != "/healthz" || seen.Header.Get("VERIFIED") != "NONE" ||
			!slices.Equal(slices.DeleteFunc(said, func(name string) bool { return name == "Connection" }), want) || strings.Contains(seen.UserAgent(), "SUCCESS") {
			t.Errorf("h2c %v: the application saw %s %s %v, want %v", h2c, seen.Method, seen.RequestURI, seen.Header, want)
		}
		app.Close()
		status, text2 := askPort(t, port+"/upstream/healthz")
		if status != http.StatusBadGateway || !strings.Contains(text2, "refused") {
			t.Errorf("h2c %v: with the application gone got %d %q", h2c, status, text2)
		}
	}
}

func TestTheStatusTellsWhatIsInForceAndWhoWasRefused(t *testing.T) {
	app := startBackend(t, answering("HTTP/1.1 204 No Content\r\n\r\n"))
	s := startSidecar(t, app.url, "MTLS_VERIFY_CLIENT=on")
	a, url := s.openAdmin(t, NewDrain())
	a.Attach(s.Server)
	c := s.dial(t, nil)
	c.send("GET /secret?token=x HTTP/1.1\r\nHost: h\r\nX-Request-Id: abc\r\n\r\n")
	if answer, _ := c.answer("GET"); answer.StatusCode != 400 {
		t.Fatalf("got %d", answer.StatusCode)
	}
	_, text := askPort(t, url+"/status.json")
	var status admin.Status
	if err := json.Unmarshal([]byte(text), &status); err != nil {
		t.Fatal(err)
	}
	if len(status.ServerCertificates) != 1 || !slices.Contains(status.ServerCertificates[0].DNSNames, "localhost") || status.ServerCertificates[0].Source == "" {
		t.Errorf("server certificates: %+v", status.ServerCertificates)
	}
	if len(status.ClientCAs) == 0 || status.ClientCAs[0].Subject != Subject(testCA(t).ca.Cert) {
		t.Errorf("client CAs: %+v", status.ClientCAs)
	}
	if len(status.Refusals) != 1 || status.Refusals[0].Reason != "no_certificate" || status.Refusals[0].RequestID != "abc" || status.Refusals[0].Advice == "" || status.Refusals[0].Client != "127.0.0.1" {
		t.Errorf("refusals: %+v", status.Refusals)
	}
	if strings.Contains(text, "token=x") {
		t.Error("the page tells a query")
	}
	refused := slices.IndexFunc(status.Counters, func(c admin.Counter) bool { return c.Name == `mtls_refusals_total{reason="no_certificate"}` })
	if refused < 0 || status.Counters[refused].Value != 1 {
		t.Errorf("counters: %+v", status.Counters)
	}
	verify := slices.IndexFunc(status.Settings, func(one admin.Setting) bool { return one.Variable == "MTLS_VERIFY_CLIENT" })
	if verify < 0 || status.Settings[verify].Value != "on" || status.Settings[verify].Source != admin.FromEnvironment || len(status.Settings) != len(Variables()) {
		t.Errorf("settings: %+v", status.Settings)
	}
	if status.Listen != s.addr {
		t.Errorf("listens on %s, want %s", status.Listen, s.addr)
	}
}

func TestAnAdminPortThatIsTakenIsToldWithItsVariable(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	config := environment(t, "MTLS_ADMIN_ADDR="+taken.Addr().String())
	if _, err := OpenAdmin(config, &Logging{Logger: zap.NewNop()}, NewDrain()); err == nil || !strings.Contains(err.Error(), `MTLS_ADMIN_ADDR="`+taken.Addr().String()+`"`) || !strings.Contains(err.Error(), "choose another port") {
		t.Errorf("got %v", err)
	}
}
