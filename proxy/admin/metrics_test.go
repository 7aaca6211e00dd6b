package admin

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// pinned are the families that dashboards and alerts go by.
const pinned = `
mtls_build_info                              gauge     version,goversion,revision
mtls_config_info                             gauge     verify_client,invalid_cert,reject_with,crl_policy,ocsp,upstream_exposed,drain_delay,drain_timeout
mtls_connections                             gauge     state
mtls_connections_accepted_total              counter   -
mtls_tunnels                                 gauge     -
mtls_tunnels_opened_total                    counter   -
mtls_tls_handshakes_total                    counter   result,version,resumed
mtls_tls_handshake_duration_seconds          histogram -
mtls_verdicts_total                          counter   status,reason
mtls_reverifications_total                   counter   result
mtls_exchanges_cut_total                     counter   -
mtls_http_requests_total                     counter   method,code,protocol,verified
mtls_http_requests_in_flight                 gauge     -
mtls_http_request_duration_seconds           histogram code_class
mtls_upstream_response_seconds               histogram -
mtls_refusals_total                          counter   reason
mtls_upstream_errors_total                   counter   reason
mtls_upstream_retries_total                  counter   -
mtls_client_gone_total                       counter   -
mtls_stripped_headers_total                  counter   header
mtls_limits_reached_total                    counter   variable
mtls_http2_abuse_total                       counter   kind
mtls_proxy_headers_refused_total             counter   reason
mtls_certificate_not_before_timestamp_seconds gauge    kind,subject,serial
mtls_certificate_not_after_timestamp_seconds gauge     kind,subject,serial
mtls_crl_this_update_timestamp_seconds       gauge     issuer,source
mtls_crl_next_update_timestamp_seconds       gauge     issuer,source
mtls_crl_entries                             gauge     issuer,source
mtls_crl_fetches_total                       counter   result
mtls_ocsp_requests_total                     counter   result
mtls_reloads_total                           counter   kind,result
mtls_reload_last_success_timestamp_seconds   gauge     kind
mtls_troubles                                gauge     -
mtls_upstream_exposed                        gauge     -
mtls_draining                                gauge     -
mtls_log_lines_dropped_total                 counter   reason
`

func TestTheNamesTypesAndLabelsOfMetricsStayAsTheyAre(t *testing.T) {
	want := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(pinned), "\n") {
		f := strings.Fields(line)
		want[f[0]] = f[1] + " " + strings.TrimPrefix(f[2], "-")
	}
	kinds := map[metricKind]string{counterKind: "counter", gaugeKind: "gauge", histogramKind: "histogram"}
	for _, f := range families {
		if got := kinds[f.kind] + " " + strings.Join(f.labels, ","); got != want[f.name] {
			t.Errorf("%s: got %q, want %q", f.name, got, want[f.name])
		}
		delete(want, f.name)
		if !strings.HasSuffix(f.help, ".") || len(f.help) < 20 {
			t.Errorf("%s says nothing of what it is for: %q", f.name, f.help)
		}
	}
	for name := range want {
		t.Errorf("%s is missing", name)
	}
}

// scrape gets /metrics and gives each series' value, and its text.
func scrape(t *testing.T, h http.Handler, accept string) (map[string]float64, *http.Response, string) {
	t.Helper()
	r := httptest.NewRequest("GET", "/metrics", nil)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	body := rec.Body.String()
	series := map[string]float64{}
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		series[line[:at]] = value
	}
	return series, rec.Result(), body
}

func handler(t *testing.T, collect func(*Samples)) (http.Handler, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	h, err := MetricsHandler(collect, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	return h, logs
}

func TestSamplesAreToldInPrometheusForm(t *testing.T) {
	var h Histogram
	h.Observe(-time.Second) // the clock was set back
	h.Observe(500 * time.Microsecond)
	h.Observe(501 * time.Microsecond)
	h.Observe(3 * time.Second)
	h.Observe(time.Minute)
	handle, logs := handler(t, func(to *Samples) {
		to.Value(MetricTunnels, 3)
		to.Value(MetricRequests, 7, "GET", "200", "1.1", "NONE")
		to.Value(MetricCertificateNotAfter, Timestamp(time.UnixMilli(1_700_000_000_500)), "ca", `CN="a\`+"\n", "01")
		to.Value(MetricDraining, Bool(true))
		to.Histogram(MetricRequestDuration, &h, "2xx")
	})
	series, answer, body := scrape(t, handle, "")
	for name, want := range map[string]float64{
		`mtls_tunnels`: 3,
		`mtls_http_requests_total{code="200",method="GET",protocol="1.1",verified="NONE"}`:         7,
		`mtls_certificate_not_after_timestamp_seconds{kind="ca",serial="01",subject="CN=\"a\\\n"}`: 1700000000.5,
		`mtls_draining`: 1,
		`mtls_http_request_duration_seconds_bucket{code_class="2xx",le="0.0005"}`: 2,
		`mtls_http_request_duration_seconds_bucket{code_class="2xx",le="0.001"}`:  3,
		`mtls_http_request_duration_seconds_bucket{code_class="2xx",le="2.5"}`:    3,
		`mtls_http_request_duration_seconds_bucket{code_class="2xx",le="5"}`:      4,
		`mtls_http_request_duration_seconds_bucket{code_class="2xx",le="10"}`:     4,
		`mtls_http_request_duration_seconds_bucket{code_class="2xx",le="+Inf"}`:   5,
		`mtls_http_request_duration_seconds_count{code_class="2xx"}`:              5,
		`mtls_http_request_duration_seconds_sum{code_class="2xx"}`:                63.001001,
	} {
		if got, ok := series[name]; !ok || math.Abs(got-want) > 1e-9*math.Abs(want) {
			t.Errorf("%s is %v (there: %t), want %v", name, got, ok, want)
		}
	}
	if kind := answer.Header.Get("Content-Type"); answer.StatusCode != 200 || !strings.HasPrefix(kind, "text/plain; version=0.0.4") {
		t.Errorf("answered %d %s, want 200 in text form", answer.StatusCode, kind)
	}
	if !strings.Contains(body, "# TYPE mtls_tunnels gauge\n") || !strings.Contains(body, "# HELP mtls_tunnels ") {
		t.Error("a family has no type or help")
	}
	if logs.Len() > 0 {
		t.Errorf("logged %v", logs.All())
	}
}

func TestTheRuntimeAndTheProcessAreToldOfToo(t *testing.T) {
	handle, _ := handler(t, func(*Samples) {})
	series, _, _ := scrape(t, handle, "")
	for _, name := range []string{"go_goroutines", "go_memstats_heap_alloc_bytes", "process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"} {
		if _, ok := series[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
	for name := range series {
		if !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("%s is there without a sample", name)
		}
	}
}

func TestOpenMetricsIsSpokenToWhoeverAsksForIt(t *testing.T) {
	handle, _ := handler(t, func(to *Samples) { to.Value(MetricClientGone, 2) })
	_, answer, body := scrape(t, handle, "application/openmetrics-text;version=1.0.0")
	if kind := answer.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/openmetrics-text") {
		t.Errorf("answered in %s", kind)
	}
	if !strings.HasSuffix(body, "# EOF\n") || !strings.Contains(body, "mtls_client_gone_total 2") {
		t.Error("what was answered is no OpenMetrics")
	}
}

func TestHostileLabelsHarmNoOtherSample(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	handle, logs := handler(t, func(to *Samples) {
		to.Value(MetricCRLEntries, 1, "\xff\xfe bad", "a")
		to.Value(MetricCRLEntries, 2, long, "a")
		to.Value(MetricCRLEntries, 3, long+"y", "a") // no other one once it is cut
		to.Value(MetricCRLEntries, 4, "same", "a")
		to.Value(MetricCRLEntries, 5, "same", "a")
		to.Value(MetricCRLEntries, 6, "ab", "c")
		to.Value(MetricCRLEntries, 7, "a", "bc")
		to.Value(MetricCRLEntries, 8, "too few")
		to.Value(MetricRequestDuration, 9, "2xx")
		to.Histogram(MetricTunnels, &Histogram{})
		to.Value(MetricTroubles, 10)
	})
	series, answer, body := scrape(t, handle, "")
	want := map[string]float64{
		`mtls_crl_entries{issuer=" bad",source="a"}`:                       1,
		`mtls_crl_entries{issuer="` + long[:maxLabel] + `...",source="a"}`: 2,
		`mtls_crl_entries{issuer="same",source="a"}`:                       4,
		`mtls_crl_entries{issuer="ab",source="c"}`:                         6,
		`mtls_crl_entries{issuer="a",source="bc"}`:                         7,
		`mtls_troubles`: 10,
	}
	for name, value := range series {
		if strings.HasPrefix(name, "mtls_") && want[name] != value {
			t.Errorf("%.80s is %v, want %v", name, value, want[name])
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%.80s is missing", name)
	}
	if answer.StatusCode != 200 || len(body) > 64<<10 {
		t.Errorf("answered %d with %d bytes", answer.StatusCode, len(body))
	}
	if logs.Len() != 1 { // of the three that are wrong
		t.Errorf("logged %d lines, want one", logs.Len())
	}
}

// Whoever asks all the time does not keep Prometheus out: it waits for its turn.
func TestScrapesAreBoundedAndNobodyIsTurnedAway(t *testing.T) {
	var inside atomic.Int32
	entered, release := make(chan struct{}), make(chan struct{})
	handle, _ := handler(t, func(*Samples) {
		if inside.Add(1) > maxScrapes {
			t.Errorf("more than %d scrapes at once", maxScrapes)
		}
		defer inside.Add(-1)
		entered <- struct{}{}
		<-release
	})
	status := make(chan int, 2*maxScrapes)
	scrape := func(ctx context.Context) {
		rec := httptest.NewRecorder()
		handle.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, "GET", "/metrics", nil))
		status <- rec.Code
	}
	for range cap(status) {
		go scrape(t.Context())
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	for range maxScrapes {
		<-entered
	}
	scrape(gone) // who has gone waits for nothing
	if got := <-status; got == 200 {
		t.Errorf("who has gone got %d", got)
	}
	close(release)
	for range maxScrapes {
		<-entered
	}
	for range cap(status) {
		if got := <-status; got != 200 {
			t.Errorf("got %d, want 200", got)
		}
	}
}

func TestObservingAllocatesNothing(t *testing.T) {
	var h Histogram
	if got := testing.AllocsPerRun(100, func() { h.Observe(time.Millisecond) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestTheBucketsGoUpwards(t *testing.T) {
	if !slices.IsSorted(bounds[:]) || bounds[0] != 500*time.Microsecond || bounds[len(bounds)-1] != 10*time.Second {
		t.Errorf("the buckets end at %s", fmt.Sprint(bounds))
	}
}

func BenchmarkObserve(b *testing.B) {
	var h Histogram
	b.ReportAllocs()
	for b.Loop() {
		h.Observe(30 * time.Microsecond)
	}
}

func BenchmarkScrape(b *testing.B) {
	handle, err := MetricsHandler(func(to *Samples) {
		for i := range 500 {
			to.Value(MetricStrippedHeaders, float64(i), strconv.Itoa(i))
		}
	}, zap.NewNop())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		handle.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil))
	}
}
