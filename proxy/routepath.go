package proxy

import (
	"bytes"
	"strings"
)

// plain reports whether applications agree on what a path is, upper and lower
// case and a slash at the end aside: visible ASCII without escapes, parameters,
// backslashes, empty or dot segments, and whatever else has a transformation.
func plain(path []byte) bool {
	start := 0 // of the segment
	for i, c := range path {
		var before byte
		if i > 0 {
			before = path[i-1]
		}
		switch {
		case c <= ' ' || c >= 0x7f || c == '%' || c == '\\' || c == ';' || c == '#':
			return false
		case c == '/':
			if before == '/' || before == '.' || before == '+' || isScript(path[start:i]) {
				return false
			}
			start = i + 1
		case c == '.' && frontController(path[i:]):
			return false
		case (c == '+' || c == '(') && before == '/':
			return false
		case c == '$' && before == ':':
			return false
		}
	}
	last := path[len(path)-1]
	return last != '.' && last != '+'
}

// plainButDots reports whether dot segments are all that is odd about a path:
// then everybody who resolves them comes to the same result.
func plainButDots(path string) bool {
	var kept []string
	for segment := range strings.SplitSeq(strings.TrimRight(path, "/"), "/") {
		if segment != "." && segment != ".." {
			kept = append(kept, segment)
		}
	}
	kept = append(kept, "x") // so that a dot segment at the end is in the middle, too
	return plain([]byte(strings.Join(kept, "/")))
}

// scripts are the endings of programs that take what follows in a path as a path
// of their own, as CGI's PATH_INFO (RFC 3875 §4.1.5): /index.php/admin.
var scripts = [...]string{
	".php", ".php3", ".php4", ".php5", ".php7", ".php8", ".phtml", ".phar", ".cgi", ".fcgi", ".pl", ".py", ".rb",
	".wsgi", ".fcg", ".psgi", ".shtml", ".do", ".action", ".faces", ".php6", ".jsp", ".jspx", ".asp", ".aspx", ".ashx", ".asmx", ".svc", ".cfm", ".cfml", ".exe", ".dll",
}

func isScript(segment []byte) bool {
	dot := bytes.LastIndexByte(segment, '.')
	if dot < 0 {
		return false
	}
	for _, ending := range scripts {
		if len(segment)-dot == len(ending) && bytes.EqualFold(segment[dot:], []byte(ending)) {
			return true
		}
	}
	return false
}

// frontControllers are the endings of scripts whose name some frameworks take off
// the front of a path letter by letter, and put a slash before the rest: Symfony
// and what is built on it read /index.phpadmin as /admin.
var frontControllers = [...]string{".php", ".php3", ".php4", ".php5", ".php7", ".php8", ".phtml", ".phar"}

// frontController reports whether text begins with one of these endings, and
// something other than a slash follows. Which of several that fit (.php, .php5) is the
// script's is not known.
func frontController[T string | []byte](text T) bool {
	if len(text) < len(".ph") || text[1]|0x20 != 'p' || text[2]|0x20 != 'h' {
		return false
	}
	for _, ending := range frontControllers {
		if len(text) > len(ending) && text[len(ending)] != '/' && strings.EqualFold(string(text[:len(ending)]), ending) {
			return true
		}
	}
	return false
}

// Bounds of the search for readings. A path that has more of them, or longer
// ones, was made to have them.
const (
	maxReadings     = 128
	maxReadingBytes = 32 << 10 // of all readings together
	maxReadingWork  = 1 << 20  // of all that was looked at, what had been seen before included
)

// readings are the ways in which a path may be read: everything that the
// transformations make of it, one after the other, in any order, any number of
// times.
//
// Nobody can know which of them an application, and what is between it and us,
// applies. So none is preferred, and the strictest rule for any reading counts.
// Where there are too many, the strictest rule of all counts: no path that a
// browser or a library makes of a name has more than a few.
type readings struct {
	routes   *Routes
	exact    bool // nothing but dot segments is odd
	seen     map[string]bool
	found    []string
	size     int
	work     int
	strict   need // the strictest so far
	finished bool // it cannot become stricter
}

// decideReadings is decide for a path that is not plain.
func (r *Routes) decideReadings(path string) need {
	return r.readings(path).strict
}

// readings are those of a path, as far as they had to be looked for.
func (r *Routes) readings(path string) *readings {
	all := &readings{routes: r, exact: plainButDots(path), seen: map[string]bool{}, strict: r.laxest}
	all.search(path)
	return all
}

// search goes on until nothing new is found, or nothing stricter can be.
func (r *readings) search(path string) {
	r.add(path)
	for i := 0; i < len(r.found) && !r.finished; i++ {
		present := marksOf(r.found[i])
		for _, t := range &transformations {
			if t.marks&present != 0 && !r.finished {
				t.apply(r, r.found[i])
			}
		}
	}
}

// add notes a reading. Letters become lower case, and slashes at the end go:
// rules ask after neither.
func (r *readings) add(path string) {
	path = strings.TrimRight(lowerASCII(path), "/")
	if path == "" {
		path = "/"
	}
	if r.work += len(path); r.work > maxReadingWork {
		r.strict, r.finished = r.routes.strictest, true
	}
	if r.finished || r.seen[path] {
		return
	}
	r.seen[path] = true
	r.found = append(r.found, path)
	r.size += len(path)
	r.strict = max(r.strict, matchRoutes(r.routes.rules, path))
	if len(r.found) > maxReadings || r.size > maxReadingBytes {
		r.strict = r.routes.strictest
	}
	r.finished = r.strict == r.routes.strictest
}

// lowerASCII leaves bytes outside ASCII alone, valid or not.
func lowerASCII(path string) string {
	for i := range len(path) {
		if lower(path[i]) != path[i] {
			low := []byte(path)
			for j, c := range low {
				low[j] = lower(c)
			}
			return string(low)
		}
	}
	return path
}
