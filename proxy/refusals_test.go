package proxy

import (
	"bufio"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"mtls-sidecar/proxy/pki"
	"mtls-sidecar/proxy/trust"
)

func TestOfManyRefusalsForOneReasonSomeAreLeftOutAndCounted(t *testing.T) {
	var rates refusalRates
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	said := func(reason string, at time.Time, wantLeftOut uint64, want bool) {
		t.Helper()
		if leftOut, allowed := rates.allow(reason, at); allowed != want || leftOut != wantLeftOut {
			t.Errorf("%s: got %v with %d left out, want %v with %d", at.Format(time.TimeOnly), allowed, leftOut, want, wantLeftOut)
		}
	}
	for range 20 { // the burst
		said("expired", now, 0, true)
	}
	for range 5 {
		said("expired", now, 0, false)
	}
	said("revoked", now, 0, true) // for another reason
	said("expired", now.Add(999*time.Millisecond), 0, false)
	said("expired", now.Add(time.Second), 6, true) // one a second
	said("expired", now.Add(time.Second), 0, false)
	said("expired", now.Add(500*time.Millisecond), 0, false) // the clock was set back
	if got := rates.silent(now.Add(10*time.Second), 10*time.Second); len(got) != 0 {
		t.Errorf("told of %v before the silence was over", got)
	}
	if got := rates.silent(now.Add(12*time.Second), 10*time.Second); fmt.Sprint(got) != "[{expired 2}]" {
		t.Errorf("after silence: got %v, want 2 that expired", got)
	}
	if got := rates.silent(now.Add(time.Hour), 0); len(got) != 0 {
		t.Errorf("told again: %v", got)
	}
	for range 20 { // no more than the burst has gathered
		said("expired", now.Add(time.Hour), 0, true)
	}
	said("expired", now.Add(time.Hour), 0, false)
	if got := rates.total.Load(); got != 9 {
		t.Errorf("left out in all: got %d, want 9", got)
	}
}

// refusedTimes has requests without the certificate that is asked for refused.
func refusedTimes(t *testing.T, s *sidecar, n int) {
	t.Helper()
	app := &backend{requests: make(chan string, 1)}
	for range n {
		s.dial(t, nil).asks(app, expectation{status: 400})
	}
}

func TestACrowdOfRefusalsDoesNotFillTheLog(t *testing.T) {
	s := startSidecar(t, "http://127.0.0.1:1", "MTLS_VERIFY_CLIENT=on")
	refusedTimes(t, s, refusalBurst+10)
	lines := len(s.logged("client certificate refused"))
	if lines < refusalBurst || lines >= refusalBurst+10 {
		t.Errorf("%d lines for %d refusals", lines, refusalBurst+10)
	}
	s.tellLeftOut(time.Now().Add(refusalSilence), refusalSilence)
	told := uint64(0)
	for _, entry := range s.logs.FilterFieldKey(keyLeftOut).All() {
		told += entry.ContextMap()[keyLeftOut].(uint64)
	}
	if want := uint64(refusalBurst + 10 - lines); told != want || s.LeftOut() != want {
		t.Errorf("told of %d and counted %d that were left out, want %d", told, s.LeftOut(), want)
	}
	if n := len(s.Refusals()); n != refusalBurst+10 {
		t.Errorf("remembered: %d, want all", n)
	}
}

func TestWhatWasLeftOutIsToldAtALevelThatIsLogged(t *testing.T) {
	for _, level := range []zapcore.Level{zapcore.InfoLevel, zapcore.WarnLevel} {
		core, logs := observer.New(level)
		s := &Server{log: zap.New(core)}
		now := time.Now()
		for range refusalBurst + 3 {
			s.refusals.rates.allow("upstream_down", now)
		}
		s.tellLeftOut(now.Add(refusalSilence), refusalSilence)
		if all := logs.All(); len(all) != 1 || all[0].ContextMap()[keyLeftOut] != uint64(3) {
			t.Errorf("with MTLS_LOG_LEVEL=%v: told %v, want that 3 were left out", level, all)
		}
	}
}

func TestWhereEveryRequestIsLoggedNoRefusalIsLeftOut(t *testing.T) {
	s := startSidecar(t, "http://127.0.0.1:1", "MTLS_VERIFY_CLIENT=on", "MTLS_ACCESS_LOG=all")
	refusedTimes(t, s, refusalBurst+10)
	if lines := len(s.logged("client certificate refused")); lines != refusalBurst+10 || s.LeftOut() != 0 {
		t.Errorf("%d lines, %d left out", lines, s.LeftOut())
	}
	if lines := len(s.logged("request")); lines != 0 {
		t.Errorf("%d refused requests have a second line", lines)
	}
}

func TestTheLast50RefusalsAreRemembered(t *testing.T) {
	var all refusals
	s := &Server{}
	for i := range 120 {
		all.add(Refusal{Status: i})
	}
	s.refusals.last, s.refusals.count = all.last, all.count
	got := s.Refusals()
	if len(got) != 50 || got[0].Status != 119 || got[49].Status != 70 {
		t.Errorf("got %d, from %d to %d", len(got), got[0].Status, got[len(got)-1].Status)
	}
	if none := (&Server{}).Refusals(); len(none) != 0 {
		t.Errorf("got %v before any", none)
	}
}

func TestARefusalIsRememberedWithWhoAndWhatToDo(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	end := time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)
	long := strings.Repeat("x", 9000)
	c := s.dial(t, issue(t, pki.Options{
		Subject:   pkix.Name{CommonName: "late", Organization: []string{long}},
		NotBefore: end.AddDate(-1, 0, 0), NotAfter: end,
	}))
	c.send("GET /a/b?token=secret HTTP/1.1\r\nHost: h\r\nX-Request-Id: id-17\r\n" +
		"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n") // W3C's example
	if answer, _ := c.answer("GET"); answer.StatusCode != 400 {
		t.Fatalf("got %d", answer.StatusCode)
	}
	got := s.Refusals()
	if len(got) != 1 {
		t.Fatalf("got %d", len(got))
	}
	r := got[0]
	if r.ClientAddress != "127.0.0.1" || r.RequestID != "id-17" || r.Path != "/a/b" || r.Status != 400 || r.Reason != "expired" ||
		r.Text != "certificate has expired" || r.Issuer != "CN=Relay Test CA" || !r.NotAfter.Equal(end) || r.Advice == "" ||
		!strings.HasPrefix(r.Subject, "CN=late") || len(r.Subject) > 300 || time.Since(r.Time) > time.Hour {
		t.Errorf("got %+v", r)
	}
	line := s.onlyRefusal(t, "client certificate refused")
	for field, want := range map[string]any{"http.request.id": "id-17", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
		"url.path": "/a/b", "http.request.method": "GET", "server.address": "h", "advice": r.Advice} {
		if line[field] != want {
			t.Errorf("%s: got %v, want %v", field, line[field], want)
		}
	}
	s.logsNothingOf(t, "secret")
}

// refusedWay is a way to be refused. It returns when the client has learned of it.
type refusedWay struct {
	reason, message string
	entries         []string
	answer          string // of the application
	do              func(t *testing.T, s *sidecar)
}

func sendsText(text string) func(t *testing.T, s *sidecar) {
	return func(t *testing.T, s *sidecar) {
		c := s.dial(t, &testCA(t).client)
		c.send(text)
		_, _ = c.answer("GET")
	}
}

// sendsPlain sends bytes instead of TLS.
func sendsPlain(text string) func(t *testing.T, s *sidecar) {
	return func(t *testing.T, s *sidecar) {
		socket, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		_ = socket.SetDeadline(time.Now().Add(hang))
		_, _ = socket.Write([]byte(text))
		_, _ = bufio.NewReader(socket).ReadByte()
	}
}

func TestEveryRefusalIsOneLineAndOneEntryWithARemedy(t *testing.T) {
	for _, way := range []refusedWay{
		{"no_certificate", "client certificate refused", []string{"MTLS_VERIFY_CLIENT=on"}, okAnswer,
			func(t *testing.T, s *sidecar) { refusedTimes(t, s, 1) }},
		{"no_certificate", "refused in the handshake", []string{"MTLS_VERIFY_CLIENT=on", "MTLS_REJECT_WITH=alert"}, okAnswer,
			func(t *testing.T, s *sidecar) { _ = s.handshakeOnly(t, clientConfig(nil)) }},
		{"bad_request", "request refused", nil, okAnswer, sendsText("BREW /pot HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")},
		{"bad_request", "request refused", nil, okAnswer, sendsText("GET / HTTP/1.1\r\nHost: h\r\nConnection: host\r\n\r\n")},
		{"body_too_large", "request refused", []string{"MTLS_MAX_BODY_BYTES=1"}, okAnswer, sendsText("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n..")},
		{"upstream_broken", "reading the application's answer failed", nil, "nonsense\r\n\r\n", sendsText(get("/"))},
		{"plain_http", "plain HTTP on the TLS port", nil, okAnswer, sendsPlain("GET / HTTP/1.1\r\n\r\n")},
		{"proxy_header_unexpected", "PROXY header refused", nil, okAnswer, sendsPlain("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")},
	} {
		t.Run(way.reason, func(t *testing.T) {
			app := startBackend(t, answering(way.answer))
			s := startSidecar(t, app.url, way.entries...)
			way.do(t, s)
			waitFor(t, "the line", func() bool { return len(s.logged(way.message)) > 0 })
			lines := s.logged(way.message)
			fields := lines[0].ContextMap()
			if len(lines) != 1 || fields["error.type"] != way.reason || fields["client.address"] != "127.0.0.1" ||
				fields["advice"] != remedyOf(way.reason) {
				t.Errorf("%d lines: %v", len(lines), fields)
			}
			if got := s.Refusals(); len(got) != 1 || got[0].Reason != way.reason || got[0].Advice != remedyOf(way.reason) {
				t.Errorf("remembered: %+v", got)
			}
			if others := s.logs.FilterFieldKey("error.type").Len(); others != 1 {
				t.Errorf("%d lines about it: %v", others, s.logs.All())
			}
		})
	}
}

func TestARefusalTellsWhichRuleOfMTLSRoutesDecided(t *testing.T) {
	const rules = "/admin/=require /public=off /=optional"
	for _, row := range []struct{ path, destination, rule string }{
		{"/admin", "", "/admin/=require"},
		{"/ADMIN/x?y", "", "/admin/=require"},
		{"/public/..%2fadmin", "", "/admin/=require"},
		{"*", "", strictestRule},
		{"/public/x", "/admin/y", "/admin/=require"},
		{"/public/x", "//?", strictestRule},
	} {
		app := startBackend(t, answering(okAnswer))
		s := startSidecar(t, app.url, "MTLS_ROUTES="+rules)
		method, more := "GET", ""
		if row.path == "*" {
			method = "OPTIONS"
		}
		if row.destination != "" {
			method, more = "COPY", "Destination: "+row.destination+"\r\n"
		}
		c := s.dial(t, nil)
		c.send(method + " " + row.path + " HTTP/1.1\r\nHost: h\r\n" + more + "\r\n")
		if answer, _ := c.answer(method); answer.StatusCode != 403 {
			t.Errorf("%+v: got %d", row, answer.StatusCode)
		}
		if got := s.onlyRefusal(t, "client certificate refused"); got["route.rule"] != row.rule || got["route.need"] != "require" {
			t.Errorf("%+v: got %v, need %v", row, got["route.rule"], got["route.need"])
		}
	}
}

func TestEveryReasonHasARemedy(t *testing.T) {
	var reasons []string
	for r := trust.Reason(1); ; r++ {
		reasons = append(reasons, r.String())
		if r.String() == "unspecified" {
			break
		}
	}
	for _, page := range []*refusal{noCertificate, certificateRequired, plainHTTP, unrenderable, identityTooLarge,
		bodyTooLarge, upstreamDown, upstreamBroken, upstreamSlow} {
		reasons = append(reasons, page.reason)
	}
	for _, f := range handshakeFaults {
		reasons = append(reasons, f.reason)
	}
	reasons = append(reasons, otherFault.reason, clientLeft.reason, reasonBadRequest)
	reasons = append(reasons, reasonsOfDenials(t)...)
	known := map[string]bool{}
	for _, reason := range slices.DeleteFunc(reasons, func(r string) bool { return r == "" }) {
		known[reason] = true
		remedy := remedyOf(reason)
		if len(remedy) < 40 || remedy == remedyOf("no such reason") || strings.HasSuffix(remedy, ".") {
			t.Errorf("%s: its remedy is %q", reason, remedy)
		}
	}
	for reason := range remedies {
		if !known[reason] {
			t.Errorf("there is a remedy for %s, and nobody is refused for that", reason)
		}
	}
}
