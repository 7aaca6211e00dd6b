package admin

import (
	"fmt"
	"time"
)

// revocationSection is what is known of certificates that were taken back.
func revocationSection(s *Status) markup {
	lists := empty("No revocation list is in force: a certificate that its CA has revoked is believed until it ends, unless the CA is asked by OCSP. MTLS_CRL says where lists are.")
	if len(s.RevocationLists) > 0 {
		lists = tag(`ul class="cards"`, each(s.RevocationLists, func(l RevocationList) markup { return listCard(s, l) }))
	}
	return tag(`section id="revocation"`, tag("h2", "Revocation lists"), `<p class="lead">Which certificates their CAs have taken back.</p>`, lists,
		tag("h2", "OCSP"), ocspBox(s))
}

func listCard(s *Status, l RevocationList) markup {
	mood, words := good, "current"
	switch l.State {
	case ListWaiting:
		mood, words = notice, "does not count yet: its CA is not known, or it is dated in the future"
	case ListGrace:
		mood, words = notice, "past its end, counts by MTLS_CRL_GRACE"
	case ListEnded:
		mood, words = bad, ends(l.NextUpdate, s.Now)
	}
	var f facts
	f.add("Entries", text(grouped(int64(l.Entries))))
	f.add("Number", code(l.Number))
	if !l.ThisUpdate.IsZero() {
		f.add("Made", clock(l.ThisUpdate)+" ("+text(span(l.ThisUpdate, s.Now))+" ago)")
	}
	if l.NextUpdate.IsZero() {
		f.add("Next", "the CA says no time")
	} else {
		f.add("Next", clock(l.NextUpdate)+" ("+text(due(l.NextUpdate, s.Now))+")")
	}
	f.add("From", code(l.Source))
	return tag(`li`+attr("class", "card "+string(mood)), tag("h3", nameOf(l.Issuer)), tag(`p`, tag(`span class="badge"`, text(words))), f.list())
}

// due says when the next is expected.
func due(at, now time.Time) string {
	if now.Before(at) {
		return "due in " + span(now, at)
	}
	return "due " + span(at, now) + " ago"
}

// ocspBox shows the answers that are held.
func ocspBox(s *Status) markup {
	o := s.OCSP
	switch {
	case o.Mode == "" || o.Mode == "off":
		return empty("Off: the clients' CAs are not asked. MTLS_OCSP=leaf has them asked.")
	case len(o.Answers) == 0:
		return empty("On (" + code(o.Mode) + "), and no answer is held yet: no client with a certificate has come.")
	}
	words := fmt.Sprintf("Mode %s. %s answers are held", o.Mode, grouped(int64(max(o.Held, len(o.Answers)))))
	if o.Held > len(o.Answers) {
		words += fmt.Sprintf(", of which these are %d", len(o.Answers))
	}
	return tag(`p class="lead"`, text(words+".")) + tag(`ul class="cards"`, each(o.Answers, func(a OCSPAnswer) markup { return answerCard(s, a) }))
}

func answerCard(s *Status, a OCSPAnswer) markup {
	mood := notice
	switch a.Status {
	case "good":
		mood = good
	case "revoked":
		mood = bad
	}
	var f facts
	f.add("Serial", code(a.Serial))
	f.add("Made", clock(a.ThisUpdate))
	if !a.NextUpdate.IsZero() {
		f.add("Next", clock(a.NextUpdate)+" ("+text(due(a.NextUpdate, s.Now))+")")
	}
	f.add("Said by", code(a.Responder))
	return tag(`li`+attr("class", "card "+string(mood)), tag("h3", nameOf(a.Subject)), tag("p", tag(`span class="badge"`, text(a.Status))), f.list())
}
