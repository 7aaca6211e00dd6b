package admin

import (
	"html"
	"strings"
)

// markup is HTML that is written as it is. A constant of the program becomes one by
// itself, a string does not: it has to pass through text or attr.
//
// html/template would do the same and adds 1.8 MB to the program, since text/template
// calls methods by name, and the linker then keeps all there are.
type markup string

// text is foreign text as HTML.
func text(s string) markup { return markup(html.EscapeString(s)) }

// attr is an attribute with a foreign value. The name is the program's own.
func attr(name markup, value string) markup {
	return " " + name + `="` + text(value) + `"`
}

// tag is an element; open is its name with its attributes.
func tag(open markup, inside ...markup) markup {
	var b strings.Builder
	b.WriteString("<" + string(open) + ">")
	for _, part := range inside {
		b.WriteString(string(part))
	}
	name, _, _ := strings.Cut(string(open), " ")
	b.WriteString("</" + name + ">")
	return markup(b.String())
}

// each is the markup of every element of a list.
func each[T any](list []T, one func(T) markup) markup {
	var b strings.Builder
	for _, element := range list {
		b.WriteString(string(one(element)))
	}
	return markup(b.String())
}

// facts are terms with their descriptions; those without one are left out.
type facts struct{ rows strings.Builder }

func (f *facts) add(term markup, description markup) {
	if description != "" {
		f.rows.WriteString(string(tag("div", tag("dt", term), tag("dd", description))))
	}
}

func (f *facts) list() markup {
	if f.rows.Len() == 0 {
		return ""
	}
	return `<dl class="facts">` + markup(f.rows.String()) + "</dl>"
}
