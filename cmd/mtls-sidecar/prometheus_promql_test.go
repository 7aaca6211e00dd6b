package main_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// As much of PromQL as it takes to know what an expression asks for; promtool
// says whether it is one.

// matcher is one condition of a selector.
type matcher struct{ label, op, value string }

// selector is a metric with its conditions.
type selector struct {
	metric   string
	matchers []matcher
}

// question is an expression taken apart.
type question struct {
	selectors []selector
	grouped   []string // labels in by (…), on (…) and their like
}

var (
	promToken  = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|[a-zA-Z_:][a-zA-Z0-9_:]*|=~|!~|!=|[0-9][0-9a-zA-Z.]*|\S`)
	promName   = regexp.MustCompile(`^[a-zA-Z_:]`)
	promLists  = []string{"by", "without", "on", "ignoring", "group_left", "group_right"}
	promWords  = []string{"and", "or", "unless", "offset", "bool", "sum", "min", "max", "count", "avg"}
	plainWords = regexp.MustCompile(`^[\w.+*\\|-]+$`)
)

// parse takes a valid expression apart.
func parse(expr string) question {
	var q question
	tokens := append(promToken.FindAllString(expr, -1), "")
	for i := 0; i < len(tokens)-1; i++ {
		word := tokens[i]
		switch {
		case !promName.MatchString(word):
		case slices.Contains(promLists, word) && tokens[i+1] == "(":
			for i += 2; tokens[i] != ")"; i++ {
				if tokens[i] != "," {
					q.grouped = append(q.grouped, tokens[i])
				}
			}
		case slices.Contains(promLists, word), slices.Contains(promWords, word), tokens[i+1] == "(":
		default:
			s := selector{metric: word}
			if tokens[i+1] == "{" {
				for i += 2; tokens[i] != "}"; i++ {
					if tokens[i] == "," {
						continue
					}
					s.matchers = append(s.matchers, matcher{tokens[i], tokens[i+1], unquoted(tokens[i+2])})
					i += 2
				}
			}
			q.selectors = append(q.selectors, s)
		}
	}
	return q
}

func unquoted(text string) string {
	return strings.ReplaceAll(strings.Trim(text, `"`), `\\`, `\`)
}

// fault says what is wrong with a condition on these series: a label that none
// has, or a value, also one of several and one that is excluded.
func (m matcher) fault(all []series) string {
	values := []string{m.value}
	if strings.HasSuffix(m.op, "~") {
		values = strings.Split(m.value, "|")
	}
	for _, value := range values {
		if !plainWords.MatchString(value) {
			return fmt.Sprintf("this test does not understand %s%s%q", m.label, m.op, m.value)
		}
		matches := func(s series) bool { return s[m.label] == value }
		if strings.HasSuffix(m.op, "~") {
			whole := regexp.MustCompile("^(?:" + value + ")$")
			matches = func(s series) bool { got, has := s[m.label]; return has && whole.MatchString(got) }
		}
		if m.label == "code" && (value == "501" || value == "505") {
			continue // rare: there from the first on
		}
		if !slices.ContainsFunc(all, matches) {
			return fmt.Sprintf("no series has %s=%q", m.label, value)
		}
	}
	return ""
}

func TestExpressionsAreTakenApart(t *testing.T) {
	t.Parallel()
	got := parse(`sum by (job, a) (rate(x_total{r=~"b|c.+",s!="d\\e"}[5m] offset 10m)) / on (job) group_left () (y > 0.1) and 1e3 < clamp_max(z, 90 * 86400)`)
	want := question{
		selectors: []selector{{"x_total", []matcher{{"r", "=~", "b|c.+"}, {"s", "!=", `d\e`}}}, {"y", nil}, {"z", nil}},
		grouped:   []string{"job", "a", "job"},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	all := []series{{"r": "b"}, {"r": "cc"}}
	for _, c := range []struct {
		matcher
		fault bool
	}{
		{matcher{"r", "=~", "b|c.+"}, false},
		{matcher{"r", "=~", "b|c"}, true},
		{matcher{"r", "!~", "b|x"}, true},
		{matcher{"r", "=", "b"}, false},
		{matcher{"r", "=", "c"}, true},
		{matcher{"q", "=~", ".*"}, true},
	} {
		if fault := c.matcher.fault(all); (fault != "") != c.fault {
			t.Errorf("%v: got %q, want a fault: %v", c.matcher, fault, c.fault)
		}
	}
}
