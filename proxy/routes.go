package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// need is what a path asks of its client; the greater, the stricter.
type need int8

const (
	needOff      need = iota - 1 // nobody is told who asks
	needOptional                 // as MTLS_VERIFY_CLIENT says
	needRequire                  // a believed certificate
)

// needWords are the needs as an operator writes them.
var needWords = [...]struct {
	word string
	need need
}{{"require", needRequire}, {"optional", needOptional}, {"off", needOff}}

// String is the word for it in MTLS_ROUTES.
func (n need) String() string {
	for _, known := range needWords {
		if known.need == n {
			return known.word
		}
	}
	return fmt.Sprintf("need(%d)", int8(n))
}

// Routes is MTLS_ROUTES: which paths need what. The zero value is not set.
//
// A rule is /path=require, /path=optional or /path=off; rules are separated by
// white space or commas, and one of them is for /, so that every path has one.
// The rule with the longest path counts: by whole segments, upper and lower case
// being the same, and so with and without a slash at the end. /admin/=require is
// for /admin, /admin/ and /ADMIN/x, and not for /administrator.
//
// Where it says require, a dot ends a segment as well: frameworks serve /admin.json
// for /admin. Written without the slash at its end, such a rule is for whatever
// begins with its letters: /admin=require is for /administrator, too, and
// /healthz=off not for /healthzx. In doubt the stricter.
//
// A path that applications may read in several ways is subject to the strictest
// rule for any of them (readings). Queries are not looked at: an application
// that takes its route from /?page=/admin has one path here.
type Routes struct {
	text      string
	rules     []route // the longest path first
	strictest need
	laxest    need
	fold      map[rune]string // signs that some read as ASCII; nil when not set
}

// route is one rule.
type route struct {
	text    string // as it was written
	path    string // in lower case, without the slash at its end: "" for /
	need    need
	letters bool // is also for what begins with its letters
}

// UnmarshalText reads the rules. The error joins one for every fault, each of
// the form "rule problem; remedy".
func (r *Routes) UnmarshalText(text []byte) error {
	*r = Routes{}
	var faults []error
	written := map[string]string{} // the rule, by its path
	root := false
	rules := strings.FieldsFunc(string(text), func(c rune) bool { return strings.ContainsRune(", \t\r\n", c) })
	for _, rule := range rules {
		root = root || strings.HasPrefix(rule, "/=")
		parsed, err := parseRoute(rule)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if first, twice := written[parsed.path]; twice {
			faults = append(faults, fmt.Errorf("%q is for the same path as %q, case and a slash at the end aside; keep one of them", rule, first))
			continue
		}
		written[parsed.path] = rule
		r.rules = append(r.rules, parsed)
	}
	if !root {
		faults = append(faults, errors.New("has no rule for /; add /=optional, /=require or /=off, which counts where no other does"))
	}
	if len(faults) > 0 {
		*r = Routes{}
		return errors.Join(faults...)
	}
	r.text = strings.Join(rules, " ")
	slices.SortFunc(r.rules, func(a, b route) int { return len(b.path) - len(a.path) })
	r.strictest, r.laxest = r.rules[0].need, r.rules[0].need
	for _, rule := range r.rules {
		r.strictest, r.laxest = max(r.strictest, rule.need), min(r.laxest, rule.need)
	}
	r.fold = foldTable()
	if faults = r.idle(written); len(faults) > 0 {
		*r = Routes{}
		return errors.Join(faults...)
	}
	return nil
}

// idle finds rules that never count, since their path may be read as another one
// whose rule is stricter.
func (r *Routes) idle(written map[string]string) (faults []error) {
	for _, rule := range r.rules {
		text := written[rule.path]
		path, _, _ := strings.Cut(text, "=")
		if actual := r.decide([]byte(path)); actual != rule.need {
			faults = append(faults, fmt.Errorf("%q never counts: some applications read its path as another one, which is %s; choose a plainer path, or leave the rule out", text, actual))
		}
	}
	return faults
}

// parseRoute reads one rule.
func parseRoute(rule string) (route, error) {
	path, word, found := strings.Cut(rule, "=")
	fault := func(problem string) error { return fmt.Errorf("%q %s", rule, problem) }
	switch {
	case strings.ContainsAny(rule, "\"'"):
		return route{}, fault("holds a quote; leave the quotes out")
	case !found:
		return route{}, fault("says nothing of what its path needs; write /path=require, /path=optional or /path=off")
	case strings.Contains(word, "="):
		return route{}, fault("has more than one equals sign; a path that holds one is covered by the rule for the part before it")
	case !strings.HasPrefix(path, "/"):
		return route{}, fault("does not begin with a slash; write /path=" + word)
	}
	if problem := pathProblem(path); problem != "" {
		return route{}, fault(problem)
	}
	parsed := route{text: rule, path: strings.ToLower(strings.TrimSuffix(path, "/"))}
	for _, known := range needWords {
		if known.word == word {
			parsed.need = known.need
			parsed.letters = known.need == needRequire && !strings.HasSuffix(path, "/")
			return parsed, nil
		}
	}
	return route{}, fault("ends in no word known here; after the equals sign write require, optional or off")
}

// pathProblem says why a path cannot be that of a rule, which must have one
// reading only.
func pathProblem(path string) string {
	for _, c := range []byte(path) {
		switch {
		case c == '%':
			return "holds a percent sign; write the path decoded, or the part before it if that is not plain ASCII"
		case c == '\\':
			return "holds a backslash; write a slash, which stands for both"
		case c == ';':
			return "holds a semicolon; write the path without parameters, it covers those with any"
		case c == '?':
			return "holds a query; write the path alone, queries are not looked at"
		case c == '#':
			return "holds a fragment, which no client sends; write the path alone"
		case c == '*':
			return "holds an asterisk; write the part before it, a rule covers all that is below its path"
		case c <= ' ' || c >= 0x7f:
			return "holds what is not visible ASCII; write the part of the path before it"
		}
	}
	segments := strings.Split(strings.TrimSuffix(path, "/"), "/")[1:]
	for _, segment := range segments {
		switch {
		case segment == "":
			return "has two slashes in a row; write one, it stands for any number"
		case segment == "." || segment == "..":
			return "has a dot segment; write the path that it leads to"
		case strings.HasSuffix(segment, "."):
			return "has a segment that ends in a dot, which some systems drop; write it without, it covers both"
		}
	}
	if strings.HasSuffix(path, "//") {
		return "has two slashes in a row; write one, it stands for any number"
	}
	return ""
}

// Set reports whether there are rules.
func (r *Routes) Set() bool { return len(r.rules) > 0 }

// String is the rules as they were written; empty when not set.
func (r *Routes) String() string { return r.text }

// has reports whether a rule says n.
func (r *Routes) has(n need) bool {
	return slices.ContainsFunc(r.rules, func(rule route) bool { return rule.need == n })
}

// decide says what a target needs: a path with or without a query, or the * of
// OPTIONS, which is about every path and so subject to the strictest rule.
// Without rules it is optional, as it is where there is no MTLS_ROUTES.
func (r *Routes) decide(target []byte) need {
	path, _, _ := bytes.Cut(target, []byte("?"))
	switch {
	case !r.Set():
		return needOptional
	case r.strictest == r.laxest:
		return r.strictest
	case len(path) == 0:
		return matchRoutes(r.rules, "/")
	case path[0] != '/': // *, or what no application should get
		return r.strictest
	case plain(path):
		return matchRoutes(r.rules, path)
	default:
		return r.decideReadings(string(path))
	}
}

// matchRoutes finds the rule for one reading of a path.
func matchRoutes[T string | []byte](rules []route, path T) need {
	if rule := ruleFor(rules, path); rule != nil {
		return rule.need
	}
	return needRequire // not reached: there is a rule for /
}

func ruleFor[T string | []byte](rules []route, path T) *route {
	for i := range rules {
		if covers(&rules[i], path) {
			return &rules[i]
		}
	}
	return nil
}

// names reports whether a rule other than that for / covers a path.
func (r *Routes) names(path string) bool {
	return slices.ContainsFunc(r.rules, func(rule route) bool { return rule.path != "" && covers(&rule, path) })
}

func covers[T string | []byte](rule *route, path T) bool {
	n := len(rule.path)
	if len(path) < n {
		return false
	}
	for i := range n {
		if lower(path[i]) != rule.path[i] {
			return false
		}
	}
	return n == 0 || len(path) == n || path[n] == '/' || rule.letters || path[n] == '.' && rule.need == needRequire
}

// lower is the byte with ASCII letters in lower case.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
