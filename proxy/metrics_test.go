package proxy

import (
	"crypto/tls"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
	"mtls-sidecar/proxy/trust"
)

// series are values at /metrics, by name and labels as they are written there.
type series map[string]float64

// scrape is what /metrics says now, of the sidecar's own.
func (s *sidecar) scrape(t testing.TB) series {
	t.Helper()
	rec := httptest.NewRecorder()
	s.Metrics().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	if rec.Code != 200 {
		t.Fatalf("/metrics: %d %s", rec.Code, rec.Body)
	}
	all := series{}
	for line := range strings.Lines(rec.Body.String()) {
		if !strings.HasPrefix(line, "mtls_") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all[strings.TrimPrefix(line[:at], "mtls_")] = value
	}
	return all
}

// counts are those of the series that only go up: counters, and how much is in histograms.
func (all series) counts() series {
	counts := series{}
	for name, value := range all {
		family, _, _ := strings.Cut(name, "{")
		if value != 0 && (strings.HasSuffix(family, "_total") || strings.HasSuffix(family, "_count")) {
			counts[name] = value
		}
	}
	return counts
}

// since is by how much they have gone up.
func (all series) since(before series) series {
	grown := series{}
	for name, value := range all.counts() {
		if value -= before[name]; value != 0 {
			grown[name] = value
		}
	}
	return grown
}

func (all series) String() string {
	var lines []string
	for name, value := range all {
		lines = append(lines, fmt.Sprintf("\t%s %g", name, value))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func (all series) equals(other series) bool {
	return all.String() == other.String()
}

// counted waits until exactly these counters have gone up: by one, or as they say
// after a space.
func (s *sidecar) counted(t testing.TB, before series, want ...string) {
	t.Helper()
	expected := series{}
	for _, text := range want {
		name, by, _ := strings.Cut(text, " ")
		expected[name] = 1
		if by != "" {
			expected[name], _ = strconv.ParseFloat(by, 64)
		}
	}
	var got series
	deadline := time.Now().Add(hang / 4)
	for {
		if got = s.scrape(t).since(before); got.equals(expected) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("counted\n%s\nwant\n%s", got, expected)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// Counters that each connection goes up by.
const (
	oneConnection = "connections_accepted_total"
	oneHandshake  = `tls_handshakes_total{result="ok",resumed="false",version="1.3"}`
	oneDuration   = "tls_handshake_duration_seconds_count"
)

// arrived is what a client's arrival and its judgement count.
func arrived(status, reason string) []string {
	return []string{oneConnection, oneHandshake, oneDuration, `verdicts_total{reason="` + reason + `",status="` + status + `"}`}
}

// expiredClient has a certificate that was good once.
func expiredClient(t testing.TB) *tls.Certificate {
	now := time.Now()
	return issue(t, pki.Options{NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour)})
}

// A counter that is not there until something happens does not show its first time.
func TestMetricsAreAllThereFromTheStart(t *testing.T) {
	s := newSidecar(t, "http://127.0.0.1:1")
	all := s.scrape(t)
	for _, name := range []string{
		"connections_accepted_total", "tunnels", "tunnels_opened_total", "http_requests_in_flight", "upstream_retries_total", "client_gone_total",
		"exchanges_cut_total", "troubles", "upstream_exposed", "draining", "tls_handshake_duration_seconds_count", "upstream_response_seconds_count",
		`connections{state="active"}`, `connections{state="idle"}`, `connections{state="handshake"}`,
		`tls_handshakes_total{result="ok",resumed="true",version="1.2"}`, `tls_handshakes_total{result="eof",resumed="false",version=""}`,
		`verdicts_total{reason="",status="NONE"}`, `verdicts_total{reason="",status="SUCCESS"}`,
		`reverifications_total{result="held"}`, `reverifications_total{result="lost"}`,
		`http_requests_total{code="200",method="GET",protocol="1.0",verified="NONE"}`,
		`http_requests_total{code="504",method="GET",protocol="2",verified="FAILED"}`,
		`http_request_duration_seconds_count{code_class="1xx"}`, `http_request_duration_seconds_count{code_class="5xx"}`,
		`upstream_errors_total{reason="refused"}`, `upstream_errors_total{reason="timeout"}`, `upstream_errors_total{reason="invalid_answer"}`,
		`upstream_errors_total{reason="cut_short"}`, `upstream_errors_total{reason="exposed"}`,
		`stripped_headers_total{header="verified"}`, `stripped_headers_total{header="dn"}`, `stripped_headers_total{header="x-ssl-client-verify"}`,
		`stripped_headers_total{header="other"}`,
		`limits_reached_total{variable="MTLS_MAX_CONNECTIONS"}`, `limits_reached_total{variable="MTLS_SEND_TIMEOUT"}`,
		`http2_abuse_total{kind="protocol_error"}`, `http2_abuse_total{kind="stream_limit"}`, `http2_abuse_total{kind="resets"}`, `http2_abuse_total{kind="flood"}`,
		`proxy_headers_refused_total{reason="missing"}`, `proxy_headers_refused_total{reason="bad"}`, `proxy_headers_refused_total{reason="unexpected"}`,
		`crl_fetches_total{result="ok"}`, `crl_fetches_total{result="unchanged"}`, `crl_fetches_total{result="failed"}`, `crl_fetches_total{result="refused"}`,
		`ocsp_requests_total{result="good"}`, `ocsp_requests_total{result="revoked"}`, `ocsp_requests_total{result="unknown"}`, `ocsp_requests_total{result="failed"}`,
		`log_lines_dropped_total{reason="rate"}`, `log_lines_dropped_total{reason="full"}`,
	} {
		if value, ok := all[name]; !ok || value != 0 {
			t.Errorf("%s is %v (there: %t), want 0", name, value, ok)
		}
	}
	for _, kind := range []string{"server", "ca", "crl", "tickets"} {
		for _, result := range []string{"success", "failure"} {
			if value, ok := all[`reloads_total{kind="`+kind+`",result="`+result+`"}`]; !ok || value != 0 {
				t.Errorf("reloads of %s with %s: %v, %t", kind, result, value, ok)
			}
		}
	}
	if got := all.counts(); len(got) > 0 {
		t.Errorf("counted before anything happened:\n%s", got)
	}
	if len(all) > 1200 {
		t.Errorf("%d lines at rest: too many for what is no Prometheus by itself", len(all))
	}
}

// reasonsInCode are the words given for refusals in the package's source: the field
// reason of a denial or handshakeFault, and the second one of a refusal.
func reasonsInCode(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	add := func(e ast.Expr) {
		if literal, ok := e.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			word, _ := strconv.Unquote(literal.Value)
			words = append(words, word)
		}
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if kind, ok := n.Type.(*ast.Ident); ok && kind.Name == "refusal" && len(n.Elts) == 4 {
					add(n.Elts[1])
				}
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "reason" {
					add(n.Value)
				}
			}
			return true
		})
	}
	return words
}

func TestMetricsKnowEveryReasonOfARefusal(t *testing.T) {
	s := newSidecar(t, "http://127.0.0.1:1")
	words := append(reasonsInCode(t), reasonBadRequest)
	for r := trust.Reason(1); r.String() != trust.Reason(255).String(); r++ {
		words = append(words, r.String())
	}
	for _, f := range handshakeFaults {
		words = append(words, f.reason)
	}
	if len(words) < 60 {
		t.Fatalf("found %d words only: %q", len(words), words)
	}
	for _, word := range words {
		if _, ok := s.metrics.refusalIndex[word]; !ok {
			t.Errorf("a refusal for %q would be counted as another one", word)
		}
	}
	before := s.scrape(t)
	s.metrics.refused("what nobody has heard of")
	s.metrics.refused("expired")
	s.counted(t, before, `refusals_total{reason="other"}`, `refusals_total{reason="expired"}`)
}

func TestMetricsTellOfEventsByTheVariableOrKind(t *testing.T) {
	kind := func(family, label, value string) string { return family + "{" + label + `="` + value + `"}` }
	s := newSidecar(t, "http://127.0.0.1:1")
	told := map[Event][]string{
		ConnectionLimit:        {limit("MTLS_MAX_CONNECTIONS")},
		HandshakeTimeout:       {limit("MTLS_HANDSHAKE_TIMEOUT")},
		IdleTimeout:            {limit("MTLS_IDLE_TIMEOUT")},
		HeaderTimeout:          {limit("MTLS_HEADER_TIMEOUT")},
		HeadTooLarge:           {limit("MTLS_MAX_HEADER_BYTES")},
		IdentityTooLarge:       {limit("MTLS_MAX_IDENTITY_BYTES")},
		BodyTooLarge:           {limit("MTLS_MAX_BODY_BYTES")},
		BodyTimeout:            {limit("MTLS_BODY_TIMEOUT")},
		SendTimeout:            {limit("MTLS_SEND_TIMEOUT")},
		UpstreamConnectTimeout: {limit("MTLS_UPSTREAM_CONNECT_TIMEOUT")},
		UpstreamTimeout:        {limit("MTLS_UPSTREAM_TIMEOUT")},
		TunnelIdle:             {limit("MTLS_TUNNEL_IDLE_TIMEOUT")},
		H2StreamLimit:          {limit("MTLS_HTTP2_MAX_STREAMS"), kind("http2_abuse_total", "kind", "stream_limit")},
		H2ProtocolError:        {kind("http2_abuse_total", "kind", "protocol_error")},
		H2Resets:               {kind("http2_abuse_total", "kind", "resets")},
		H2Flood:                {kind("http2_abuse_total", "kind", "flood")},
		ProxyHeaderMissing:     {kind("proxy_headers_refused_total", "reason", "missing")},
		ProxyHeaderBad:         {kind("proxy_headers_refused_total", "reason", "bad")},
		ProxyHeaderUnexpected:  {kind("proxy_headers_refused_total", "reason", "unexpected")},
		ClientGone:             {"client_gone_total"},
		TunnelOpened:           {"tunnels_opened_total"},
		BeliefLost:             {"exchanges_cut_total"},
		// Told in other words.
		TargetTooLong: nil, CertificateTooLarge: nil, CertificateUnparsable: nil, CertificateKeyTooLarge: nil, CertificateKeyUnsupported: nil,
		CertificateNotProved: nil, HandshakeFailed: nil, Reloaded: nil, ReloadFailed: nil, CRLRefused: nil, CRLFetchFailed: nil, OCSPFetchFailed: nil,
	}
	for event, want := range told {
		before := s.scrape(t)
		s.events.count(event)
		s.counted(t, before, want...)
	}
	for e := range eventCount {
		if _, ok := told[e]; !ok {
			t.Errorf("nothing says here how event %d is told", e)
		}
	}
}
