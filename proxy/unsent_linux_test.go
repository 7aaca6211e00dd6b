package proxy

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

func TestTheKernelHoldsLittleOfWhatAClientDoesNotTake(t *testing.T) {
	s := &Server{config: environment(t, "MTLS_LISTEN_ADDR=127.0.0.1:0")}
	listener, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	socket, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	raw, err := socket.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	var fault error
	if err := raw.Control(func(fd uintptr) {
		got, fault = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT)
	}); err != nil || fault != nil {
		t.Fatal(err, fault)
	}
	if got != maxUnsent {
		t.Errorf("TCP_NOTSENT_LOWAT of a connection: got %d, want %d", got, maxUnsent)
	}
}
