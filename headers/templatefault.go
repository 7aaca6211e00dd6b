package headers

import (
	"fmt"
	"regexp"
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

// near says which of the names somebody may have meant, or "": those with the fewest letters to change and those nearly as
// near, and those of which the wrong one is the beginning or the other way round. One name of several would lead to
// another identity. Letters' case, - and _ make no difference.
func near(name string, names []string) string {
	plain := func(n string) string { return strings.ReplaceAll(strings.ToLower(n), "-", "_") }
	wanted := plain(name)
	least := max(2, len(name)/3)
	for _, n := range names {
		least = min(least, editDistance(wanted, plain(n)))
	}
	var found []string
	for _, n := range names {
		known := plain(n)
		distance := editDistance(wanted, known)
		begins := len(wanted) > len("ssl_client_") && strings.HasPrefix(known, wanted) || strings.HasPrefix(wanted, known+"_")
		if distance == least || distance <= min(least+1, 2) && least > 0 || begins && least > 0 {
			found = append(found, n)
		}
	}
	if len(found) > 6 {
		found = found[:6]
	}
	return strings.Join(found, ", ")
}

// hinted makes a hint of what near has found.
func hinted(found, mark string) string {
	if strings.Contains(found, ",") {
		return "near it are " + mark + strings.ReplaceAll(found, ", ", ", "+mark)
	}
	return "the nearest one is " + mark + found
}

// inText finds a variable's name that stands in text, perhaps with a dollar that was doubled or with digits that a shell
// made of $$.
var inText = regexp.MustCompile(`\$[{(]?([A-Za-z0-9_]+)|^[{(%0-9]*([A-Za-z][A-Za-z0-9_]*)[)}]*$`)

// variableInText is such a name, or "".
func variableInText(text string) string {
	for _, match := range inText.FindAllStringSubmatch(text, -1) {
		for _, name := range match[1:] {
			if v := findVariable(strings.ToLower(name), false); v != nil {
				return v.name
			}
		}
	}
	return ""
}

// slipOfThePen returns what is wrong with an entry that can be read and cannot be meant, or "". raw is its value as it is
// written.
func slipOfThePen(name string, parts []part, raw string) string {
	text := ""
	for _, part := range parts {
		if part.variable != nil {
			text += "\x00" // what stands before is apart from what stands behind
		}
		text += part.text
	}
	switch {
	case strings.HasPrefix(name, "$") && isVariableName(strings.Trim(name, "${}")):
		return "is the wrong way round; write Name=" + name
	case findPreset(name) != nil:
		return "gives a preset's name to a header; write " + name + " alone, without the equals sign"
	case len(parts) == 0:
		return "has no value after the =; write " + name + "=$ssl_client_s_dn or the like (in a shell single quotes keep the $, in docker compose $$ does), or leave the entry out"
	case strings.HasSuffix(raw, ";"):
		return "ends in a semicolon, which would be sent; leave it out, or put quotes around the value"
	case otherSyntax.MatchString(text):
		return "is written in Apache's or HAProxy's way; variables here are nginx's, such as $ssl_client_s_dn"
	case variableInText(text) != "":
		return "would send the name of a variable to everybody as text; write $" + variableInText(text) + " (only in docker compose the $ is doubled)"
	}
	return ""
}

// otherSyntax is Apache's %{NAME}s and HAProxy's %[ssl_c_s_dn].
var otherSyntax = regexp.MustCompile(`%\{[A-Z][A-Z0-9_]*\}|%\{?\+?Q?\}?\[ssl_`)

// isVariableName knows variables that are refused, too; names of headers may begin with a dollar (WebSphere's $WSCC).
func isVariableName(name string) bool {
	name = strings.ToLower(name)
	return findVariable(name, false) != nil || refusedVariable(name) != ""
}

// otherNames are what presets are called elsewhere.
var otherNames = map[string]string{
	"envoy": "xfcc", "istio": "xfcc", "contour": "xfcc", "client-cert": "rfc9440", "aws": "aws-alb", "alb": "aws-alb", "openshift": "haproxy",
	"httpd": "apache", "mod_ssl": "apache", "google": "gcp", "openvox": "puppet", "katello": "foreman", "asp.net": "aspnet",
}

// directives are how other programs begin the line that sets a header.
var directives = []string{"proxy_set_header", "http-request", "set-header", "requestheader"}

// noPreset says what a word that is no preset may have been meant for.
func noPreset(name string) string {
	name = name[:min(len(name), maxShown)]
	header, value, colon := strings.Cut(name, ":")
	lowered := strings.ToLower(name)
	switch {
	case strings.ContainsAny(name[:1], "\"'"):
		return "begins with a quote, which only a value may; leave the quotes around the whole out"
	case colon && (value == "" || findPreset(header) != nil):
		return "ends in or has a colon; a preset stands alone, and a header of your own is Name=$variable without a blank"
	case colon && isToken(header):
		return "has a colon where an equals sign belongs; write " + header + "=" + value
	case strings.ContainsAny(name, `$"`):
		return "has no name of a header before it; write Name=" + strings.TrimSuffix(name, ";") + ", or quotes around the value before if it belongs to that"
	case slices.Contains(directives, lowered):
		return "is another program's directive; write VERIFIED=$ssl_client_verify and the like alone"
	case findVariable(lowered, false) != nil:
		return "is a variable without header and dollar; write Name=$" + lowered
	case otherNames[lowered] != "":
		return "is no preset; the one for it is " + otherNames[lowered]
	}
	var senders []string
	for _, p := range presets {
		if slices.ContainsFunc(p.entries, func(e string) bool { return folded(e[:strings.IndexByte(e, '=')]) == folded(name) }) {
			senders = append(senders, p.name)
		}
	}
	if len(senders) > 0 {
		return "is no preset but a header that is sent by " + strings.Join(senders, ", ") + "; write the preset's name"
	}
	if near := near(name, presetNames()); near != "" {
		return "is no preset; " + hinted(near, "") + ", and a header of your own is Name=$variable"
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
	if TellsOtherPath(f) || slices.ContainsFunc(otherMethods[:], func(n string) bool { return folded(n) == f }) {
		return otherRequest
	}
	return ""
}

const otherRequest = "would send a header by which applications see another request; choose another name"
