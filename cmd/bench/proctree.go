package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is USER_HZ, the unit of proc_pid_stat(5)'s times: 100 on every
// architecture that the sidecar is built for.
const ticksPerSecond = 100

// treeOf are a process and its descendants.
func treeOf(pid int) []int {
	all := []int{pid}
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return all
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue
		}
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				all = append(all, treeOf(child)...)
			}
		}
	}
	return all
}

// processorTime is what a process and its descendants have used so far, those that have
// ended included.
func processorTime(pid int) (time.Duration, error) {
	var total time.Duration
	for i, one := range treeOf(pid) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", one))
		if err != nil && i > 0 {
			continue // it has ended meanwhile
		}
		if err != nil {
			return 0, fmt.Errorf("%w; processor time is measured on Linux alone", err)
		}
		used, err := statTime(text)
		if err != nil {
			return 0, err
		}
		total += used
	}
	return total, nil
}

// statTime reads utime, stime, cutime and cstime, fields 14 to 17 of proc_pid_stat(5).
// The name, field 2, stands in brackets and may contain anything.
func statTime(text []byte) (time.Duration, error) {
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const first = 14 - 3 // the first field after the name is the third
	if len(fields) < first+4 {
		return 0, fmt.Errorf("/proc/PID/stat is too short: %q", text)
	}
	var ticks int64
	for _, field := range fields[first : first+4] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/PID/stat has a time that is no number: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / ticksPerSecond), nil
}

// memoryOf is what a process and its descendants have in memory, in bytes: Pss, so
// that what they share counts once, or VmRSS where the kernel does not tell it.
func memoryOf(pid int) (int64, error) {
	var total int64
	for i, one := range treeOf(pid) {
		r, err := readResidence(one)
		if err != nil && i == 0 {
			return 0, err
		}
		if r.proportion > 0 {
			total += r.proportion
		} else {
			total += r.resident
		}
	}
	return total, nil
}

// peakOf is the most that a process and its descendants have had in memory, in bytes, one
// by one: VmHWM.
func peakOf(pid int) int64 {
	var total int64
	for _, one := range treeOf(pid) {
		if r, err := readResidence(one); err == nil {
			total += r.peak
		}
	}
	return total
}
