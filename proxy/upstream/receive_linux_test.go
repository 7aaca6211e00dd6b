package upstream

import (
	"context"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

// An application that sends as fast as it can, and a client that takes much of it and
// then nothing: Linux would have widened the socket's room to several MB meanwhile.
func TestTheKernelTakesOnlySoMuchOfAnAnswer(t *testing.T) {
	const large = 64 << 20
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var app sync.WaitGroup
	defer app.Wait()
	defer listener.Close()
	app.Go(func() {
		app, err := listener.Accept()
		if err != nil {
			return
		}
		defer app.Close()
		_, _ = app.Write(make([]byte, large))
	})
	pool := NewPool(Config{Network: "tcp", Address: listener.Addr().String(), ConnectTimeout: time.Minute, IdleTimeout: time.Minute})
	defer pool.Close()
	c, err := pool.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	buffer := make([]byte, 256<<10)
	for taken := 0; taken < large/2; {
		n, err := io.ReadAtLeast(c, buffer, 1)
		if err != nil {
			t.Fatal(err)
		}
		taken += n
	}
	got := 0
	if err := c.raw.Control(func(fd uintptr) {
		got, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF)
	}); err != nil {
		t.Fatal(err)
	}
	if err != nil || got > 2*receiveRoom {
		t.Errorf("the socket has room for %d bytes, %v; want at most %d", got, err, 2*receiveRoom)
	}
}
