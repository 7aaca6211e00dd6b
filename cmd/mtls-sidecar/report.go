package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"mtls-sidecar/proxy"
)

// report is text for a terminal: a column of labels, and what there is to say.
type report struct {
	strings.Builder
	indent string
	width  int // where prose is broken
}

// labels is the width of their column.
const labels = 10

// item is one line, however long: names and header lines are told as they are.
// Nothing is said of what is empty.
func (r *report) item(label, text string) {
	if text != "" {
		fmt.Fprintf(r, "%s%-*s%s\n", r.indent, labels, label, text)
	}
}

// prose is broken between words. Where it is indented, what follows the first line is
// indented further. The words may be from anywhere: see proxy.Printable.
func (r *report) prose(label, text string) {
	text = proxy.Printable(text)
	margin := strings.Repeat(" ", len(text)-len(strings.TrimLeft(text, " ")))
	var line string
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = margin + word
		case len(r.indent)+labels+utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > r.width:
			r.item(label, line)
			label, line = "", margin+strings.Repeat(" ", min(2, len(margin)))+word
		default:
			line += " " + word
		}
	}
	r.item(label, line)
}
