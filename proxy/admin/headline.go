package admin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// tone is how bad a thing is. The page says it in words, too.
type tone string

const (
	good   tone = "good"
	notice tone = "notice" // will want somebody's time
	bad    tone = "bad"    // somebody is turned away, or let past
)

// concern is something that wants attention.
type concern struct {
	tone  tone
	title string
	text  string
	todo  string
}

// headline is the page in one line.
func headline(s *Status, concerns []concern) (tone, string) {
	switch s.State {
	case Serving:
		return servingLine(s, concerns)
	case Draining:
		return notice, "Draining. Clients are told to go elsewhere; what is in flight still finishes."
	case Drained:
		return notice, "Drained. Nothing is in flight, and the listener is closed."
	default:
		if len(s.NotReady) > 0 {
			return notice, "Starting: " + strings.TrimPrefix(s.NotReady[0], "starting: ") + "."
		}
		return notice, "Starting."
	}
}

func servingLine(s *Status, concerns []concern) (tone, string) {
	worst := good
	for _, c := range concerns {
		if c.tone == bad {
			worst = bad
		} else if worst == good {
			worst = c.tone
		}
	}
	if len(s.NotReady) > 0 {
		return bad, "Not ready: " + s.NotReady[0] + "."
	}
	if len(concerns) == 1 {
		return worst, "Serving, but " + lowerFirst(concerns[0].title) + "."
	}
	if len(concerns) > 1 {
		return worst, fmt.Sprintf("Serving, but %d things want attention.", len(concerns))
	}
	if c := soonest(s.ServerCertificates); c != nil {
		return good, "Serving. The certificate " + ends(c.NotAfter, s.Now) + "."
	}
	return good, "Serving."
}

func lowerFirst(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToLower(text[:1]) + text[1:]
}

// soonest is the certificate that ends first.
func soonest(all []Certificate) *Certificate {
	var found *Certificate
	for i := range all {
		if found == nil || all[i].NotAfter.Before(found.NotAfter) {
			found = &all[i]
		}
	}
	return found
}

// concerns are what wants attention, the worst first.
func concerns(s *Status) []concern {
	var all []concern
	if s.State == Serving {
		for _, reason := range s.NotReady {
			all = append(all, concern{bad, "Not ready", reason, "New requests go to other replicas as long as this lasts."})
		}
	}
	if e := s.Exposed; len(e.Addresses) > 0 {
		all = append(all, concern{bad, "The application can be reached past this sidecar", "It listens on " + strings.Join(e.Addresses, ", ") + ".",
			"Whoever connects there can claim any identity. Have the application listen on 127.0.0.1 only, or close the port with a NetworkPolicy."})
	} else if e.Fault != "" {
		all = append(all, concern{notice, "Whether the application can be reached past this sidecar is not known", e.Fault, "Look yourself that it listens on 127.0.0.1 only."})
	}
	for _, c := range s.ServerCertificates {
		if tone, why := life(c, s.Now); tone != good {
			all = append(all, concern{tone, "The server certificate " + why, whose(c),
				"Put a new certificate into the file; it is taken up without a restart. With cert-manager, look at: kubectl describe certificate."})
		}
	}
	all = append(all, caConcerns(s)...)
	all = append(all, listConcerns(s)...)
	for _, t := range s.Troubles {
		all = append(all, concern{notice, "News cannot come into force", t.Name + ": " + t.Fault + standing(t.Since, s.Now),
			"What was in force before stays. Mend the cause; it is tried again without a restart."})
	}
	slices.SortStableFunc(all, func(a, b concern) int { return cmp.Compare(rank[a.tone], rank[b.tone]) })
	return all
}

var rank = map[tone]int{bad: 0, notice: 1, good: 2}

// maxCAConcerns are told one by one. Bundles that are passed around have many CAs
// that ended long ago.
const maxCAConcerns = 3

// caConcerns are never more than notices: the successor is often there already.
func caConcerns(s *Status) []concern {
	var all []concern
	for _, c := range s.ClientCAs {
		if tone, why := life(c, s.Now); tone != good {
			all = append(all, concern{notice, "A CA of the clients " + why, whose(c),
				"From its end on clients whose certificates it issued are refused. Have its successor in the CA file before that, and remove it when nobody needs it."})
		}
	}
	if len(all) <= maxCAConcerns {
		return all
	}
	return []concern{{notice, fmt.Sprintf("%d CAs of the clients have ended or will soon", len(all)), "They are the first ones below.",
		"From the end of a CA on clients whose certificates it issued are refused. Have its successor in the CA file before that, and remove it when nobody needs it."}}
}

// whose names a certificate, which may have no subject.
func whose(c Certificate) string {
	name := c.Subject
	if name == "" {
		name = list(c.DNSNames)
	}
	if name == "" {
		name = "Serial number " + c.Serial
	}
	return name + ", from " + c.Source
}

func standing(since, now time.Time) string {
	if since.IsZero() {
		return ""
	}
	return " (for " + span(since, now) + ")"
}

func listConcerns(s *Status) []concern {
	var all []concern
	for _, l := range s.RevocationLists {
		from := l.Issuer + ", from " + l.Source
		switch l.State {
		case ListEnded:
			all = append(all, concern{bad, "A revocation list " + ends(l.NextUpdate, s.Now), from,
				"MTLS_CRL_POLICY says who is refused for that. See that the CA publishes a new list, and that it gets here."})
		case ListGrace:
			all = append(all, concern{notice, "A revocation list " + ends(l.NextUpdate, s.Now) + " and counts by MTLS_CRL_GRACE only", from,
				"See that the CA publishes a new list, and that it gets here."})
		}
	}
	return all
}

// Shares of its own life that a certificate should have left: whatever renews it
// has long been due then, be it made for a day or a year.
const (
	renewSoon = 20 // percent
	renewNow  = 5
)

// life judges how much of a certificate's life is left.
func life(c Certificate, now time.Time) (tone, string) {
	switch {
	case now.Before(c.NotBefore):
		return bad, "is not valid yet"
	case !now.Before(c.NotAfter):
		return bad, ends(c.NotAfter, now)
	}
	switch share := lifeLeft(c, now); {
	case share <= renewNow:
		return bad, ends(c.NotAfter, now)
	case share <= renewSoon:
		return notice, ends(c.NotAfter, now)
	}
	return good, ends(c.NotAfter, now)
}

// lifeLeft is in percent.
func lifeLeft(c Certificate, now time.Time) int {
	whole, left := c.NotAfter.Unix()-c.NotBefore.Unix(), c.NotAfter.Unix()-now.Unix()
	if whole <= 0 || left <= 0 {
		return 0
	}
	return int(min(100, left*100/whole))
}

// ends says when something ends, or ended.
func ends(at, now time.Time) string {
	switch {
	case at.IsZero():
		return "has no end"
	case now.Before(at):
		return "ends in " + span(now, at)
	default:
		return "ended " + span(at, now) + " ago"
	}
}

// span is the time between two moments for people, rounded down. It may be
// longer than a time.Duration: certificates without an end are of the year 9999
// (RFC 5280 §4.1.2.5).
func span(from, until time.Time) string {
	const minute, hour, day, year = 60, 60 * 60, 24 * 60 * 60, 31556952 // the Gregorian calendar's mean
	n, unit := until.Unix()-from.Unix(), "second"
	switch {
	case n >= 3*year:
		n, unit = n/year, "year"
	case n >= 2*day:
		n, unit = n/day, "day"
	case n >= 2*hour:
		n, unit = n/hour, "hour"
	case n >= 2*minute:
		n, unit = n/minute, "minute"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}
