package main_test

import (
	"crypto/x509"
	"encoding/json"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// watched is a sidecar with its admin port open and something to tell of: a
// certificate near its end, a CA, a revocation list, and an application that can be
// reached around it.
type watched struct {
	*sidecar
	dir   string // with client.crt, client.key and ca.crt
	admin string // host:port
}

// startWatched runs one before an application that listens on app.
func startWatched(t *testing.T, app net.Listener) watched {
	t.Helper()
	dir := t.TempDir()
	mintWatched(t, dir)
	_, port, _ := net.SplitHostPort(app.Addr().String())
	in := func(name string) string { return filepath.Join(dir, name) }
	car := startSidecar(t, settings{
		"MTLS_UPSTREAM_URL":   "http://127.0.0.1:" + port,
		"MTLS_CERT_FILE":      in("server.crt"),
		"MTLS_KEY_FILE":       in("server.key"),
		"MTLS_CLIENT_CA_FILE": in("ca.crt"),
		"MTLS_CRL":            in("ca.crl"),
		"MTLS_ADMIN_ADDR":     "127.0.0.1:0",
	})
	var said struct{ Addr string }
	line := car.expect(t, `"msg":"admin port open"`)
	if err := json.Unmarshal([]byte(line), &said); err != nil || said.Addr == "" {
		t.Fatalf("the line that tells the admin port's address does not: %s (%v)", line, err)
	}
	return watched{car, dir, said.Addr}
}

// mintWatched writes the files. The server's certificate has an hour of its day
// left, which is less than a twentieth.
func mintWatched(t *testing.T, dir string) {
	t.Helper()
	now := time.Now()
	ca, err := pki.NewRoot(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	list, err := ca.CRL(1)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "ca.crt"), string(pki.CertPEM(ca.Cert)))
	write(t, filepath.Join(dir, "ca.crl"), string(list))
	for name, options := range map[string]pki.Options{
		"server": {DNSNames: []string{"localhost"}, EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			NotBefore: now.Add(-23 * time.Hour), NotAfter: now.Add(time.Hour)},
		"client": {},
	} {
		pair, err := ca.Issue(options)
		if err != nil {
			t.Fatal(err)
		}
		key, err := pki.KeyPEM(pair.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name+".crt"), string(pki.ChainPEM(pair)))
		write(t, filepath.Join(dir, name+".key"), string(key))
	}
}

// series is one line of the text form: its labels and nothing of its value.
type series map[string]string

// exposed is what /metrics has, by name. A histogram has its three names.
type exposed map[string][]series

var (
	sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? \S+$`)
	labelPair  = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)",?`)
)

// readMetrics reads Prometheus' text format, version 0.0.4.
func readMetrics(t *testing.T, text string) exposed {
	t.Helper()
	all := exposed{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		sample := sampleLine.FindStringSubmatch(line)
		if sample == nil {
			t.Errorf("not a line of the text format: %q", line)
			continue
		}
		labels := series{}
		for _, pair := range labelPair.FindAllStringSubmatch(sample[2], -1) {
			labels[pair[1]] = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n").Replace(pair[2])
		}
		all[sample[1]] = append(all[sample[1]], labels)
	}
	return all
}

// scraped is what a sidecar has told nobody has asked anything of yet.
func scraped(t *testing.T) string {
	t.Helper()
	app, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	car := startWatched(t, app)
	answer := curl(t, car.dir, "http://"+car.admin+"/metrics")
	if answer.status != 200 {
		t.Fatalf("/metrics: got %+v, want 200", answer)
	}
	return answer.body
}

func TestPromtoolFindsNoFaultInTheMetrics(t *testing.T) {
	t.Parallel()
	need(t, "promtool")
	if said, err := promtool(t, ".", scraped(t), "check", "metrics"); err != nil || said != "" {
		t.Errorf("promtool check metrics: %v\n%s", err, said)
	}
}

// targetLabels are what Prometheus adds to each series: see podmonitor.yaml.
var targetLabels = []string{"namespace", "job", "pod", "instance", "endpoint", "container"}

// What alerts and dashboard ask for exists, down to each value of a label, so that
// no alert is silent for a misspelling.
func TestWhatAlertsAndDashboardAskForExists(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	have := readMetrics(t, scraped(t))
	questions := readDashboard(t).questions(t)
	recorded := []string{"up"} // Prometheus' own
	for _, r := range readRules(t) {
		questions[r.alert+r.record] = r.expr
		recorded = append(recorded, r.record)
	}
	asked := map[string]bool{}
	for where, expr := range questions {
		q := parse(expr)
		labels := slices.Concat(targetLabels, []string{"le"})
		for _, s := range q.selectors {
			asked[s.metric] = true
			if !slices.Contains(recorded, s.metric) && len(have[s.metric]) == 0 {
				t.Errorf("%s: there is no metric %s", where, s.metric)
			}
			for _, m := range s.matchers {
				if fault := m.fault(have[s.metric]); fault != "" && !slices.Contains(targetLabels, m.label) {
					t.Errorf("%s: %s: %s", where, s.metric, fault)
				}
			}
			for _, one := range have[s.metric] {
				for label := range one {
					labels = append(labels, label)
				}
			}
		}
		for _, label := range q.grouped {
			if !slices.Contains(labels, label) {
				t.Errorf("%s: no metric in it has the label %s", where, label)
			}
		}
	}
	for name := range have {
		name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_sum"), "_count"), "_bucket")
		if strings.HasPrefix(name, "mtls_") && !asked[name] && !asked[name+"_bucket"] && name != "mtls_reload_last_success_timestamp_seconds" {
			t.Errorf("neither alerts nor dashboard make use of %s", name)
		}
	}
}
