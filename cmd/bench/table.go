package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table is a heading, and rows of as many cells as there are columns.
type table struct {
	heading string
	columns []string
	rows    [][]string
	note    string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write writes it as text in columns, or in Markdown.
func (t *table) write(to io.Writer, markdown bool) error {
	widths := make([]int, len(t.columns))
	for _, row := range append([][]string{t.columns}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	line := func(cells []string) {
		for i, cell := range cells {
			gap := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			switch {
			case markdown:
				b.WriteString("| " + cell + gap + " ")
			case i < len(cells)-1:
				b.WriteString(cell + gap + "  ")
			default:
				b.WriteString(cell)
			}
		}
		if markdown {
			b.WriteString("|")
		}
		b.WriteString("\n")
	}
	if markdown {
		b.WriteString("### ")
	}
	b.WriteString(t.heading + "\n\n")
	line(t.columns)
	if markdown {
		for _, width := range widths {
			b.WriteString("|" + strings.Repeat("-", width+2))
		}
		b.WriteString("|\n")
	}
	for _, row := range t.rows {
		line(row)
	}
	if t.note != "" {
		b.WriteString("\n" + t.note + "\n")
	}
	_, err := fmt.Fprintln(to, b.String())
	return err
}
