package admin

import "fmt"

// maxOpenRefusals are shown without opening the rest.
const maxOpenRefusals = 10

// refusalSection is for whoever asks why a client is turned away.
func refusalSection(s *Status) markup {
	var inside markup
	if len(s.Refusals) == 0 {
		inside = empty("None so far: since it started, this sidecar has turned nobody away.")
	} else {
		shown := min(len(s.Refusals), maxOpenRefusals)
		item := func(r Refusal) markup { return refusalItem(s, r) }
		inside = tag(`ol class="refusals"`, each(s.Refusals[:shown], item))
		if rest := s.Refusals[shown:]; len(rest) > 0 {
			inside += hidden(fmt.Sprintf("%d more, older", len(rest)), tag(`ol class="refusals"`, each(rest, item)))
		}
	}
	return tag(`section id="refusals"`, tag("h2", "Last refusals"), tag(`p class="lead"`,
		text(fmt.Sprintf("What this sidecar answered itself: the last %d, newest first.", maxRefusals))), inside)
}

func refusalItem(s *Status, r Refusal) markup {
	var f facts
	f.add("Client", code(r.Client))
	f.add("Subject", text(r.Subject))
	f.add("Issuer", text(r.Issuer))
	f.add("Serial", code(r.Serial))
	if !r.NotAfter.IsZero() {
		f.add("Ends", clock(r.NotAfter)+" ("+text(ends(r.NotAfter, s.Now))+")")
	}
	f.add("Request", code(r.RequestID))
	what := r.Text
	if what == "" {
		what = r.Reason
	}
	return tag("li",
		tag(`div class="when"`, clock(r.Time), tag(`span class="soft"`, text(ago(s, r)))),
		tag("div", tag("h3", tag("span", text(what)), " ", tag(`code class="reason"`, text(r.Reason))), todo(r.Advice), f.list()))
}

func ago(s *Status, r Refusal) string {
	if r.Time.IsZero() {
		return ""
	}
	if !s.Now.After(r.Time) {
		return "just now"
	}
	return span(r.Time, s.Now) + " ago"
}

func todo(advice string) markup {
	if advice == "" {
		return ""
	}
	return tag(`p class="todo"`, text(advice))
}
