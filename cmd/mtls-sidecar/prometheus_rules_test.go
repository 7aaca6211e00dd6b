package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The alerts and the dashboard of deploy/, proved with Prometheus' own programs.

// deployed is the path of a file below deploy/.
func deployed(parts ...string) string {
	return filepath.Join(append([]string{"..", "..", "deploy"}, parts...)...)
}

// text reads a file whole.
func text(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// rule is one of deploy/prometheus/rules.yaml.
type rule struct {
	alert, record string // one of them
	expr          string
	fields        map[string]string // severity and the annotations
}

var (
	ruleStart = regexp.MustCompile(`^      - (alert|record): (\S+)$`)
	ruleField = regexp.MustCompile(`^( {8}| {10})([a-z_]+): (.*)$`)
)

// readRules reads the rules in the layout that the file keeps, which is less than
// YAML allows; promtool reads all of it.
func readRules(t *testing.T) []rule {
	t.Helper()
	var rules []rule
	block := false // the lines of an expression follow
	for line := range strings.Lines(text(t, deployed("prometheus", "rules.yaml"))) {
		line = strings.TrimRight(line, "\n")
		if start := ruleStart.FindStringSubmatch(line); start != nil {
			rules = append(rules, rule{fields: map[string]string{}})
			*map[string]*string{"alert": &rules[len(rules)-1].alert, "record": &rules[len(rules)-1].record}[start[1]] = start[2]
		}
		field := ruleField.FindStringSubmatch(line)
		switch {
		case len(rules) == 0:
		case field != nil && field[2] == "expr" && field[3] == "|":
			block = true
		case field != nil && field[2] == "expr":
			rules[len(rules)-1].expr = field[3]
		case block && strings.HasPrefix(line, "          "):
			rules[len(rules)-1].expr += line + "\n"
		case field != nil:
			rules[len(rules)-1].fields[field[2]] = strings.Trim(field[3], `"`)
			block = false
		default:
			block = false
		}
	}
	if len(rules) < 20 {
		t.Fatalf("found %d rules only", len(rules))
	}
	return rules
}

// promtool runs Prometheus' tool and returns what it says.
func promtool(t *testing.T, dir, stdin string, args ...string) (said string, err error) {
	t.Helper()
	cmd := exec.Command(need(t, "promtool"), args...)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestPromtoolAcceptsTheRules(t *testing.T) {
	t.Parallel()
	said, err := promtool(t, deployed("prometheus"), "", "check", "rules", "--lint=all", "--lint-fatal", "rules.yaml")
	if err != nil {
		t.Errorf("promtool check rules: %v\n%s", err, said)
	}
	if want := fmt.Sprintf("%d rules found", len(readRules(t))); !strings.Contains(said, want) {
		t.Errorf("promtool says %q, this test has read %s", said, want)
	}
}

func TestTheAlertsPassTheirUnitTests(t *testing.T) {
	t.Parallel()
	if said, err := promtool(t, deployed("prometheus"), "", "test", "rules", "rules_test.yaml"); err != nil {
		t.Errorf("promtool test rules: %v\n%s", err, said)
	}
}

// Debian's promtool is built without Kubernetes' discovery: that part is taken
// out here, and looked at by eye below.
func TestPromtoolAcceptsTheScrapeConfiguration(t *testing.T) {
	t.Parallel()
	config := text(t, deployed("prometheus", "scrape_config.yaml"))
	const discovery = "    kubernetes_sd_configs:\n      - role: pod\n"
	if strings.Count(config, discovery) != 1 {
		t.Fatalf("the discovery of pods is not there as expected: %q", discovery)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "scrape_config.yaml"), strings.Replace(config, discovery, "    static_configs: []\n", 1))
	write(t, filepath.Join(dir, "rules.yaml"), text(t, deployed("prometheus", "rules.yaml")))
	if said, err := promtool(t, dir, "", "check", "config", "scrape_config.yaml"); err != nil {
		t.Errorf("promtool check config: %v\n%s", err, said)
	}
}

func TestTheOperatorsRulesAreTheSame(t *testing.T) {
	t.Parallel()
	_, plain, found := strings.Cut(text(t, deployed("prometheus", "rules.yaml")), "\ngroups:\n")
	_, wrapped, foundToo := strings.Cut(text(t, deployed("prometheus", "prometheusrule.yaml")), "\nspec:\n  groups:\n")
	if !found || !foundToo {
		t.Fatal("one of the files has no groups")
	}
	want := regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(plain, "  $1")
	if wrapped != want {
		t.Error("prometheusrule.yaml has other groups than rules.yaml: copy them, two columns further in")
	}
}

// Whoever is woken by an alert needs all of it.
func TestEveryAlertSaysWhatToDo(t *testing.T) {
	t.Parallel()
	readme := text(t, deployed("prometheus", "README.md"))
	var names []string
	for _, r := range readRules(t) {
		if r.alert == "" {
			continue
		}
		names = append(names, r.alert)
		if !slices.Contains([]string{"info", "warning", "critical"}, r.fields["severity"]) {
			t.Errorf("%s: severity %q", r.alert, r.fields["severity"])
		}
		if summary := r.fields["summary"]; summary == "" || len(summary) > 80 {
			t.Errorf("%s: no summary of one line: %q", r.alert, summary)
		}
		if len(r.fields["description"]) < 100 {
			t.Errorf("%s: the description cannot say what to do: %q", r.alert, r.fields["description"])
		}
		if got, want := r.fields["runbook"], "deploy/prometheus/README.md#"+strings.ToLower(r.alert); got != want {
			t.Errorf("%s: got runbook %q, want %q", r.alert, got, want)
		}
		_, section, found := strings.Cut(readme, "\n## "+r.alert+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		if !found || strings.Count(section, "\n1. ") != 1 || !strings.Contains(section, "\n3. ") {
			t.Errorf("%s: README.md has no section with a meaning and three things to look at", r.alert)
		}
	}
	for _, heading := range regexp.MustCompile(`(?m)^## (\S+)$`).FindAllStringSubmatch(readme, -1) {
		if !slices.Contains(names, heading[1]) {
			t.Errorf("README.md explains %s, which is no alert", heading[1])
		}
	}
}

// Each alert is seen to fire, and with the same series not to fire.
func TestEveryAlertHasUnitTestsOfBothKinds(t *testing.T) {
	t.Parallel()
	tests := strings.Split(text(t, deployed("prometheus", "rules_test.yaml")), "\n  - interval: ")
	for _, r := range readRules(t) {
		if r.alert == "" {
			continue
		}
		both := false
		for _, test := range tests {
			fires := strings.Contains(test, `{alertname="`+r.alert+`",`)
			both = both || fires && silentOnce(test, r.alert)
		}
		if !both {
			t.Errorf("%s: no unit test has it fire at one time and not at another", r.alert)
		}
	}
}

// silentOnce reports whether a test expects the alert not to fire at some time.
func silentOnce(test, alert string) bool {
	for _, moment := range strings.Split(test, "eval_time:")[1:] {
		if !strings.Contains(moment, `{alertname="`+alert+`",`) {
			return true
		}
	}
	return false
}
