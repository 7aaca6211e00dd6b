package admin

import (
	"os"
	"strings"
	"testing"
)

func TestTheReadmeListsEveryMetricAsItIs(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, rest, found := strings.Cut(strings.TrimPrefix(line, "| `"), "` | "); found && strings.HasPrefix(name, "mtls_") {
			listed[name] = strings.TrimSpace(rest)
		}
	}
	kinds := map[metricKind]string{counterKind: "counter", gaugeKind: "gauge", histogramKind: "histogram"}
	for _, f := range families {
		labels := ""
		if len(f.labels) > 0 {
			labels = "`" + strings.Join(f.labels, "` `") + "`"
		}
		if got, want := listed[f.name], strings.Join([]string{kinds[f.kind], labels, f.help + " |"}, " | "); got != want {
			t.Errorf("%s: the README says\n%s\nand /metrics\n%s", f.name, got, want)
		}
		delete(listed, f.name)
	}
	for name := range listed {
		t.Errorf("the README lists %s, which is no metric", name)
	}
}
