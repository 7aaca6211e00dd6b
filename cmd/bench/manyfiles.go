package main

import "syscall"

// manyFiles is what a peer needs with manyConnections, each of which may need one to
// the application.
const manyFiles = 1 << 16

// allowManyFiles raises this process's limit, and so that of all that it starts, to
// what it is allowed; root may allow itself more.
func allowManyFiles() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Max < manyFiles && syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: manyFiles, Max: manyFiles}) == nil {
		return nil
	}
	limit.Cur = limit.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}
