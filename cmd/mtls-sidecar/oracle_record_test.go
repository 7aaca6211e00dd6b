package main_test

import (
	"flag"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "ask nginx anew and store its answers in testdata/nginx")

// answer is what a proxy made of one client certificate.
type answer struct {
	status   int    // of the HTTP answer; 0: the handshake failed
	verify   string // $ssl_client_verify, also where the proxy itself answers; nginx only
	verified string // VERIFIED as the application saw it; empty: it saw no request
	dn       string // DN as the application saw it; empty: none
}

func (a answer) String() string {
	return fmt.Sprintf("status %d, VERIFIED %q, DN %q", a.status, a.verified, a.dn)
}

// answers are by "row | setting | TLS version".
type answers map[string]answer

// at returns one answer; that nothing was asked is no answer.
func (a answers) at(t *testing.T, key string) answer {
	t.Helper()
	found, ok := a[key]
	if !ok {
		t.Errorf("%s: nginx was not asked (ask with -update)", key)
	}
	return found
}

// askNginx reports whether to ask a live nginx: to store what it says, where
// all must run, and where it is the one that was asked before.
func askNginx(t *testing.T, recorded string) bool {
	t.Helper()
	if *update || required() {
		need(t, "nginx")
		return true
	}
	return recorded != "" && nginxVersion() == recorded
}

// nginxAnswers returns what nginx says: live from ask where it can be asked,
// when it must equal the record in the file; otherwise the record.
func nginxAnswers(t *testing.T, file string, ask func() answers) answers {
	t.Helper()
	version, recorded := readAnswers(t, file)
	if !askNginx(t, version) {
		return recorded
	}
	live := ask()
	if *update {
		writeAnswers(t, file, live)
		return live
	}
	for key, got := range live {
		if want, ok := recorded[key]; !ok || got != want {
			t.Errorf("%s: %s: nginx says %+v, the record %+v (ask again with -update)", file, key, got, want)
		}
	}
	for key := range recorded {
		if _, ok := live[key]; !ok {
			t.Errorf("%s: %s: recorded, but no longer asked (ask again with -update)", file, key)
		}
	}
	return live
}

// readAnswers reads a table that writeAnswers wrote; one that is not there yet
// is empty.
func readAnswers(t *testing.T, file string) (version string, all answers) {
	t.Helper()
	data, err := os.ReadFile(nginxData(file))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	all = answers{}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# asked: "); ok {
			version = rest
		}
		cells := strings.Split(line, " | ")
		if strings.HasPrefix(line, "#") || len(cells) != 7 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		status, err := strconv.Atoi(cells[3])
		if err != nil {
			t.Fatalf("%s: %q: %v", file, line, err)
		}
		a := answer{status, empty(cells[4]), empty(cells[5]), empty(cells[6])}
		for tls := range strings.FieldsSeq(cells[2]) {
			all[key(cells[0], cells[1], tls)] = a
		}
	}
	return version, all
}

// writeAnswers stores a table in which TLS versions that agree share a line.
func writeAnswers(t *testing.T, file string, all answers) {
	t.Helper()
	var lines []string
	for k, a := range all {
		cells := strings.Split(k, " | ")
		other := answer{status: -1}
		if cells[2] == "1.2" {
			other = all[key(cells[0], cells[1], "1.3")]
		} else if all[key(cells[0], cells[1], "1.2")] == a {
			continue // told with 1.2
		}
		if other == a {
			cells[2] = "1.2 1.3"
		}
		lines = append(lines, fmt.Sprintf("%-50s | %-22s | %-7s | %d | %s | %s | %s\n",
			cells[0], cells[1], cells[2], a.status, dash(a.verify), dash(a.verified), dash(a.dn)))
	}
	sort.Strings(lines)
	head := "# nginx's answers to client certificates. Made by: go test ./cmd/mtls-sidecar -run Nginx -update\n" +
		"# asked: " + nginxVersion() + "\n" +
		"# certificate | setting | TLS | status | $ssl_client_verify | VERIFIED and DN as the application saw them (-: none)\n"
	if err := os.WriteFile(nginxData(file), []byte(head+strings.Join(lines, "")), 0o644); err != nil {
		t.Fatal(err)
	}
}

func key(row, setting, tls string) string { return row + " | " + setting + " | " + tls }

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func empty(s string) string {
	if s == "-" {
		return ""
	}
	return s
}
