package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// initialization is what a package does before main.
type initialization struct {
	name   string
	clock  float64 // milliseconds
	bytes  int64   // of memory
	allocs int64
}

// traceInits runs the program's shortest command and returns what its packages do
// first, the longest at the top, each by the fastest of the rounds.
func traceInits(path string, rounds int) ([]initialization, error) {
	best := map[string]initialization{}
	for range rounds {
		cmd := exec.Command(path, "version")
		cmd.Env = []string{"GODEBUG=inittrace=1"}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("tracing the start: %w\n%s", err, stderr.Bytes())
		}
		for _, one := range parseInits(stderr.Bytes()) {
			if old, seen := best[one.name]; !seen || one.clock < old.clock {
				best[one.name] = one
			}
		}
	}
	var all []initialization
	for _, one := range best {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b initialization) int {
		switch {
		case a.clock != b.clock && a.clock > b.clock:
			return -1
		case a.clock != b.clock:
			return 1
		case a.bytes != b.bytes:
			return int(b.bytes - a.bytes)
		default:
			return strings.Compare(a.name, b.name)
		}
	})
	return all, nil
}

// parseInits reads lines of the form that package runtime documents for inittrace:
//
//	init # @#ms, # ms clock, # bytes, # allocs
func parseInits(trace []byte) (all []initialization) {
	lines := bufio.NewScanner(bytes.NewReader(trace))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 11 || fields[0] != "init" || fields[6] != "clock," {
			continue
		}
		one := initialization{name: fields[1]}
		var errs [3]error
		one.clock, errs[0] = strconv.ParseFloat(fields[4], 64)
		one.bytes, errs[1] = strconv.ParseInt(fields[7], 10, 64)
		one.allocs, errs[2] = strconv.ParseInt(fields[9], 10, 64)
		if errs == [3]error{} {
			all = append(all, one)
		}
	}
	return all
}
