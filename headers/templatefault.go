package headers

import (
	"fmt"
	"slices"
	"strings"
)

// maxFaults is how many faults are told; maxShown is how much of an entry, in bytes.
const (
	maxFaults = 20
	maxShown  = 80
)

// fault notes what is wrong at a place. what is the piece of text concerned; empty: the entry that the place is in.
func (p *templateParser) fault(at int, what, problem string) {
	if len(p.faults) == maxFaults {
		return
	}
	if what == "" {
		end := max(at, p.start)
		for end < len(p.text) && !isSeparator(p.text[end]) {
			end++
		}
		what = p.text[p.start:end]
	}
	if len(what) > maxShown {
		what = what[:maxShown] + "..."
	}
	p.faults = append(p.faults, fmt.Errorf("%s=%q %s\n%s", variableHeaders, what, problem, caret(p.text, at)))
}

// near is the nearest of the names, if it is so near that it may have been meant; "" else. Letters' case, - and _ make no
// difference.
func near(name string, names []string) string {
	plain := func(n string) string { return strings.ReplaceAll(strings.ToLower(n), "-", "_") }
	plains := make([]string, len(names))
	for i, n := range names {
		plains[i] = plain(n)
	}
	nearest := Nearest(plain(name), plains)
	if editDistance(plain(name), nearest) > max(2, len(name)/3) {
		return ""
	}
	return names[slices.Index(plains, nearest)]
}

// slipOfThePen returns what is wrong with an entry that can be read and cannot be meant, or "".
func slipOfThePen(name string, parts []part) string {
	text := ""
	for _, part := range parts {
		text += part.text
	}
	switch {
	case strings.HasPrefix(name, "$"):
		return "is the wrong way round; write Name=" + name
	case findPreset(name) != nil:
		return "gives a preset's name to a header; write " + name + " alone, without the equals sign"
	case len(parts) == 0:
		return "has no value after the =; write one, such as " + name + "=$ssl_client_s_dn, or leave the entry out"
	case strings.Contains(text, "%{") || strings.Contains(text, "%["):
		return "is written in Apache's or HAProxy's way; variables here are nginx's, such as $ssl_client_s_dn"
	case len(parts) == 1 && findVariable(strings.ToLower(strings.Trim(text, "{}()%")), false) != nil:
		return "would send the name of a variable to everybody as text; write " + name + "=$" + strings.ToLower(strings.Trim(text, "{}()%"))
	}
	return ""
}

// noPreset says what a word that is no preset may have been meant for.
func noPreset(name string) string {
	header, value, colon := strings.Cut(name, ":")
	switch {
	case strings.ContainsAny(name[:1], "\"'"):
		return "begins with a quote, which only a value may; leave the quotes around the whole out"
	case colon && isToken(header):
		return "has a colon where an equals sign belongs; write " + header + "=" + value
	case strings.ContainsAny(name, `$"`):
		return "has no name of a header before it; write Name=" + name
	}
	if near := near(name, presetNames()); near != "" {
		return "is no preset; the nearest one is " + near + ", and a header of your own is Name=$variable"
	}
	return "is no preset; there are " + strings.Join(presetNames(), ", ") + ", and a header of your own is Name=$variable"
}

// cannotEmit returns why a header of that name cannot be sent, or "".
func cannotEmit(name string) string {
	if !isToken(name) {
		return "does not begin with a header's name; write Name=$variable"
	}
	f := folded(name)
	switch guardOf(f) {
	case framing:
		return "would send a header that frames the message; choose another name"
	case written:
		return "would send a header that the sidecar writes itself; choose another name"
	case routing:
		return otherRequest
	case credentials:
		return "would take the place of what the client sends for itself; choose another name"
	}
	if slices.ContainsFunc(notInTrailers[:], func(n string) bool { return folded(n) == f }) {
		return "would send a header that is about the request itself; choose another name"
	}
	if tellsOtherPath(f) || slices.ContainsFunc(otherMethods[:], func(n string) bool { return folded(n) == f }) {
		return otherRequest
	}
	return ""
}

const otherRequest = "would send a header by which applications see another request; choose another name"
