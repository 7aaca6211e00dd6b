package main

import (
	"bytes"
	"fmt"
	"html"
	"slices"
	"strings"
)

// Sizes of the plot, in pixels.
const (
	plotWidth  = 900
	labelWidth = 130
	barHeight  = 14
	groupGap   = 34
	plotTop    = 64
	unitWidth  = 200 // of nginx's cost
)

// colours are as many as there are peers, and can be told apart by those who see fewer
// (Okabe and Ito's palette).
func colours() []string {
	return []string{"#999999", "#56b4e9", "#e69f00", "#cc79a7", "#f0e442", "#009e73"}
}

// plot draws what each peer's work costs, nginx's being 1, as SVG 1.1.
func plot(findings []*finding, subtitle string) []byte {
	var body bytes.Buffer
	y := plotTop
	for _, f := range findings {
		bars := f.bars()
		if len(bars) == 0 {
			continue
		}
		y += groupGap
		fmt.Fprintf(&body, `<text x="10" y="%d" font-weight="bold">%s</text>`+"\n", y-8, html.EscapeString(f.work.title))
		for _, one := range bars {
			width := min(one.cost*unitWidth, plotWidth-labelWidth-80)
			fmt.Fprintf(&body, `<text x="%d" y="%d" text-anchor="end">%s</text><rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/><text x="%.1f" y="%d">%.2f</text>`+"\n",
				labelWidth-6, y+barHeight-3, html.EscapeString(one.peer), labelWidth, y, width, barHeight-2, one.colour, labelWidth+width+5, y+barHeight-3, one.cost)
			y += barHeight
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="sans-serif" font-size="11">`+"\n", plotWidth, y+20)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/>`+"\n"+`<text x="10" y="24" font-size="16" font-weight="bold">Processor time per piece of work, nginx = 1 (less is better)</text>`+"\n")
	who, where, _ := strings.Cut(subtitle, "; ")
	for i, line := range []string{who, where} {
		fmt.Fprintf(&b, `<text x="10" y="%d" font-size="9">%s</text>`+"\n", 40+12*i, html.EscapeString(line))
	}
	fmt.Fprintf(&b, `<line x1="%d" y1="%d" x2="%[1]d" y2="%[3]d" stroke="#bbbbbb" stroke-dasharray="3 3"/>`+"\n", labelWidth+unitWidth, plotTop, y)
	b.Write(body.Bytes())
	b.WriteString("</svg>\n")
	return b.Bytes()
}

type bar struct {
	peer, colour string
	cost         float64
}

// bars are those of peers that were compared with nginx.
func (f *finding) bars() []bar {
	other := f.standardCosts()
	var all []bar
	for _, o := range f.outcomes {
		place := slices.IndexFunc(candidates(), func(c candidate) bool { return c.name == o.peer.name })
		if compared := ratios(o.each(microseconds), other); o.failed == nil && compared.median > 0 && place >= 0 {
			all = append(all, bar{o.peer.name, colours()[place], compared.median})
		}
	}
	return all
}
