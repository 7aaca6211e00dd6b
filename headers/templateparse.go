package headers

import (
	"fmt"
	"slices"
	"strings"
)

const variableHeaders = "MTLS_HEADERS"

// templateParser goes through MTLS_HEADERS once, from left to right, and goes on after a fault.
type templateParser struct {
	text     string
	at       int
	start    int     // of the entry
	preset   *preset // whose entries text is; nil: the operator's
	template Template
	faults   []error
}

func isSeparator(b byte) bool {
	return b == ',' || b == ' ' || b == '\t' || b == '\n' || b == '\r'
}

func (p *templateParser) skipSeparators() {
	for p.at < len(p.text) && isSeparator(p.text[p.at]) {
		p.at++
	}
}

// entry reads one entry and adds what it stands for.
func (p *templateParser) entry() {
	p.start = p.at
	faults := len(p.faults)
	for p.at < len(p.text) && !isSeparator(p.text[p.at]) && p.text[p.at] != '=' {
		p.at++
	}
	name := p.text[p.start:p.at]
	if p.at == len(p.text) || p.text[p.at] != '=' {
		p.addPreset(name)
		return
	}
	p.at++
	from := p.at
	e := entryLine{name: name, folded: folded(name)}
	if p.preset != nil {
		e.preset = p.preset.name
	}
	e.parts = p.value()
	if why := slipOfThePen(name, e.parts, p.text[from:p.at]); why != "" && len(p.faults) == faults {
		p.fault(p.start, "", why)
		return
	}
	e.certificate = slices.ContainsFunc(e.parts, func(part part) bool { return part.variable != nil && part.variable.from == fromCertificate })
	if why := cannotEmit(name); why != "" {
		p.fault(p.start, p.text[p.start:p.at], why)
	} else {
		p.add(e)
	}
}

// addPreset adds a preset's entries.
func (p *templateParser) addPreset(name string) {
	found := findPreset(name)
	if found == nil {
		p.fault(p.start, name, noPreset(name))
		p.skipEntry()
		return
	}
	for _, text := range found.entries {
		inner := &templateParser{text: text, preset: found}
		inner.entry()
		for _, fault := range inner.faults {
			p.fault(p.start, name, "is a faulty preset: "+fault.Error())
		}
		for _, e := range inner.template.entries {
			if !p.add(e) {
				return
			}
		}
	}
}

// skipEntry goes on to the next separator, after a fault.
func (p *templateParser) skipEntry() {
	for p.at < len(p.text) && !isSeparator(p.text[p.at]) {
		p.at++
	}
}

// add takes an entry whose name nobody has used so far: two lines that an application could read as one header would
// contradict each other, or be joined. It reports whether it took the entry.
func (p *templateParser) add(e entryLine) bool {
	for _, other := range p.template.entries {
		if other.folded != e.folded {
			continue
		}
		if e.preset != "" && e.preset == other.preset {
			p.fault(p.start, e.preset, "is there twice; remove one")
			return false
		}
		p.fault(p.start, e.origin(), fmt.Sprintf("sends %s, which %s sends already (letters' case, - and _ make no difference to many applications); remove one of the two", e.name, other.origin()))
		return false
	}
	p.template.entries = append(p.template.entries, e)
	return true
}

// origin is what the operator wrote to get the entry.
func (e entryLine) origin() string {
	if e.preset != "" {
		return e.preset
	}
	return e.name + "="
}

// value reads text and variables up to the next separator outside quotes.
func (p *templateParser) value() []part {
	var parts []part
	var text []byte
	quoted := -1 // where the open quote is
	for p.at < len(p.text) && (quoted >= 0 || !isSeparator(p.text[p.at])) {
		switch b := p.text[p.at]; {
		case b == '"':
			if quoted < 0 {
				quoted = p.at
			} else {
				quoted = -1
			}
			p.at++
		case b == '\\' && quoted >= 0:
			p.at++
			if p.at < len(p.text) && (p.text[p.at] == '"' || p.text[p.at] == '\\') {
				text = append(text, p.text[p.at])
				p.at++
				continue
			}
			p.fault(p.at-1, "", `has a backslash that stands before neither " nor \; write \\ for one`)
		case b == '$' && strings.HasPrefix(p.text[p.at:], "$$"):
			text = append(text, '$')
			p.at += 2
		case b == '$':
			if len(text) > 0 {
				parts = append(parts, part{text: string(text)})
				text = nil
			}
			if v := p.variable(); v != nil {
				parts = append(parts, part{variable: v})
			}
		case b < ' ' || b > '~':
			p.fault(p.at, "", "has a character in a header's text that is not visible ASCII; leave it out")
			for p.at++; p.at < len(p.text) && p.text[p.at] >= 0x80; p.at++ {
			}
		default:
			text = append(text, b)
			p.at++
		}
	}
	if quoted >= 0 {
		p.fault(quoted, "", "has a quote that is not closed; add \" at the value's end")
	}
	if len(text) > 0 {
		parts = append(parts, part{text: string(text)})
	}
	return parts
}

// variable reads $name or ${name}; nil after a fault.
func (p *templateParser) variable() *variable {
	start := p.at
	p.at++
	braced := p.at < len(p.text) && p.text[p.at] == '{'
	if braced {
		p.at++
	}
	from := p.at
	for p.at < len(p.text) && isVariableByte(p.text[p.at]) {
		p.at++
	}
	name := p.text[from:p.at]
	if braced {
		if p.at == len(p.text) || p.text[p.at] != '}' {
			p.fault(start, "", "has ${ without its }; write ${"+name+"}")
			return nil
		}
		p.at++
	}
	if name == "" && strings.HasPrefix(p.text[p.at:], "(") {
		p.fault(start, "", "has parentheses around a variable; write $ssl_client_s_dn or ${ssl_client_s_dn}")
		return nil
	}
	if name == "" {
		p.fault(start, "", "has a $ without a variable; write $$ for a dollar itself")
		return nil
	}
	if v := findVariable(name, p.preset != nil); v != nil {
		return v
	}
	why := refusedVariable(name)
	if why == "" {
		why = "is no variable here; the README lists those that are"
		if near := near(name, variableNames()); near != "" {
			why = "is no variable here; " + hinted(near, "$")
		}
	}
	p.fault(start, "$"+name, why)
	return nil
}

func isVariableByte(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '_'
}
