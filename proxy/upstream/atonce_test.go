package upstream

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
)

func TestWritingAtOnceTakesWhatTheKernelTakes(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	pool := NewPool(Config{Network: "tcp", Address: listener.Addr().String(), ConnectTimeout: hang})
	defer pool.Close()
	c, err := pool.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	app, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	small := []byte("at once")
	if n, err := c.WriteAtOnce(small); n != len(small) || err != nil {
		t.Fatalf("of %d bytes %d are taken, %v", len(small), n, err)
	}
	all, taken := make([]byte, 64<<20), 0 // more than any socket holds
	for i := range all {
		all[i] = byte(i / 1000)
	}
	for n := 1; n > 0; taken += n {
		if n, err = c.WriteAtOnce(all[taken:]); err != nil {
			t.Fatal(err)
		}
	}
	if taken == 0 || taken == len(all) {
		t.Fatalf("of %d bytes %d are taken by an application that reads nothing", len(all), taken)
	}
	got := make([]byte, len(small)+taken)
	if _, err := io.ReadFull(app, got); err != nil || !bytes.Equal(got, append(small, all[:taken]...)) {
		t.Errorf("other bytes arrived than were taken: %v", err)
	}
	c.Close()
	if n, err := c.WriteAtOnce(small); n != 0 || err == nil {
		t.Errorf("a closed connection takes %d bytes, %v", n, err)
	}
	here, there := net.Pipe()
	defer there.Close()
	if n, err := newConn(here).WriteAtOnce(small); n != 0 || err != nil {
		t.Errorf("what is no socket takes %d bytes, %v", n, err)
	}
}
