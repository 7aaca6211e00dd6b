package upstream

import "syscall"

// receiveRoom is how much of an answer the kernel takes from the application before it
// is relayed, in bytes; Linux grants twice that, and less where net.core.rmem_max says
// so. By itself it would let each socket grow to 6 MB (tcp(7), tcp_rmem), and under cgroup
// v2 that is the container's memory: a hundred clients that read slowly would have it.
// Less than this costs processor time: the application waits for room more often.
const receiveRoom = 512 << 10

// boundReceived sets that on a socket before it connects.
func boundReceived(network, _ string, socket syscall.RawConn) error {
	if network == "unix" {
		return nil // what the application has sent lies on its side
	}
	return socket.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receiveRoom)
	})
}
