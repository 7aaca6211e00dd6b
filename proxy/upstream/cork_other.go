//go:build !linux

package upstream

import "syscall"

// SetCork leaves other systems' ways as they are.
func SetCork(syscall.RawConn, bool) {}
