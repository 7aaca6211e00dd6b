package proxy

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// warnSubPath tells of files that will never change here whatever happens to
// their origin: a Kubernetes subPath mount shows the file as it was when the
// container started, and so does a single file bound into a container when
// the original is replaced by renaming.
func (m *Material) warnSubPath(config *Config, mountinfo string) {
	table, err := os.Open(mountinfo)
	if err != nil {
		return // not Linux, or no /proc: nothing to tell it by
	}
	defer table.Close()
	mounts := mountPoints(table)
	var told []string
	for _, set := range fileSets {
		for _, path := range set.files(config) {
			if info, err := os.Stat(path); err != nil || info.IsDir() || slices.Contains(told, path) || !isMount(mounts, path) {
				continue
			}
			told = append(told, path)
			m.Warnings = append(m.Warnings, path+" is a mount of its own (subPath in Kubernetes): its renewal will never be seen here; mount the whole volume as a folder instead")
		}
	}
}

func isMount(mounts map[string]bool, path string) bool {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	resolved, err := filepath.EvalSymlinks(absolute)
	return mounts[absolute] || err == nil && mounts[resolved]
}

// mountPoints reads the fifth field of each line of proc_pid_mountinfo(5), in which blanks
// and backslashes are octal escapes.
func mountPoints(table io.Reader) map[string]bool {
	mounts := map[string]bool{}
	lines := bufio.NewScanner(table)
	lines.Buffer(nil, 1<<20) // overlays may have hundreds of folders
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			continue
		}
		if point, err := strconv.Unquote(`"` + strings.ReplaceAll(fields[4], `"`, `\"`) + `"`); err == nil {
			mounts[point] = true
		}
	}
	return mounts
}
