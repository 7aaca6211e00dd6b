package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// progress draws a bar, on a terminal alone.
type progress struct {
	to    io.Writer // nil: nobody looks
	total int
	done  int
}

func newProgress(file *os.File, total int) *progress {
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 || file.Name() == os.DevNull {
		return &progress{total: total}
	}
	return &progress{to: file, total: total}
}

// barWidth is how long the bar is, in characters.
const barWidth = 30

// step says what is being done now.
func (p *progress) step(what string) {
	if p.to != nil {
		full := min(barWidth*p.done/max(p.total, 1), barWidth)
		fmt.Fprintf(p.to, "\r\x1b[K[%s%s] %d/%d %s", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), p.done, p.total, what)
	}
	p.done++
}

// clear leaves the line to others.
func (p *progress) clear() {
	if p.to != nil {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}
