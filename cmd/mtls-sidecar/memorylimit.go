package main

import (
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap"
)

// limitMemory tells Go's garbage collector of the container's memory limit, for which
// Go does not look by itself: the heap would grow to twice what is in use, and the
// kernel may end the process while half of that is garbage. GOMEMLIMIT, which an
// operator has set, wins.
func limitMemory(log *zap.Logger) {
	if os.Getenv("GOMEMLIMIT") != "" { // as Go reads it: empty is unset
		return
	}
	limit, source := memoryLimit(os.DirFS("/"))
	if source == "" {
		return
	}
	goal := limit / 100 * heapShare
	debug.SetMemoryLimit(goal)
	log.Info("memory limit", zap.Int64("go_bytes", goal), zap.Int64("limit_bytes", limit), zap.String("source", source))
}

// heapShare is how many hundredths of the limit are for what Go counts; the rest is
// for what the kernel counts and Go does not: the binary's own pages, sockets.
const heapShare = 90

// memoryHierarchy is a tree of control groups that may bound memory.
type memoryHierarchy struct {
	controllers string   // as /proc/self/cgroup names it, see cgroups(7)
	mounts      []string // where it is mounted by convention
	file        string   // the limit's, in each group's folder
}

// hierarchies are version 2, alone or beside version 1, and version 1. A system has
// the memory controller in one of them.
func hierarchies() []memoryHierarchy {
	return []memoryHierarchy{
		{"", []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"}, "memory.max"},
		{"memory", []string{"sys/fs/cgroup/memory"}, "memory.limit_in_bytes"},
	}
}

// unlimited is above what anybody's memory has, and below what version 1 says where
// there is no limit: the largest signed number, rounded down to a page.
const unlimited = math.MaxInt64 / 2

// memoryLimit returns the smallest memory limit in bytes of the control groups that
// this process is in, and the file that says so; no file: there is none. root is the
// file system's.
func memoryLimit(root fs.FS) (limit int64, source string) {
	limit = unlimited
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, "" // not Linux, or hidden
	}
	for line := range strings.Lines(string(groups)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3) // cgroups(7): number, controllers, path
		if len(fields) < 3 {
			continue
		}
		for _, h := range hierarchies() {
			if !slices.Contains(strings.Split(fields[1], ","), h.controllers) {
				continue
			}
			for _, file := range h.files(fields[2]) {
				if bytes, ok := limitIn(root, file); ok && bytes < limit {
					limit, source = bytes, "/"+file
				}
			}
		}
	}
	return limit, source
}

// files are those of a group and of all above it. In a container the mount may begin
// at the container's own group while the path is the machine's, or lead out of what
// is mounted (/../..): the files that are not there are passed over, and that of the
// mount counts in any case.
func (h memoryHierarchy) files(group string) (all []string) {
	for group = path.Clean("/" + group); ; group = path.Dir(group) {
		for _, mount := range h.mounts {
			all = append(all, path.Join(mount, group, h.file))
		}
		if group == "/" {
			return all
		}
	}
}

// limitIn reads one file: a number of bytes, or max.
func limitIn(root fs.FS, file string) (int64, bool) {
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return 0, false
	}
	bytes, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return bytes, err == nil && bytes > 0
}
