package trust

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// findings are what is told of files that are read: faults that make them
// useless, and what should not stay as it is.
type findings struct {
	warnings []string
	faults   []error
}

func (f *findings) fail(err error) {
	if err != nil {
		f.faults = append(f.faults, err)
	}
}

func (f *findings) warn(path, format string, args ...any) {
	f.warnings = append(f.warnings, path+": "+fmt.Sprintf(format, args...))
}

// fileKind is what the files of a folder are read as.
type fileKind struct {
	// read reads one. other: it is something else, which is no fault beside
	// files of this kind.
	read       func(path string) (found int, other bool, err error)
	unreadable func(path string, err error) error
	none       error  // of a folder without any
	passedOver string // warning about others
}

// folder reads the files of a folder in the order of their names, links
// followed. Folders in it are passed over, and names that begin with "..":
// Kubernetes keeps a volume's versions under them.
func (f *findings) folder(path string, kind fileKind) {
	entries, err := os.ReadDir(path) // sorted by name
	if err != nil {
		f.fail(kind.unreadable(path, err))
		return
	}
	all, faults := 0, len(f.faults)
	var others []string
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "..") {
			continue
		}
		file := filepath.Join(path, entry.Name())
		info, err := os.Stat(file) // follows links
		if err != nil {
			f.fail(kind.unreadable(file, err))
			continue
		}
		if info.IsDir() {
			continue
		}
		found, other, err := kind.read(file)
		all += found
		if other {
			others = append(others, file)
		} else {
			f.fail(err)
		}
	}
	if all == 0 && len(f.faults) == faults {
		f.fail(kind.none)
		return
	}
	for _, file := range others {
		f.warn(file, "%s", kind.passedOver)
	}
}
