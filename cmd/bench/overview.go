package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// overview is all that was compared in two tables: what each kind of work costs, and
// how long the slowest in a hundred take.
func overview(findings []*finding) []*table {
	var names []string // in the order in which they are compared
	for _, f := range findings {
		for _, o := range f.outcomes {
			if !slices.Contains(names, o.peer.name) {
				names = append(names, o.peer.name)
			}
		}
	}
	columns := append([]string{""}, names...)
	cost := &table{heading: "Processor time, nginx = 1", columns: columns}
	late := &table{heading: "p99 in µs, at half of what nginx can do", columns: columns}
	for _, f := range findings {
		costs, lates := []string{f.work.title}, []string{f.work.title}
		for _, name := range names {
			ratio, p99 := f.told(name)
			costs, lates = append(costs, ratio), append(lates, p99)
		}
		cost.add(costs...)
		late.add(lates...)
	}
	return []*table{cost, late}
}

// told is what a peer's processor time is to nginx's, and its p99; a dash for what
// there is none of.
func (f *finding) told(name string) (ratio, p99 string) {
	i := slices.IndexFunc(f.outcomes, func(o *outcome) bool { return o.peer.name == name })
	if i < 0 || f.outcomes[i].failed != nil {
		return "–", "–"
	}
	o := f.outcomes[i]
	latency := o.latencyCells()
	ratio, p99 = "–", cmp.Or(latency[1], latency[0]) // where there is none, the first says why
	if compared := ratios(o.each(microseconds), f.standardCosts()); compared.median > 0 {
		ratio = fmt.Sprintf("%.2f", compared.median)
	}
	return ratio, p99
}

// standardCosts are nginx's, round by round; none where it is not there.
func (f *finding) standardCosts() []float64 {
	for _, o := range f.outcomes {
		if o.peer.name == standard && o.failed == nil {
			return o.each(microseconds)
		}
	}
	return nil
}

func microseconds(m measure) float64 { return float64(m.cost) / float64(time.Microsecond) }
