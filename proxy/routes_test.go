package proxy

import (
	"slices"
	"strings"
	"testing"
)

func TestRulesAreSeparatedByWhiteSpaceOrCommas(t *testing.T) {
	for _, text := range []string{
		"/a/=require /b=off /=optional",
		"/=optional,/b=off,/a/=require",
		" /b/=off , /=optional\n\t/A=optional,\n/a/b=require ,, /c=require",
	} {
		r := routesOf(t, text)
		if !r.Set() {
			t.Errorf("%q: not set", text)
		}
		if got := r.decide([]byte("/b/x")); got != needOff {
			t.Errorf("%q: /b/x needs %v, want off", text, got)
		}
		if got := r.decide([]byte("/a/b/c")); got != needRequire {
			t.Errorf("%q: /a/b/c needs %v, want require", text, got)
		}
		if got := r.decide([]byte("/x")); got != needOptional {
			t.Errorf("%q: /x needs %v, want optional", text, got)
		}
	}
}

func TestFaultyRulesAreNamedWithTheRemedy(t *testing.T) {
	for _, row := range []struct {
		rules string
		want  []string // one for each fault: parts of its text
	}{
		{"/a=require", []string{"has no rule for /; add /=optional"}},
		{" , ", []string{"has no rule for /"}},
		{"/=require /a", []string{`"/a" says nothing of what its path needs; write /path=require`}},
		{"/=require a=off", []string{`"a=off" does not begin with a slash; write /path=off`}},
		{"/=require =off", []string{`"=off" does not begin with a slash`}},
		{"/=require https://h/=off", []string{`"https://h/=off" does not begin with a slash`}},
		{"/=require /a=on", []string{`"/a=on" ends in no word known here; after the equals sign write require, optional or off`}},
		{"/=require /a=", []string{`"/a=" ends in no word`}},
		{"/=require /a=Require", []string{`"/a=Require" ends in no word`}},
		{"/=required", []string{`"/=required" ends in no word`}},
		{"/=require /a=b=off", []string{`"/a=b=off" has more than one equals sign; `}},
		{"/=require /a=off /A/=require", []string{`"/A/=require" is for the same path as "/a=off"`}},
		{"/=require /=off", []string{`"/=off" is for the same path as "/=require"`}},
		{"/=require /a%20b=off", []string{`"/a%20b=off" holds a percent sign; write the path decoded`}},
		{`/=require /a\b=off`, []string{`"/a\\b=off" holds a backslash; write a slash`}},
		{"/=require /a;x=off", []string{`"/a;x=off" holds a semicolon; write the path without parameters`}},
		{"/=require /a?x=off", []string{`"/a?x=off" holds a query; write the path alone`}},
		{"/=require /a#x=off", []string{`"/a#x=off" holds a fragment`}},
		{"/=require /a/*=off", []string{`"/a/*=off" holds an asterisk; write the part before it`}},
		{"/=require /größe=off", []string{`"/größe=off" holds what is not visible ASCII; write the part of the path before it`}},
		{"/=require /a\x01=off", []string{`"/a\x01=off" holds what is not visible ASCII`}},
		{"/=require //a=off", []string{`"//a=off" has two slashes in a row; write one`}},
		{"/=require /a//=off", []string{`"/a//=off" has two slashes in a row; write one`}},
		{"/=require //=off", []string{`"//=off" has two slashes in a row; write one`}},
		{"/=require /a/./b=off", []string{`"/a/./b=off" has a dot segment; write the path that it leads to`}},
		{"/=require /..=off", []string{`"/..=off" has a dot segment`}},
		{"/=require /a/../=off", []string{`"/a/../=off" has a dot segment`}},
		{"/x.php/y=off /=require", []string{`"/x.php/y=off" never counts: some applications read its path as another one, which is require`}},
		{"/+/=off /=require", []string{`"/+/=off" never counts`}},
		{"/=require /a.=off", []string{`"/a.=off" has a segment that ends in a dot`}},
		{"/a=off /b%2f=on x /A/=off", []string{`"/b%2f=on" holds`, `"x" says nothing`, `"/A/=off" is for the same path`, "has no rule for /"}},
	} {
		var r Routes
		err := r.UnmarshalText([]byte(row.rules))
		if err == nil {
			t.Errorf("%q: taken, want the fault %q", row.rules, row.want)
			continue
		}
		if r.Set() {
			t.Errorf("%q: set although faulty", row.rules)
		}
		got := strings.Split(err.Error(), "\n")
		if len(got) != len(row.want) {
			t.Errorf("%q: got the faults %q, want %d", row.rules, got, len(row.want))
			continue
		}
		for i, want := range row.want {
			if !strings.HasPrefix(got[i], want) {
				t.Errorf("%q: got %q, want %q", row.rules, got[i], want)
			}
			if !strings.Contains(got[i], "; ") {
				t.Errorf("%q: %q says nothing of what to do", row.rules, got[i])
			}
		}
	}
}

func TestTheRuleWithTheLongestPathCounts(t *testing.T) {
	r := routesOf(t, "/=require /pub=optional /pub/admin/=require /pub/admin/health=off /a=require /ab/=off /abc=optional")
	for path, want := range map[string]need{
		"/x":                  needRequire,
		"/pub":                needOptional,
		"/pub/x":              needOptional,
		"/public":             needRequire, // letters count for require alone
		"/pub/admin":          needRequire,
		"/pub/admin/x":        needRequire,
		"/pub/administrator":  needOptional,
		"/pub/admin/health":   needOff,
		"/pub/admin/health/x": needOff,
		"/PUB/Admin/HEALTH/":  needOff,
		"/pub/admin/healthy":  needRequire,
		"/a":                  needRequire,
		"/a/b":                needRequire,
		"/ab":                 needOff, // named by a rule of its own, longer than /a
		"/ab/x":               needOff,
		"/abd":                needRequire,
		"/abc":                needOptional,
		"/abcd":               needRequire,
		"":                    needRequire,
		"?x":                  needRequire,
		"/pub?/../x":          needOptional,
	} {
		if got := r.decide([]byte(path)); got != want {
			t.Errorf("%q needs %v, want %v", path, got, want)
		}
	}
}

func TestTheAsteriskIsSubjectToTheStrictestRule(t *testing.T) {
	for rules, want := range map[string]need{
		"/=off":                        needOff,
		"/=off /a=optional":            needOptional,
		"/=optional /a=require /b=off": needRequire,
	} {
		for _, target := range []string{"*", "*x", "admin", "http://h/"} {
			if got := routesOf(t, rules).decide([]byte(target)); got != want {
				t.Errorf("%s: %q needs %v, want %v", rules, target, got, want)
			}
		}
	}
}

func TestWithoutRulesEveryPathIsOptional(t *testing.T) {
	var r Routes
	if r.Set() || r.has(needOptional) || r.String() != "" {
		t.Errorf("the zero value is set: %v", r)
	}
	for _, target := range []string{"/", "", "*", "/%2e%2e", "x"} {
		if got := r.decide([]byte(target)); got != needOptional {
			t.Errorf("%q needs %v, want optional", target, got)
		}
	}
}

func TestRoutesTellWhichNeedsTheyHave(t *testing.T) {
	all := []need{needOff, needOptional, needRequire}
	for rules, want := range map[string][]need{
		"/=off":                        {needOff},
		"/=optional /a=require":        {needOptional, needRequire},
		"/=optional /a=require /b=off": all,
	} {
		r := routesOf(t, rules)
		for _, n := range all {
			if got := r.has(n); got != slices.Contains(want, n) {
				t.Errorf("%s: has(%v) is %v", rules, n, got)
			}
		}
	}
}

func TestRoutesInTheirOwnWordsAreTheSameRoutes(t *testing.T) {
	for rules, want := range map[string]string{
		"/=require":                         "/=require",
		"/b=off /Admin/=require /=optional": "/b=off /Admin/=require /=optional",
		" /=off,\n/tasks=require":           "/=off /tasks=require",
	} {
		r := routesOf(t, rules)
		if got := r.String(); got != want {
			t.Errorf("%s: got %s, want %s", rules, got, want)
		}
		if again := routesOf(t, r.String()); again.String() != want {
			t.Errorf("%s: read again %s, want %s", rules, again, want)
		}
	}
}
