package admin

import (
	"crypto/sha256"
	_ "embed" // the style sheet
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"
)

//go:embed page.css
var css string

// sheet is the page's style, and the policy that permits it and nothing else.
type sheet struct {
	style  markup
	policy string
}

// newSheet permits the style by its hash: neither a script nor another style, nor
// anything to be fetched, whatever gets into the page (CSP Level 3 §6.6.2.2). The
// icon is in the page, too; a browser would ask for one.
func newSheet() sheet {
	sum := sha256.Sum256([]byte(css))
	return sheet{
		style: markup("<style>" + css + "</style>"),
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	}
}

// page answers with the status page: one document that needs nothing else.
func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	status := s.status()
	header := w.Header()
	header.Set("Content-Security-Policy", s.style.policy)
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	send(w, http.StatusOK, "text/html; charset=utf-8", []byte(document(status, s.style.style)))
}

// document is the whole page, the most important on top.
func document(s *Status, style markup) markup {
	all := concerns(s)
	mood, line := headline(s, all)
	return "<!DOCTYPE html>\n" + tag(`html lang="en"`,
		tag("head",
			`<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">`,
			tag("title", text(line+" · mtls-sidecar")), icon(mood), style),
		tag("body", top(s, mood, line), tag("main",
			attention(all), certificateSections(s), refusalSection(s), revocationSection(s), counterSection(s), settingSection(s)),
			tag("footer", "All times are UTC. The same as JSON: ", `<a href="/status.json">status.json</a>. For machines: <a href="/metrics">metrics</a>.`)))
}

// icon is a dot in the colour of the page's tone.
func icon(mood tone) markup {
	colour := map[tone]markup{good: "%2317733a", notice: "%23c98a1b", bad: "%23d4372c"}[mood]
	return `<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='7' fill='` +
		colour + `'/%3E%3C/svg%3E">`
}

// top is what one sees first.
func top(s *Status, mood tone, line string) markup {
	var f facts
	f.add("Accepts TLS on", code(s.Listen))
	f.add("Application", code(s.Application))
	f.add("Past the sidecar", exposure(s))
	if !s.Started.IsZero() {
		f.add("Started", text(span(s.Started, s.Now))+" ago, "+clock(s.Started))
	}
	f.add("Log level", text(s.LogLevel))
	f.add("Version", joined(text(s.Version), text(s.Revision), text(s.GoVersion)))
	return tag(`header`+attr("class", string(mood)), tag("div",
		tag(`div class="bar"`, tag("strong", "mtls-sidecar"), tag(`span class="soft"`, "as of ", clock(s.Now), " UTC"), `<a href="/">Reload</a>`, `<a href="/status.json">JSON</a>`),
		tag("h1", text(line)), f.list(),
		`<nav aria-label="Sections"><ul><li><a href="#certificates">Certificates</a></li><li><a href="#refusals">Refusals</a></li><li><a href="#revocation">Revocation</a></li>`+
			`<li><a href="#counters">Counters</a></li><li><a href="#settings">Settings</a></li></ul></nav>`))
}

// exposure says whether the application can be reached without passing here.
func exposure(s *Status) markup {
	e := s.Exposed
	switch {
	case len(e.Addresses) > 0:
		return "Reachable on " + each(e.Addresses, func(a string) markup { return code(a) + " " })
	case e.Fault != "":
		return "Not known"
	case e.Looked.IsZero():
		return ""
	default:
		return text("Not reachable (" + span(e.Looked, s.Now) + " ago)")
	}
}

// attention lists what somebody should do something about.
func attention(all []concern) markup {
	if len(all) == 0 {
		return ""
	}
	one := func(c concern) markup {
		return tag(`article`+attr("class", "concern "+string(c.tone)), tag("h3", text(c.title)), tag("p", text(c.text)), tag("p", text(c.todo)))
	}
	shown := min(len(all), maxOpen)
	inside := each(all[:shown], one)
	if rest := all[shown:]; len(rest) > 0 {
		inside += hidden(fmt.Sprintf("%d more", len(rest)), each(rest, one))
	}
	return tag(`section id="attention"`, tag("h2", "What wants attention"), `<p class="lead">And what to do about it.</p>`, inside)
}

func empty(why markup) markup { return tag(`p class="empty"`, why) }

// code is a text of machines; nothing for none.
func code(value string) markup {
	if value == "" {
		return ""
	}
	return tag("code", text(value))
}

// joined puts dots between those parts that there are.
func joined(parts ...markup) markup {
	var all markup
	for _, part := range parts {
		if part != "" && all != "" {
			all += " · "
		}
		all += part
	}
	return all
}

// clock is a moment in time; nothing for an unknown one.
func clock(at time.Time) markup {
	if at.IsZero() {
		return ""
	}
	shown := at.Format("2006-01-02 15:04:05")
	return tag("time"+attr("datetime", at.Format(time.RFC3339)), text(strings.TrimSuffix(shown, ":00")))
}

// hidden puts what is seldom wanted behind a line to open.
func hidden(summary string, inside markup) markup {
	return tag("details", tag("summary", text(summary)), inside)
}
