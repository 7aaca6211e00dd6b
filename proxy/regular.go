package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

var (
	errNotRegular = errors.New("is not a regular file; name the file itself")
	errDirectory  = errors.New("is not a regular file but a directory; name the file in it")
)

// openRegular opens what is a regular file, links followed. Without O_NONBLOCK
// opening a named pipe would wait for its writer, and with it every reload.
func openRegular(path string) (*os.File, fs.FileInfo, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, unreadable(err)
	}
	info, err := file.Stat()
	switch {
	case err != nil:
		err = unreadable(err)
	case info.IsDir():
		err = errDirectory
	case !info.Mode().IsRegular():
		err = errNotRegular
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// readRegular reads a file whose error already names no path, since the caller
// names it with its variable.
func readRegular(path string) ([]byte, error) {
	file, _, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, unreadable(err)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, errors.New("is empty; write it anew, or name another file")
	}
	return text, nil
}

// unreadable leaves the path out of an error, since the caller names it with its
// variable.
func unreadable(err error) error {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return fmt.Errorf("cannot be read (%w); put it there readable for this user, or name another file", err)
}
