package upstream

import "syscall"

// SetCork has the kernel wait with what does not fill a segment until it is taken back
// (tcp(7), TCP_CORK): several writes go out together, which saves one CPU the sending
// and the other the waking up. On a unix socket, or nil, it does nothing.
func SetCork(socket syscall.RawConn, on bool) {
	switch {
	case socket == nil:
	case on:
		_ = socket.Control(cork)
	default:
		_ = socket.Control(uncork)
	}
}

func cork(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CORK, 1) }

func uncork(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CORK, 0) }
