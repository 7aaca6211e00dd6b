package proxy

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// maxUnsent is how much of an answer the kernel takes for a client before the
// client can take it, in bytes. Linux would let each socket have 4 MB (tcp_wmem), and
// under cgroup v2 that is the container's memory: sixty clients that ask for
// something large and read nothing would have it killed. What is under way is not
// bounded, so that far and fast clients lose nothing (tcp(7), TCP_NOTSENT_LOWAT).
const maxUnsent = 256 << 10

// boundUnsent sets that on a listener's socket, whose connections inherit it. A kernel
// that does not know it does without.
func boundUnsent(_, _ string, socket syscall.RawConn) error {
	return socket.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
	})
}
