package main

import (
	"fmt"
	"time"
)

// table is a finding as it is shown.
func (f *finding) table() *table {
	t := &table{heading: f.work.title, columns: []string{"", "CPU, µs", "of nginx's", "range", "a second", "core used",
		fmt.Sprintf("p50, µs, at %s/s", number(f.rate)), "p99, µs", "p99.9, µs"}}
	other := f.standardCosts()
	for _, o := range f.outcomes {
		if o.failed != nil {
			t.note += fmt.Sprintf("%s is not reported: %s\n", o.peer.name, oneLine(o.failed))
			continue
		}
		compared := ratios(o.each(microseconds), other)
		busy := summarize(o.each(func(m measure) float64 { return m.busy })).median
		cells := []string{o.peer.name, number(summarize(o.each(microseconds)).median), "", "",
			number(summarize(o.each(func(m measure) float64 { return m.rate })).median),
			fmt.Sprintf("%.0f %%", 100*busy)}
		if compared.median > 0 {
			cells[2], cells[3] = fmt.Sprintf("%.2f", compared.median), fmt.Sprintf("%.2f–%.2f", compared.low, compared.high)
		}
		t.add(append(cells, o.latencyCells()...)...)
		if o.peer.name == standard && busy < usedUp {
			t.note += standard + " did not use its core up: the load is what limits here, and the rate is half of what it can do.\n"
		}
	}
	return t
}

// usedUp is the share of its core that a peer uses if nothing else limits it.
const usedUp = 0.9

// latencyCells are the medians of p50, p99 and p99.9, or that there are none.
func (o *outcome) latencyCells() []string {
	if o.slow != nil || len(o.latencies) == 0 {
		return []string{"too slow", "", ""}
	}
	var cells []string
	for i := range len(quantiles{}) {
		var all []float64
		for _, q := range o.latencies {
			all = append(all, float64(q[i])/float64(time.Microsecond))
		}
		cells = append(cells, number(summarize(all).median))
	}
	return cells
}
