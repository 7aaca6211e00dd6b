//go:build !linux

package main

import (
	"errors"
	"os"
	"os/exec"
)

// errNotLinux is for everything that asks the kernel.
func errNotLinux() error { return errors.New("the comparison runs on Linux alone") }

func startOn(int, *exec.Cmd) error           { return errNotLinux() }
func stayOn(int) (restore func(), err error) { return nil, errNotLinux() }
func cores() (first, last int, err error)    { return 0, 0, errNotLinux() }

type pulse struct{ file *os.File }

func newPulse(int64) (*pulse, error) { return nil, errNotLinux() }
