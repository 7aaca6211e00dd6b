package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// startOn starts a command on one core. What a thread starts inherits its affinity
// (sched_setaffinity(2)), and what that starts as well.
func startOn(core int, cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("pinning to core %d: %w", core, err)
	}
	defer func() { _ = unix.SchedSetaffinity(0, &before) }()
	return cmd.Start()
}

// stayOn keeps this whole process on one core, until restore.
func stayOn(core int) (restore func(), err error) {
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nil, err
	}
	one.Set(core)
	if err := moveTo(&one); err != nil {
		return nil, fmt.Errorf("pinning to core %d: %w", core, err)
	}
	return func() { _ = moveTo(&before) }, nil
}

func moveTo(set *unix.CPUSet) error {
	for range 2 { // a thread may begin while the others are told
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		for _, thread := range threads {
			id, err := strconv.Atoi(thread.Name())
			if err != nil {
				continue
			}
			if err := unix.SchedSetaffinity(id, set); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
	}
	return nil
}

// cores are the first and the last that this process may use.
func cores() (first, last int, err error) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return 0, 0, err
	}
	first = -1
	for core := range len(all) * 64 {
		if all.IsSet(core) {
			if first < 0 {
				first = core
			}
			last = core
		}
	}
	if first == last {
		return 0, 0, fmt.Errorf("there is one core only: a peer would share it with its load; run it where there are two")
	}
	return first, last, nil
}

// pulse is a clock that Go's poller waits for, as exact as the kernel's timers: those
// of package time are rounded up to a millisecond while all else waits.
type pulse struct{ file *os.File }

// newPulse beats once an interval, which counts nanoseconds (timerfd_create(2)).
func newPulse(interval int64) (*pulse, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making a timer: %w", err)
	}
	beat := unix.NsecToTimespec(interval)
	if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Interval: beat, Value: beat}, nil); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("setting a timer: %w", err)
	}
	return &pulse{os.NewFile(uintptr(fd), "timerfd")}, nil
}
