package soak

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// measure is what the sidecar holds at one time.
type measure struct {
	resident, heap, goroutines, descriptors float64
	connections                             float64
}

// watch is what was seen: at rest before and after the load, and under it.
type watch struct {
	before, after measure
	under         []measure
}

// Series that Go's and the process's collectors have (client_golang).
const (
	heapSeries       = "go_memstats_heap_alloc_bytes"
	goroutinesSeries = "go_goroutines"
	filesSeries      = "process_open_fds"
)

func (d *day) measure() (measure, error) {
	all, err := d.metrics()
	if err != nil {
		return measure{}, err
	}
	resident, err := d.options.Resident(d.sidecar.Pid())
	return measure{float64(resident), all[heapSeries], all[goroutinesSeries], all[filesSeries], sum(all, "mtls_connections", "")}, err
}

func (d *day) sample(into *watch) {
	m, err := d.measure()
	if err != nil {
		d.faults.add(failed, nil, "the sidecar's admin port: %v", err)
		return
	}
	into.under = append(into.under, m)
}

// restPatience is how long what is over may take to be gone: longer than a kept
// connection to the application is kept.
const restPatience = 30 * time.Second

// Rest has begun when there is no connection any more. What a connection leaves behind for
// a moment (what is still read after a refusal) is gone after settling; the most that
// is held in the time of looking after that is what a sidecar at rest holds: its
// own work, and being asked, come and go.
const (
	settling = 1200 * time.Millisecond
	looking  = 600 * time.Millisecond
)

// rest waits until everybody has gone and what they took is given back: down to what it
// was before; nil: as far as it goes.
func (d *day) rest(before *measure) measure {
	var last, most measure
	var quiet time.Time
	for begun := time.Now(); time.Since(begun) < restPatience && !d.faults.ended(); wait(context.Background(), 100*time.Millisecond) {
		m, err := d.measure()
		if err != nil {
			d.faults.add(failed, nil, "the sidecar's admin port: %v", err)
			return last
		}
		last = m
		if m.connections > 0 || d.application.connections() > 0 {
			quiet, most = time.Time{}, measure{}
			continue
		}
		if quiet.IsZero() {
			quiet = time.Now()
		}
		switch since := time.Since(quiet); {
		case before != nil && m.goroutines <= before.goroutines && m.descriptors <= before.descriptors:
			return m
		case before == nil && since > settling+looking:
			m.goroutines, m.descriptors = most.goroutines, most.descriptors
			return m
		case since > settling:
			most.goroutines, most.descriptors = max(most.goroutines, m.goroutines), max(most.descriptors, m.descriptors)
		}
	}
	return last
}

// connections are those that the sidecar keeps to the application.
func (a *application) connections() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.open)
}

// flatFor is how long a load must have been for its memory to say anything.
const flatFor = 20 * time.Second

// judgeLeaks compares what was held before and after the load.
func (d *day) judgeLeaks() {
	for _, text := range leaks(&d.watch, d.loading >= flatFor) {
		d.faults.add(leaked, nil, "%s", text)
	}
}

// Memory may grow by a quarter and a few MiB: a Go program's heap breathes.
const (
	growth    = 1.25
	breathing = 6 << 20
	mebi      = 1 << 20
)

// leaks says what did not go back to where it was.
func leaks(w *watch, memory bool) []string {
	var all []string
	if w.after.connections > 0 {
		all = append(all, fmt.Sprintf("%.0f connections are open, and nobody is there", w.after.connections))
	}
	if w.after.goroutines > w.before.goroutines {
		all = append(all, fmt.Sprintf("%.0f goroutines at rest, want %.0f as before", w.after.goroutines, w.before.goroutines))
	}
	if w.after.descriptors > w.before.descriptors {
		all = append(all, fmt.Sprintf("%.0f file descriptors at rest, want %.0f as before", w.after.descriptors, w.before.descriptors))
	}
	if !memory || len(w.under) < 8 {
		return all
	}
	for name, of := range map[string]func(measure) float64{
		"resident memory": func(m measure) float64 { return m.resident },
		"Go's heap":       func(m measure) float64 { return m.heap },
	} {
		quarter := len(w.under) / 4
		second, last := middle(w.under[quarter:2*quarter], of), middle(w.under[3*quarter:], of)
		if last > growth*second+breathing {
			all = append(all, fmt.Sprintf("%s: a median of %.1f MiB in the last quarter, want at most %.2f times the %.1f MiB of the second and %d MiB",
				name, last/mebi, growth, second/mebi, breathing/mebi))
		}
	}
	return all
}

// middle is the median.
func middle(all []measure, of func(measure) float64) float64 {
	values := make([]float64, len(all))
	for i, m := range all {
		values[i] = of(m)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
