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
	if got := tcpOption(t, socket.(*net.TCPConn), unix.TCP_NOTSENT_LOWAT); got != maxUnsent {
		t.Errorf("TCP_NOTSENT_LOWAT of a connection: got %d, want %d", got, maxUnsent)
	}
}
