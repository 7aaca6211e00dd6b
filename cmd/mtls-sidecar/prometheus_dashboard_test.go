package main_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// dashboard is what the tests want to know of Grafana's dashboard model.
type dashboard struct {
	Templating struct {
		List []struct {
			Name, Type string
			Query      any
		}
	}
	Panels []panel
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ H, W, X, Y int }
	FieldConfig              struct {
		Defaults struct{ Unit string }
	}
	Targets []struct{ RefID, Expr string }
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal([]byte(text(t, deployed("grafana", "dashboard.json"))), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// filled puts values for Grafana's variables into an expression: everything
// there is, and a range that holds several scrapes.
var filled = strings.NewReplacer("$__rate_interval", "5m", "$namespace", ".*", "$job", ".*", "$pod", ".*")

// questions are the expressions of the dashboard, by panel.
func (d dashboard) questions(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			expr := filled.Replace(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("%s: a variable that this test does not know: %s", p.Title, expr)
			}
			all[p.Title+" "+target.RefID] = expr
		}
	}
	return all
}

func TestPromtoolAcceptsWhatTheDashboardAsks(t *testing.T) {
	t.Parallel()
	var rules strings.Builder
	rules.WriteString("groups:\n- name: dashboard\n  rules:\n")
	questions := readDashboard(t).questions(t)
	number := 0
	for title, expr := range questions {
		number++
		fmt.Fprintf(&rules, "  - record: dashboard:%d # %s\n    expr: '%s'\n", number, title, strings.ReplaceAll(expr, "'", "''"))
	}
	path := filepath.Join(t.TempDir(), "dashboard.yaml")
	write(t, path, rules.String())
	said, err := promtool(t, ".", "", "check", "rules", path)
	if err != nil || !strings.Contains(said, fmt.Sprintf("%d rules found", len(questions))) {
		t.Errorf("promtool check rules: %v\n%s\n%s", err, said, &rules)
	}
}

func TestTheDashboardCanBeReadAndImported(t *testing.T) {
	t.Parallel()
	raw := text(t, deployed("grafana", "dashboard.json"))
	for _, uid := range regexp.MustCompile(`"uid": "([^"]*)"`).FindAllStringSubmatch(raw, -1) {
		if uid[1] != "${datasource}" && uid[1] != "-- Grafana --" && uid[1] != "mtls-sidecar" {
			t.Errorf("a data source of somebody's own is in it: %s", uid[1])
		}
	}
	d := readDashboard(t)
	var names []string
	for _, v := range d.Templating.List {
		names = append(names, v.Name)
	}
	if got, want := strings.Join(names, " "), "datasource namespace job pod"; got != want {
		t.Errorf("variables: got %s, want %s", got, want)
	}
	ids, asking := map[int]bool{}, 0
	cells := map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("%s: the number %d is taken", p.Title, p.ID)
		}
		ids[p.ID] = true
		p.occupies(t, cells)
		if p.Type == "row" {
			continue
		}
		asking++
		if p.Description == "" || len(p.Targets) == 0 || p.Type != "table" && p.FieldConfig.Defaults.Unit == "" {
			t.Errorf("%s: description %q, unit %q, %d questions", p.Title, p.Description, p.FieldConfig.Defaults.Unit, len(p.Targets))
		}
	}
	if asking < 20 || asking > 32 {
		t.Errorf("%d panels: nobody reads so many, or some are missing", asking)
	}
}

// occupies checks that a panel lies within Grafana's 24 columns and on no other.
func (p panel) occupies(t *testing.T, cells map[[2]int]string) {
	t.Helper()
	g := p.GridPos
	if g.X < 0 || g.W < 1 || g.X+g.W > 24 || g.H < 1 {
		t.Errorf("%s: lies outside the page: %+v", p.Title, g)
	}
	for x := g.X; x < g.X+g.W; x++ {
		for y := g.Y; y < g.Y+g.H; y++ {
			if other := cells[[2]int{x, y}]; other != "" {
				t.Errorf("%s lies on %s", p.Title, other)
				return
			}
			cells[[2]int{x, y}] = p.Title
		}
	}
}
