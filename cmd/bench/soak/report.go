package soak

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Table is a part of the report.
type Table struct {
	Heading string
	Columns []string
	Rows    [][]string
	Note    string
}

func (t *Table) add(cells ...string) { t.Rows = append(t.Rows, cells) }

// Report is what came of the day.
type Report struct {
	Tables []Table
	Faults int // in all; the last table has the first of them
}

func (d *day) report() *Report {
	tables := []Table{d.whatRan(), d.whatChanged(), d.whatWasHeld(), d.whatWasCounted(), d.whatWasLogged()}
	r := &Report{Tables: tables, Faults: d.faults.total()}
	t := Table{Heading: fmt.Sprintf("%d faults", r.Faults), Columns: []string{"kind", "after", "client", "request", "what"},
		Note: fmt.Sprintf("At most %d are listed. -seed %d makes the same choices again.", keptFaults, d.options.Seed)}
	if d.faults.ended() {
		t.Note += " The day was ended early: nothing after that was judged, nor whether everything was given back."
	}
	for _, f := range d.faults.list() {
		t.add(f.kind, f.after.Round(time.Millisecond).String(), or(f.client, "-"), or(f.request, "-"), f.detail)
	}
	r.Tables = append(r.Tables, t)
	return r
}

func (d *day) whatRan() Table {
	t := Table{Heading: fmt.Sprintf("A day in the life: %s under load, seed %d", d.loading.Round(time.Second), d.options.Seed),
		Columns: []string{"client", "requests", "served", "refused", "cut", "given up", "excused"},
		Note: "Refused and cut: because the client was not believed, or no longer, or the message was no good. Given up: by the client. " +
			"Excused: failed while the application was away. Whatever else is not served is a fault."}
	j := d.judge
	j.mu.Lock()
	defer j.mu.Unlock()
	var total tally
	row := func(name string, one tally) {
		cells := []string{name}
		for _, n := range []int{one.requests, one.served, one.refused, one.cut, one.given, one.excused} {
			cells = append(cells, strconv.Itoa(n))
		}
		t.add(cells...)
	}
	for _, name := range slices.Sorted(maps.Keys(j.tallies)) {
		one := *j.tallies[name]
		row(name, one)
		total.requests += one.requests
		total.served += one.served
		total.refused += one.refused
		total.cut += one.cut
		total.given += one.given
		total.excused += one.excused
	}
	row("all", total)
	return t
}

func (d *day) whatChanged() Table {
	t := Table{Heading: "What changed meanwhile, and what was looked at", Columns: []string{"what", "times"}}
	for _, name := range slices.Sorted(maps.Keys(d.rotator.made)) {
		t.add(name, strconv.Itoa(d.rotator.made[name]))
	}
	t.add("the application restarted", strconv.Itoa(d.application.restarts()))
	for _, one := range []struct {
		what string
		n    int64
	}{
		{"the application was told SUCCESS", d.told[toldSuccess].Load()}, {"the application was told NONE", d.told[toldNone].Load()},
		{"forged VERIFIED or DN sent, none arrived", d.told[forgeries].Load()},
		{"full handshakes", d.full.Load()}, {"resumed handshakes", d.resumed.Load()}, {"handshakes broken off", d.broken.Load()}, {"tunnels", d.tunnels.Load()},
	} {
		t.add(one.what, strconv.FormatInt(one.n, 10))
	}
	return t
}

func (d *day) whatWasHeld() Table {
	t := Table{Heading: "What the sidecar held", Columns: []string{"what", "at rest before", "second quarter", "last quarter", "most", "at rest after"},
		Note: "The quarters' are medians under load."}
	if d.loading < flatFor {
		t.Note += fmt.Sprintf(" Memory was not judged: that takes %s.", flatFor)
	}
	w := &d.watch
	quarter := len(w.under) / 4
	for _, one := range []struct {
		name string
		unit float64
		of   func(measure) float64
	}{
		{"resident, MiB", mebi, func(m measure) float64 { return m.resident }}, {"Go's heap, MiB", mebi, func(m measure) float64 { return m.heap }},
		{"goroutines", 1, func(m measure) float64 { return m.goroutines }}, {"file descriptors", 1, func(m measure) float64 { return m.descriptors }},
		{"connections", 1, func(m measure) float64 { return m.connections }},
	} {
		show := func(v float64) string {
			if one.unit == 1 {
				return strconv.FormatFloat(v, 'f', 0, 64)
			}
			return strconv.FormatFloat(v/one.unit, 'f', 1, 64)
		}
		second, last, most := "-", "-", 0.0
		if quarter > 0 {
			second, last = show(middle(w.under[quarter:2*quarter], one.of)), show(middle(w.under[3*quarter:], one.of))
		}
		for _, m := range w.under {
			most = max(most, one.of(m))
		}
		t.add(one.name, show(one.of(w.before)), second, last, show(most), show(one.of(w.after)))
	}
	return t
}

func (d *day) whatWasCounted() Table {
	t := Table{Heading: "The sidecar's counters, and what clients and application saw", Columns: []string{"what", "sidecar", "at least", "at most"},
		Note: "Between the two lie requests that were given up, cut or excused: nobody but the sidecar knows what came of them."}
	for _, one := range d.counted {
		t.add(one.what, strconv.FormatFloat(one.got, 'f', 0, 64), strconv.Itoa(one.atLeast), strconv.Itoa(one.most))
	}
	return t
}

func (d *day) whatWasLogged() Table {
	t := Table{Heading: "The sidecar's log", Columns: []string{"line", "times"}}
	for _, line := range slices.Sorted(maps.Keys(d.log)) {
		t.add(line, strconv.Itoa(d.log[line]))
	}
	return t
}
