package proxy

import (
	"net"
	"os"
	"syscall"
)

// acceptRest takes the connections that stand in the kernel's queue, without
// waiting for more. Clients hold them for made, and closing the listener would reset
// them. Called right before that, next to nothing can come in between; Accept with a
// deadline would look for the last time well before.
func acceptRest(listener net.Listener, take func(net.Conn)) {
	sockets, able := listener.(syscall.Conn)
	if !able {
		return
	}
	raw, err := sockets.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		for {
			accepted, _, err := syscall.Accept4(int(fd), syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
			if err != nil {
				return // EAGAIN: it is empty
			}
			file := os.NewFile(uintptr(accepted), "")
			socket, err := net.FileConn(file)
			file.Close()
			if err == nil {
				take(socket)
			}
		}
	})
}
