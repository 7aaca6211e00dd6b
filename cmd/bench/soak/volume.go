package soak

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
)

// volume is a folder whose files change, each way in turn: renamed into place, and as
// the kubelet does it (AtomicWriter), with a link ..data to a dated folder that is swapped.
type volume struct {
	folder string
	swaps  bool
	turn   int
}

// files are contents by name.
type files map[string][]byte

func newVolume(folder string, swaps bool) (*volume, error) {
	return &volume{folder: folder, swaps: swaps}, os.MkdirAll(folder, 0o700)
}

func (v *volume) at(name string) string { return filepath.Join(v.folder, name) }

// put makes these the files, those of the same name in place of the old ones; with
// swapped links they all change at one instant.
func (v *volume) put(all files) error {
	v.turn++
	if v.swaps {
		return v.swap(all)
	}
	for name, text := range all {
		fresh := filepath.Join(filepath.Dir(v.folder), filepath.Base(v.folder)+"-new")
		if err := os.WriteFile(fresh, text, 0o600); err != nil {
			return err
		}
		if err := os.Rename(fresh, v.at(name)); err != nil {
			return err
		}
	}
	return nil
}

func (v *volume) swap(all files) error {
	data := v.at("..data")
	old, oldErr := os.Readlink(data)
	dated := "..turn_" + strconv.Itoa(v.turn)
	if err := os.MkdirAll(v.at(dated), 0o700); err != nil {
		return err
	}
	for name, text := range all {
		if err := os.WriteFile(filepath.Join(v.at(dated), name), text, 0o600); err != nil {
			return err
		}
	}
	if err := errors.Join(os.Symlink(dated, data+"_tmp"), os.Rename(data+"_tmp", data)); err != nil {
		return err
	}
	for name := range all {
		if err := os.Symlink(filepath.Join("..data", name), v.at(name)); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	if oldErr != nil {
		return nil
	}
	return os.RemoveAll(v.at(old))
}
