package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// residence is what a process has in memory, in bytes: proc_pid_status(5) and
// proc_pid_smaps(5).
type residence struct {
	resident   int64 // VmRSS
	anonymous  int64 // RssAnon: its own; the rest are pages of its file, which the kernel can drop
	peak       int64 // VmHWM
	proportion int64 // Pss, which counts pages shared with others in part; 0: the kernel does not say
	threads    int64
}

// readResidence reads what the kernel says of a process.
func readResidence(pid int) (residence, error) {
	folder := "/proc/" + strconv.Itoa(pid)
	status, err := os.ReadFile(folder + "/status")
	if err != nil {
		return residence{}, fmt.Errorf("%w; memory is measured on Linux alone", err)
	}
	r := residence{
		resident: statusValue(status, "VmRSS"), anonymous: statusValue(status, "RssAnon"),
		peak: statusValue(status, "VmHWM"), threads: statusValue(status, "Threads"),
	}
	if rollup, err := os.ReadFile(folder + "/smaps_rollup"); err == nil {
		r.proportion = statusValue(rollup, "Pss")
	}
	return r, nil
}

// statusValue is a field's number, in bytes where it has a unit; 0 where there is none.
func statusValue(text []byte, name string) int64 {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		value, is := strings.CutPrefix(lines.Text(), name+":")
		if !is {
			continue
		}
		number, isKiB := strings.CutSuffix(strings.TrimSpace(value), " kB")
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil {
			return 0
		}
		if isKiB {
			n <<= 10
		}
		return n
	}
	return 0
}

// How long memory must stay as it is to count as at rest, and how often it is looked at.
const (
	restFor   = 5 * time.Second
	restLooks = 250 * time.Millisecond
)

// atRest waits until a process's memory has stayed the same for restFor.
func atRest(pid int) (residence, error) {
	again := time.NewTicker(restLooks)
	defer again.Stop()
	var last residence
	begin := time.Now()
	since := begin
	for now := range again.C {
		r, err := readResidence(pid)
		switch {
		case err != nil:
			return r, err
		case r.resident != last.resident:
			last, since = r, now
		case now.Sub(since) >= restFor:
			return r, nil
		case now.Sub(begin) > patience:
			return r, fmt.Errorf("its memory has not come to rest within %s", patience)
		}
	}
	return last, nil
}
