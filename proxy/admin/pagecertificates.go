package admin

import (
	"fmt"
	"slices"
	"strconv"
)

// maxOpen is how many of a kind are shown before the rest has to be opened.
const maxOpen = 6

func certificateSections(s *Status) markup {
	return tag(`section id="certificates"`, tag("h2", "Server certificates"), `<p class="lead">What clients are shown.</p>`,
		certificateCards(s, s.ServerCertificates, "No certificate is loaded yet."),
		tag("h2", "CAs of the clients"), `<p class="lead">Whose certificates are believed.</p>`,
		certificateCards(s, s.ClientCAs, "No CA is loaded: no client certificate is believed."))
}

// certificateCards shows the ones that end first.
func certificateCards(s *Status, all []Certificate, none markup) markup {
	if len(all) == 0 {
		return empty(none)
	}
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	card := func(c Certificate) markup { return certificateCard(s, c) }
	shown := min(len(sorted), maxOpen)
	cards := tag(`ul class="cards"`, each(sorted[:shown], card))
	if rest := sorted[shown:]; len(rest) > 0 {
		cards += hidden(fmt.Sprintf("%d more, which end later", len(rest)), tag(`ul class="cards"`, each(rest, card)))
	}
	return cards
}

func certificateCard(s *Status, c Certificate) markup {
	mood, why := life(c, s.Now)
	key := c.KeyKind
	if c.KeyBits > 0 {
		key += " " + strconv.Itoa(c.KeyBits)
	}
	var f facts
	f.add("Names", text(list(c.DNSNames)))
	if c.Issuer == c.Subject {
		f.add("Issuer", "itself")
	} else {
		f.add("Issuer", text(c.Issuer))
	}
	f.add("Valid", "from "+clock(c.NotBefore)+" to "+clock(c.NotAfter))
	f.add("Key", text(key))
	f.add("Serial", code(c.Serial))
	f.add("SHA-256", code(c.SHA256))
	f.add("File", code(c.Source))
	return tag(`li`+attr("class", "card "+string(mood)),
		tag("h3", nameOf(c.Subject)), tag("p", tag(`span class="badge"`, text(why)), tag(`span class="soft"`, text(share(c, s)))), lifeBar(lifeLeft(c, s.Now)), f.list())
}

// share says why the colour is what it is.
func share(c Certificate, s *Status) string {
	return strconv.Itoa(lifeLeft(c, s.Now)) + "% of its life left"
}

// nameOf is a subject, which may be empty: names are often in the extension only.
func nameOf(subject string) markup {
	if subject == "" {
		return `<span class="soft">(no subject)</span>`
	}
	return text(subject)
}

func list(names []string) string {
	const most = 8
	all := ""
	for i, name := range names {
		if i == most {
			return all + fmt.Sprintf(" and %d more", len(names)-most)
		}
		if i > 0 {
			all += ", "
		}
		all += name
	}
	return all
}

// lifeBar is how much of a life is left. Its length is an attribute, since the
// page's policy permits no style attributes.
func lifeBar(percent int) markup {
	share := strconv.Itoa(percent) + "%"
	return tag(`svg class="life" aria-hidden="true"`,
		`<rect class="whole" width="100%" height="6" rx="3"/>`, `<rect class="left"`+attr("width", share)+` height="6" rx="3"/>`)
}
