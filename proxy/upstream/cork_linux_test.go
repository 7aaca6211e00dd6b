package upstream

import (
	"context"
	"net"
	"syscall"
	"testing"
)

func TestCorkIsSetAndTakenBack(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	pool := NewPool(Config{Network: "tcp", Address: listener.Addr().String(), ConnectTimeout: hang})
	c, err := pool.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, step := range []struct {
		do   func()
		want int
	}{{c.Cork, 1}, {c.Uncork, 0}} {
		step.do()
		got := -1
		if err := c.raw.Control(func(fd uintptr) { got, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CORK) }); err != nil {
			t.Fatal(err)
		}
		if err != nil || got != step.want {
			t.Errorf("TCP_CORK is %d, %v; want %d", got, err, step.want)
		}
	}
}
