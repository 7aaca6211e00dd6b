package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// prometheus is a real one that scrapes a sidecar and evaluates the rules of
// deploy/, both several times a second.
type prometheus struct {
	*process
	url string
}

const prometheusConfig = `
global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 200ms}
rule_files: [%s]
scrape_configs:
- job_name: shop
  static_configs:
  - targets: [%q]
    labels: {endpoint: mtls-admin, namespace: eu, pod: shop-1}
`

func startPrometheus(t *testing.T, target string) prometheus {
	t.Helper()
	program, dir := need(t, "prometheus"), t.TempDir()
	rules, err := filepath.Abs(deployed("prometheus", "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "prometheus.yml")
	write(t, config, fmt.Sprintf(prometheusConfig, rules, target))
	addr := fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1)[0])
	p := start(t, "prometheus", exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+addr, "--log.level=info"))
	p.expect(t, "Server is ready to receive web requests")
	return prometheus{p, "http://" + addr}
}

// ask gets what the HTTP API says into data; see Prometheus' documentation, HTTP API.
func (p prometheus) ask(path string, data any) error {
	answer, err := http.Get(p.url + "/api/v1" + path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	told := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.Unmarshal(body, &told); err != nil || told.Status != "success" {
		return fmt.Errorf("%s: %s %s (%v)", path, told.Status, told.Error, err)
	}
	return nil
}

// value is that of the first series that an expression has; none: false.
func (p prometheus) value(t *testing.T, expr string) (string, bool) {
	t.Helper()
	var data struct{ Result []struct{ Value [2]any } }
	if err := p.ask("/query?query="+url.QueryEscape(expr), &data); err != nil {
		t.Fatal(err)
	}
	if len(data.Result) == 0 {
		return "", false
	}
	return fmt.Sprint(data.Result[0].Value[1]), true
}

// until waits until look finds no fault any more.
func (p prometheus) until(t *testing.T, look func() (fault string)) {
	t.Helper()
	guard, again := time.After(hang), time.NewTicker(50*time.Millisecond)
	defer again.Stop()
	for {
		fault := look()
		if fault == "" {
			return
		}
		select {
		case <-again.C:
		case <-p.done:
			t.Fatalf("prometheus has ended:\n%s", p.tail(20))
		case <-guard:
			t.Fatal(fault)
		}
	}
}

// becomes waits until an expression has this value.
func (p prometheus) becomes(t *testing.T, expr, want string) {
	t.Helper()
	p.until(t, func() string {
		if got, _ := p.value(t, expr); got != want {
			return fmt.Sprintf("%s: got %q, want %q", expr, got, want)
		}
		return ""
	})
}

func TestARealPrometheusSeesAndAlerts(t *testing.T) {
	t.Parallel()
	need(t, "prometheus")
	// On all addresses, which is what an alert must be about.
	app, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	served := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })}
	go served.Serve(app)
	t.Cleanup(func() { served.Close() })
	car := startWatched(t, app)
	p := startPrometheus(t, car.admin)

	p.becomes(t, `up{job="shop",endpoint="mtls-admin"}`, "1")
	const believed = `sum(mtls_http_requests_total{code="200",verified="SUCCESS"})`
	p.becomes(t, believed, "0")
	for range 3 {
		answer := curl(t, car.dir, "--cacert", "ca.crt", "--cert", "client.crt", "--key", "client.key", car.url("/"))
		if answer.status != 200 {
			t.Fatalf("got %+v, want 200", answer)
		}
	}
	p.becomes(t, believed, "3")
	p.becomes(t, `sum(increase(mtls_http_requests_total[1m])) > bool 0`, "1")
	p.becomes(t, `sum(mtls_upstream_response_seconds_count)`, "3")

	p.becomes(t, `ALERTS{alertname="MtlsApplicationExposed",alertstate="firing",severity="critical",namespace="eu",pod="shop-1"}`, "1")
	p.becomes(t, `ALERTS{alertname="MtlsServerCertificateAtItsEnd",alertstate="pending"}`, "1") // for a minute first
	p.becomes(t, `count(ALERTS{alertname=~"MtlsClientCA.*|MtlsCRL.*"}) or vector(0)`, "0")
	p.hasNoFaultyRule(t)
	p.answersTheDashboard(t)
}

// hasNoFaultyRule waits until every rule has been evaluated without an error.
func (p prometheus) hasNoFaultyRule(t *testing.T) {
	t.Helper()
	want := len(readRules(t))
	p.until(t, func() string {
		var data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
		if err := p.ask("/rules", &data); err != nil {
			return err.Error()
		}
		count := 0
		for _, group := range data.Groups {
			for _, r := range group.Rules {
				count++
				if r.Health != "ok" || r.LastError != "" {
					return fmt.Sprintf("%s: %s %s", r.Name, r.Health, r.LastError)
				}
			}
		}
		if count != want {
			return fmt.Sprintf("Prometheus evaluates %d rules, want %d", count, want)
		}
		return ""
	})
}

// answersTheDashboard asks all that the dashboard does. What is left out where
// there is nothing to show ends in > 0; a memory limit there may be or not.
func (p prometheus) answersTheDashboard(t *testing.T) {
	t.Helper()
	for title, expr := range readDashboard(t).questions(t) {
		p.until(t, func() string {
			_, any := p.value(t, expr)
			if any || strings.HasSuffix(expr, "> 0") || strings.Contains(expr, "go_gc_gomemlimit_bytes") {
				return ""
			}
			return title + ": no series: " + expr
		})
	}
}
