package main

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// strangers is how much of a core programs that are none of ours may use before a table
// says that they did: what runs beside a peer takes its turn from it.
const strangers = 0.05

// usage is what programs other than this one, and what it has started, had used by a
// moment.
type usage struct {
	at   time.Time
	used time.Duration
}

func usageNow() (usage, error) {
	used, err := othersTime(os.DirFS("/proc"), treeOf(os.Getpid()))
	if err != nil {
		return usage{}, fmt.Errorf("%w; the comparison runs on Linux alone", err)
	}
	return usage{time.Now(), used}, nil
}

// othersTime adds up what all processes but ours have used. The sum that proc_stat(5)
// has is no help: it is sampled, and counts the interrupts that our load makes. Kernel
// threads are left out, as they work for our load, too.
func othersTime(proc fs.FS, ours []int) (time.Duration, error) {
	processes, err := fs.ReadDir(proc, ".")
	if err != nil {
		return 0, err
	}
	var total time.Duration
	for _, one := range processes {
		pid, err := strconv.Atoi(one.Name())
		if err != nil || slices.Contains(ours, pid) {
			continue
		}
		text, err := fs.ReadFile(proc, one.Name()+"/stat")
		if err != nil || isKernelThread(pid, string(text)) {
			continue // or it has ended meanwhile
		}
		used, err := statTime(text)
		if err != nil {
			return 0, err
		}
		total += used
	}
	return total, nil
}

// kthreadd is the process that all kernel threads are children of.
const kthreadd = 2

// isKernelThread reads field 4 of proc_pid_stat(5), the parent.
func isKernelThread(pid int, stat string) bool {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	return pid == kthreadd || len(fields) > 1 && fields[1] == strconv.Itoa(kthreadd)
}

// remark says what strangers used between two looks; nothing where that was little.
func (u usage) remark(later usage) string {
	share := float64(later.used-u.used) / float64(later.at.Sub(u.at))
	if share <= strangers {
		return ""
	}
	return fmt.Sprintf("Other programs used %.0f %% of a core meanwhile: measure again on a quiet machine.\n", 100*share)
}
