package upstream

import "syscall"

// AckAtOnce has the kernel acknowledge what has been read until the next request is
// written, instead of waiting up to 40 ms for more to acknowledge with it (tcp(7),
// TCP_QUICKACK). A large answer's sender may have no more in flight than that: with
// BBR on loopback one in a hundred answers of 1 MiB took 20 ms for it.
func (c *Conn) AckAtOnce() {
	if c.raw != nil {
		_ = c.raw.Control(ackAtOnce) // on a unix socket: an error, and nothing to do
	}
}

func ackAtOnce(fd uintptr) {
	_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
}
