package headers

import (
	"errors"
	"fmt"
	"slices"
)

// The variables that StripOptions comes from, for messages.
const (
	variableStrip = "MTLS_STRIP_HEADERS"
	variableKeep  = "MTLS_KEEP_HEADERS"
)

// StripOptions is what an operator changes about the names that clients may not send. The lists hold field names in any
// spelling and are compared folded, each name once or often.
type StripOptions struct {
	Emit  []string // the names that the sidecar sends (Template.Names): dropped, whatever else holds of them
	Strip []string // MTLS_STRIP_HEADERS: dropped in addition
	Keep  []string // MTLS_KEEP_HEADERS: forwarded although a dialect has the name
	Paths bool     // MTLS_ROUTES is set: names that tell an application of another path are dropped, too
}

// NewStripper makes a Stripper for all dialects and the operator's additions and exceptions. The error joins one error for
// each entry that cannot be, each beginning with its variable: what is no field name, framing
// names in either list, names that the sidecar writes (MTLS_KEEP_HEADERS), and names in both.
func NewStripper(opt StripOptions) (*Stripper, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	names := len(guardedNames) + len(notInTrailers) + len(otherPaths) + len(opt.Emit) + len(opt.Strip) + len(opt.Keep) + 1
	for _, d := range dialects {
		names += len(d.names)
	}
	size := 1
	for size < 2*names {
		size *= 2
	}
	s := &Stripper{table: make([]entry, size)}
	// insert keeps the first rule for a name: what we send ourselves, then the operator's.
	s.insertAll(opt.Emit, dropped)
	s.insertAll(opt.Keep, kept)
	s.insertAll(opt.Strip, dropped)
	if opt.Paths {
		s.insertAll(otherPaths[:], dropped)
		s.insert(folded("Destination"), headOnly) // a second path (RFC 4918 §10.3), looked at in the head
	}
	for _, g := range guardedNames {
		s.insert(folded(g.name), exactOnly)
	}
	s.insertAll(notInTrailers[:], headOnly)
	s.insert(folded(unsetForwarded), dropped)
	s.addPrefix(forwardedPrefix)
	for _, d := range dialects {
		s.insertAll(d.names, dropped)
		for _, p := range d.prefixes {
			s.addPrefix(p)
		}
	}
	s.nameAll()
	return s, nil
}

func (s *Stripper) insertAll(names []string, r rule) {
	for _, n := range names {
		s.insert(folded(n), r)
	}
}

func (s *Stripper) addPrefix(prefix string) {
	p := folded(prefix)
	s.prefixes[p[0]] = append(s.prefixes[p[0]], p)
}

// check returns every fault of the lists, joined.
func (o StripOptions) check() error {
	var faults []error
	fault := func(variable, name, why string) {
		faults = append(faults, fmt.Errorf("%s=%q %s", variable, name, why))
	}
	emitted := make(map[string]bool, len(o.Emit))
	for _, n := range o.Emit {
		emitted[folded(n)] = true
	}
	stripped := make(map[string]bool, len(o.Strip))
	for _, n := range o.Strip {
		if why := cannotStrip(n); why != "" {
			fault(variableStrip, n, why)
		}
		stripped[folded(n)] = true
	}
	for _, n := range o.Keep {
		why := cannotKeep(n)
		if o.Paths && isToken(n) && TellsOtherPath(n) {
			why = "" // an exception, and warned of
		}
		if why == "" && emitted[folded(n)] {
			why = "is written by the sidecar (" + variableHeaders + "), and a client's own would be believed; remove it"
		}
		if why == "" && stripped[folded(n)] {
			why = "is in " + variableStrip + " too; remove it from one of them"
		}
		if why != "" {
			fault(variableKeep, n, why)
		}
	}
	return errors.Join(faults...)
}

const notAFieldName = "is not a field name; separate names by commas"

// cannotStrip returns the reason, or "".
func cannotStrip(name string) string {
	if !isToken(name) {
		return notAFieldName
	}
	f := folded(name)
	switch {
	case guardOf(f) == framing:
		return "cannot be stripped, since it frames the message; remove it"
	case f == folded("X-Forwarded-For"):
		return "is set by MTLS_FORWARDED_FOR: use replace or off there"
	default:
		return ""
	}
}

// cannotKeep returns the reason, or "".
func cannotKeep(name string) string {
	if !isToken(name) {
		return notAFieldName
	}
	f := folded(name)
	switch guardOf(f) {
	case framing:
		return "frames the message, and its exact spelling needs no exception; remove it"
	case written:
		return "is written by the sidecar itself; remove it"
	case routing, credentials:
		return "passes in its exact spelling; remove it"
	}
	if slices.ContainsFunc(notInTrailers[:], func(n string) bool { return folded(n) == f }) {
		return "passes in the head; remove it"
	}
	return ""
}

// guardOf returns why a folded name is guarded, or 0.
func guardOf(name string) guard {
	for _, g := range guardedNames {
		if folded(g.name) == name {
			return g.why
		}
	}
	return 0
}
