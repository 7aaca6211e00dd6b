package proxy

import (
	"crypto/x509"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"mtls-sidecar/headers"
	"mtls-sidecar/proxy/trust"
)

// Certificates, lists and answers in words, for a terminal. Nothing taken from
// them may break a line or steer the terminal.

// Printable is text in which whatever is no visible character or space is escaped.
func Printable(text string) string {
	var out strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, text[0])
		case strconv.IsPrint(r):
			out.WriteString(text[:size])
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			out.WriteString(quoted[1 : len(quoted)-1])
		}
		text = text[size:]
	}
	return out.String()
}

// Subject is a certificate's subject as the application would be told it, cut
// short where nobody could read it.
func Subject(c *x509.Certificate) string { return legible(subjectDN(c), "(no subject)") }

// Serial is a certificate's serial number as openssl x509 -serial prints it,
// likewise cut short.
func Serial(c *x509.Certificate) string {
	return shortened(headers.Serial(c.SerialNumber), maxLoggedSerial)
}

func legible(name, empty string) string {
	if name == "" {
		return empty
	}
	return strings.ToValidUTF8(shortened(Printable(name), maxLoggedName), "")
}

// DescribeCRL is one line on a revocation list, how fresh it is and where it is from.
func DescribeCRL(list *trust.CRL, now time.Time) string {
	return fmt.Sprintf("of %s,%s", legible(dn(list.RawIssuer), "(no name)"), particulars(list, now)) + listSource(list)
}

func listSource(list *trust.CRL) string {
	if list.Source == "" {
		return ""
	}
	return ", from " + Printable(list.Source)
}

// particulars are a list's number, size and age.
func particulars(list *trust.CRL, now time.Time) string {
	number := " without a number"
	if list.Number != nil {
		number = " number " + shortened(list.Number.String(), maxLoggedSerial)
	}
	entries := "no entries"
	switch n := list.Entries(); {
	case n == 1:
		entries = "1 entry"
	case n > 1:
		entries = fmt.Sprintf("%d entries", n)
	}
	return fmt.Sprintf("%s with %s, %s", number, entries, freshness(list.ThisUpdate, list.NextUpdate, now))
}

// DescribeConsulted is what a list of the issuer's name says of a certificate.
func DescribeConsulted(c trust.Consulted, now time.Time) string {
	says := "which does not name it"
	if c.Names {
		says = "which NAMES IT AS REVOKED"
	}
	switch c.Use {
	case trust.CRLCounts:
		if !now.Before(c.List.NextUpdate) {
			says = "still counts by MTLS_CRL_GRACE, " + says
		}
	case trust.CRLEnded:
		says = "which vouches for nobody any more; " + strings.TrimPrefix(says, "which ")
	case trust.CRLNotBegun:
		says = "which does not count before that; " + strings.TrimPrefix(says, "which ")
	case trust.CRLOtherKey:
		says = "not used: it is of another key of that CA"
	case trust.CRLOtherScope:
		says = "not used: it is about other certificates of that CA"
	case trust.CRLUnproved:
		says = "not used: whose signature it has is not known before the chain is believed"
	case trust.CRLNotSigned:
		says = "not used: its signature is not that CA's"
	case trust.CRLSuperseded:
		says = "superseded by the one above"
	}
	if c.Names && (c.Use == trust.CRLOtherKey || c.Use == trust.CRLOtherScope) {
		says += ", but NAMES IT AS REVOKED"
	}
	return strings.TrimPrefix(particulars(c.List, now), " ") + listSource(c.List) + ", " + says
}

// DescribeOCSP is what a responder said of a certificate.
func DescribeOCSP(answer trust.OCSPReport, now time.Time) string {
	from := Printable(answer.URL)
	if from != "" {
		from = " from " + shortened(from, maxLoggedName)
	}
	if answer.Err != nil {
		return fmt.Sprintf("no answer%s: %s", from, Printable(answer.Err.Error()))
	}
	return fmt.Sprintf("%s%s, an answer %s", answer.Status, from, freshness(answer.ThisUpdate, answer.NextUpdate, now))
}

// freshness tells since when and until when something counts.
func freshness(from, until, now time.Time) string {
	age := "of " + from.UTC().Format(time.RFC3339)
	switch {
	case from.After(now):
		return age + ", which is in the future"
	case until.IsZero():
		return fmt.Sprintf("%s (%s old, without an end)", age, rounded(now.Sub(from)))
	case !now.Before(until):
		return fmt.Sprintf("%s, EXPIRED on %s", age, until.UTC().Format(time.RFC3339))
	default:
		return fmt.Sprintf("%s (%s old, the next due in %s)", age, rounded(now.Sub(from)), rounded(until.Sub(now)))
	}
}

// rounded is a duration for people: whole days, hours, minutes or seconds.
func rounded(d time.Duration) string {
	n, unit := int64(d/time.Second), "second"
	switch {
	case d >= 48*time.Hour:
		n, unit = int64(d/(24*time.Hour)), "day"
	case d >= 2*time.Hour:
		n, unit = int64(d/time.Hour), "hour"
	case d >= 2*time.Minute:
		n, unit = int64(d/time.Minute), "minute"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}
