package admin

import (
	"fmt"
	"strconv"
)

// counterSection shows the counters in their groups.
func counterSection(s *Status) markup {
	inside := empty("Nothing is counted yet.")
	if len(s.Counters) > 0 {
		var boxes markup
		for from := 0; from < len(s.Counters); {
			until := from + 1
			for until < len(s.Counters) && s.Counters[until].Group == s.Counters[from].Group {
				until++
			}
			boxes += tag(`div class="box"`, tag("h3", text(s.Counters[from].Group)), tag("table", tag("tbody", each(s.Counters[from:until], counterRow))))
			from = until
		}
		inside = tag(`div class="counters"`, boxes)
	}
	return tag(`section id="counters"`, tag("h2", "Counters"), `<p class="lead">Since the start; <a href="/metrics">/metrics</a> has more of them.</p>`, inside)
}

func counterRow(c Counter) markup {
	what := c.What
	if what == "" {
		what = c.Name
	}
	class := "number"
	if c.Value == 0 {
		class = "number zero"
	}
	return tag("tr", tag(`th scope="row"`+attr("title", c.Name), text(what)), tag("td"+attr("class", class), text(grouped(c.Value))))
}

// grouped is a number with its thousands apart.
func grouped(n int64) string {
	digits, sign := strconv.FormatInt(n, 10), ""
	if n < 0 {
		digits, sign = digits[1:], "-"
	}
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return sign + digits
}

// settingSection shows what somebody has set before what nobody has.
func settingSection(s *Status) markup {
	var set, rest []Setting
	for _, setting := range s.Settings {
		if setting.Source == FromDefault {
			rest = append(rest, setting)
		} else {
			set = append(set, setting)
		}
	}
	inside := empty("No variable is set: everything is at its default.")
	if len(set) > 0 {
		inside = settingTable(set)
	}
	if len(rest) > 0 {
		inside += hidden(fmt.Sprintf("%d at their defaults", len(rest)), settingTable(rest))
	}
	return tag(`section id="settings"`, tag("h2", "Settings"), `<p class="lead">The environment variables in force. Secrets are in files, whose names alone are here.</p>`, inside)
}

func settingTable(all []Setting) markup {
	return tag(`div class="box settings"`, tag("table",
		`<thead><tr><th scope="col">Variable</th><th scope="col">Value</th><th scope="col">Meaning</th></tr></thead>`,
		tag("tbody", each(all, settingRow))))
}

func settingRow(s Setting) markup {
	value := code(s.Value)
	if s.Value == "" {
		value = `<span class="soft">not set</span>`
	}
	if s.Source != FromDefault {
		was := code(s.Default)
		if was == "" {
			was = "not set"
		}
		value += tag(`div class="soft"`, "by default ", was)
	}
	return tag("tr", tag(`th scope="row"`, code(s.Variable)), tag("td", value), tag(`td class="soft"`, text(s.Meaning)))
}
