package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// strangers is how much of a core programs that are none of ours may use before a table
// says that they did: what runs beside a peer takes its turn from it.
const strangers = 0.05

// usage is what the machine's processors have done so far.
type usage struct {
	at   time.Time
	all  time.Duration // by everybody
	ours time.Duration // by this process and all that it started
}

func usageNow() (usage, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return usage{}, fmt.Errorf("%w; the comparison runs on Linux alone", err)
	}
	all, err := busyTime(string(text))
	if err != nil {
		return usage{}, err
	}
	ours, err := processorTime(os.Getpid())
	return usage{time.Now(), all, ours}, err
}

// busyTime adds up user, nice and system of the first line of proc_stat(5): what
// programs used. Interrupts are the load's own, since its packets go over loopback.
func busyTime(text string) (time.Duration, error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("/proc/stat does not begin with the processors' times: %q", line)
	}
	var ticks int64
	for _, field := range fields[1:4] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/stat has a time that is no number: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / ticksPerSecond), nil
}

// remark says what strangers used between two looks; nothing where that was little.
func (u usage) remark(later usage) string {
	share := float64((later.all-u.all)-(later.ours-u.ours)) / float64(later.at.Sub(u.at))
	if share <= strangers {
		return ""
	}
	return fmt.Sprintf("Other programs used %.0f %% of a core meanwhile: measure again on a quiet machine.\n", 100*share)
}
