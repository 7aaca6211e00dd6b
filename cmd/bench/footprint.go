package main

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// Budgets: what a sidecar may cost before it has served anybody.
const (
	imageBudget    = 15_000_000 // bytes of the image, which is the binary
	residentBudget = 20 << 20   // bytes of memory at rest
)

// shownInits is how many packages are listed by what they do at the start.
const shownInits = 10

// footprint measures what the program costs without a connection.
func footprint(folder string, rounds int) ([]*table, error) {
	sizes := &table{heading: "Image: one static binary", columns: []string{"architecture", "size", "budget"}}
	var path string
	for _, architecture := range architectures() {
		built, size, err := build(folder, architecture)
		if err != nil {
			return nil, err
		}
		sizes.add(architecture, megabytes(size), within(size <= imageBudget, megabytes(imageBudget)))
		if architecture == runtime.GOARCH {
			path = built
		}
	}
	if path == "" {
		return nil, fmt.Errorf("this machine's architecture, %s, is none of those that are built: %q", runtime.GOARCH, architectures())
	}
	started, memory, err := measureStarts(path, folder, rounds)
	if err != nil {
		return nil, err
	}
	inits, err := traceInits(path, rounds)
	if err != nil {
		return nil, err
	}
	return []*table{sizes, memory, started, initTable(inits)}, nil
}

// measureStarts starts the program several times, and looks at the last one's memory.
func measureStarts(path, folder string, rounds int) (started, memory *table, err error) {
	environ, err := environment(folder)
	if err != nil {
		return nil, nil, err
	}
	var took, busy []time.Duration
	var rest residence
	var goroutines string
	for round := range rounds {
		p, err := start(path, folder, environ)
		if err != nil {
			return nil, nil, err
		}
		took = append(took, p.took)
		if round == rounds-1 {
			if rest, err = atRest(p.cmd.Process.Pid); err == nil {
				goroutines, err = p.goroutines()
			}
			if err != nil {
				_, _ = p.stop()
				return nil, nil, err
			}
		}
		used, err := p.stop()
		if err != nil {
			return nil, nil, err
		}
		if round < rounds-1 { // the last one was asked to wait
			busy = append(busy, used)
		}
	}
	started = &table{heading: fmt.Sprintf("Start, median of %d", rounds), columns: []string{"", "ms", "range"}}
	started.add("from exec until it is ready (/startupz answers 200)", milliseconds(median(took)), spread(took))
	if len(busy) > 0 {
		started.add("processor time of a start and an end", milliseconds(median(busy)), spread(busy))
	}
	memory = memoryTable(rest)
	memory.add("goroutines, with those that answer the question", goroutines, "")
	return started, memory, nil
}

func memoryTable(rest residence) *table {
	t := &table{heading: "At rest: defaults, admin port open, no connection", columns: []string{"", "measured", "budget"},
		note: "Pages of the binary are shared by all sidecars of a node, and the kernel can drop them."}
	t.add("resident memory", mebibytes(rest.resident), within(rest.resident <= residentBudget, mebibytes(residentBudget)))
	t.add("  of it, the process's own", mebibytes(rest.anonymous), "")
	t.add("  of it, pages of the binary", mebibytes(rest.resident-rest.anonymous), "")
	if rest.proportion > 0 {
		t.add("proportional (Pss)", mebibytes(rest.proportion), "")
	}
	t.add("at most so far", mebibytes(rest.peak), "")
	t.add("threads", fmt.Sprint(rest.threads), "")
	return t
}

func initTable(inits []initialization) *table {
	t := &table{heading: "Before main: the packages that do most", columns: []string{"package", "ms", "KiB", "allocations"}}
	var total initialization
	for i, one := range inits {
		if i < shownInits {
			t.add(one.name, fmt.Sprintf("%.3f", one.clock), fmt.Sprintf("%.1f", float64(one.bytes)/1024), fmt.Sprint(one.allocs))
		}
		total.clock += one.clock
		total.bytes += one.bytes
		total.allocs += one.allocs
	}
	t.add(fmt.Sprintf("all %d", len(inits)), fmt.Sprintf("%.3f", total.clock), fmt.Sprintf("%.1f", float64(total.bytes)/1024), fmt.Sprint(total.allocs))
	return t
}

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

func spread(all []time.Duration) string {
	return milliseconds(slices.Min(all)) + "–" + milliseconds(slices.Max(all))
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }
func megabytes(n int64) string            { return fmt.Sprintf("%.2f MB", float64(n)/1e6) }
func mebibytes(n int64) string            { return fmt.Sprintf("%.2f MiB", float64(n)/(1<<20)) }

// within says whether a budget is kept.
func within(kept bool, budget string) string {
	if kept {
		return "≤ " + budget
	}
	return "ABOVE " + budget
}
