package headers

import (
	"errors"
	"slices"
	"strings"
)

// Template is MTLS_HEADERS: which lines tell the application who the client is. It is made once, by ParseTemplate, and read by
// all connections.
type Template struct {
	entries    []entryLine
	remains    bool // some entry holds $ssl_client_v_remain
	connection bool // some entry is about the connection
}

// entryLine is one header field. It belongs to a preset, or is an operator's own.
type entryLine struct {
	name        string
	folded      string // as names are compared
	preset      string // empty: the operator's own
	parts       []part
	certificate bool // some part is taken from the certificate
}

// part is text, or a variable.
type part struct {
	text     string
	variable *variable
}

// ParseTemplate reads MTLS_HEADERS: entries separated by commas or white space, each a preset's name or Name=value, where a
// value is text with $variable or ${variable}, $$ for a dollar, and "…" around what holds spaces or commas (with \" and \\).
//
// The error joins one error for each fault, of the form MTLS_HEADERS="entry" problem; remedy, with a caret below the place.
func ParseTemplate(text string) (*Template, error) {
	p := &templateParser{text: text}
	for p.skipSeparators(); p.at < len(text); p.skipSeparators() {
		p.entry()
	}
	if len(p.template.entries) == 0 && len(p.faults) == 0 {
		p.fault(0, "", "names no header; leave it unset for "+NameVerified+" and "+NameDN)
	}
	if len(p.faults) > 0 {
		return nil, errors.Join(p.faults...)
	}
	p.template.remains = p.template.holds(func(v *variable) bool { return v.name == "ssl_client_v_remain" })
	p.template.connection = p.template.holds(func(v *variable) bool { return v.from == fromConnection })
	return &p.template, nil
}

// Names lists the fields that may be sent, in their order, as they are spelled. Clients may send none of them.
func (t *Template) Names() []string {
	names := make([]string, len(t.entries))
	for i := range t.entries {
		names[i] = t.entries[i].name
	}
	return names
}

// Describe lists what was asked for, as it is understood: presets by name, an operator's own entries as Name="value".
func (t *Template) Describe() []string {
	var list []string
	for _, e := range t.entries {
		what := e.preset
		if what == "" {
			what = e.name + `="`
			for _, p := range e.parts {
				if p.variable != nil {
					what += "${" + p.variable.name + "}"
				} else {
					what += strings.ReplaceAll(p.text, "$", "$$")
				}
			}
			what += `"`
		}
		if !slices.Contains(list, what) {
			list = append(list, what)
		}
	}
	return list
}

// Writes reports whether a field of that name may be sent, in whatever spelling.
func (t *Template) Writes(name []byte) bool {
	for i := range t.entries {
		if f := t.entries[i].folded; len(f) == len(name) && hasFoldedPrefix(name, f) {
			return true
		}
	}
	return false
}

// UnvouchedNames lists the operator's own entries that tell of a certificate while no entry tells the verdict on it: with FAILED
// they are filled, and read as the believed client's.
func (t *Template) UnvouchedNames() []string {
	if t.holds(func(v *variable) bool { return v.from == fromVerdict }) {
		return nil
	}
	var names []string
	for _, e := range t.entries {
		if e.preset == "" && e.certificate {
			names = append(names, e.name)
		}
	}
	return names
}

// TellsConnection reports whether Facts.TLS is asked for.
func (t *Template) TellsConnection() bool { return t.connection }

// holds reports whether some entry holds such a variable.
func (t *Template) holds(such func(*variable) bool) bool {
	return slices.ContainsFunc(t.entries, func(e entryLine) bool {
		return slices.ContainsFunc(e.parts, func(p part) bool { return p.variable != nil && such(p.variable) })
	})
}

// findVariable looks among what operators may name, and for presets among their own, too.
func findVariable(name string, ofPreset bool) *variable {
	for i := range variables {
		if variables[i].name == name {
			return &variables[i]
		}
	}
	if !ofPreset {
		return nil
	}
	for i := range dialectVariables {
		if dialectVariables[i].name == name {
			return &dialectVariables[i]
		}
	}
	return nil
}

func variableNames() []string {
	var names []string
	for i := range variables {
		names = append(names, variables[i].name)
	}
	return names
}

func presetNames() []string {
	var names []string
	for i := range presets {
		names = append(names, presets[i].name)
	}
	return names
}

func findPreset(name string) *preset {
	for i := range presets {
		if presets[i].name == name {
			return &presets[i]
		}
	}
	return nil
}
