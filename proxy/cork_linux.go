package proxy

import "syscall"

// cork has the kernel wait with what does not fill a segment, until uncork (tcp(7),
// TCP_CORK). crypto/tls writes each record on its own: several of one large write go
// out together, which saves one CPU the sending and the other the waking up.
func (w *wire) cork() { w.control(corked) }

func (w *wire) uncork() { w.control(uncorked) }

func (w *wire) control(set func(fd uintptr)) {
	if raw := w.rawConn(); raw != nil {
		_ = raw.Control(set) // on a unix socket: an error, and nothing to do
	}
}

func corked(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CORK, 1) }

func uncorked(fd uintptr) {
	_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CORK, 0)
}
