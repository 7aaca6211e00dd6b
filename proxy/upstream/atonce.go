package upstream

import (
	"os"
	"syscall"
)

// offer writes to a socket what it takes, and never waits. The function is made once,
// as peeker's is.
type offer struct {
	try func(fd uintptr) bool
	p   []byte
	n   int
	err error
}

func newOffer() *offer {
	o := new(offer)
	o.try = func(fd uintptr) bool {
		for o.n, o.err = syscall.Write(int(fd), o.p); o.err == syscall.EINTR; {
			o.n, o.err = syscall.Write(int(fd), o.p)
		}
		return true
	}
	return o
}

// WriteAtOnce writes as many bytes as the kernel takes without waiting, none perhaps,
// while the deadline for writing is not over. One call may so take much, and still
// nobody waits for long with one deadline. The error is Write's.
func (c *Conn) WriteAtOnce(p []byte) (int, error) {
	if c.raw == nil {
		return 0, nil
	}
	if c.offer == nil {
		c.offer = newOffer()
	}
	o := c.offer
	o.p = p
	err := c.raw.Write(o.try)
	o.p = nil
	switch {
	case err != nil:
		return 0, err
	case o.err == syscall.EAGAIN:
		return 0, nil
	case o.err != nil:
		return 0, os.NewSyscallError("write", o.err)
	}
	return o.n, nil
}
