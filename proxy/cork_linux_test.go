package proxy

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func tcpOption(t *testing.T, socket syscall.Conn, option int) int {
	t.Helper()
	raw, err := socket.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	var fault error
	if err := raw.Control(func(fd uintptr) {
		got, fault = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, option)
	}); errors.Join(err, fault) != nil {
		t.Fatal(err, fault)
	}
	return got
}

// What stays corked comes 200 ms late.
func TestALargeAnswerLeavesNothingCorked(t *testing.T) {
	const size = 1<<20 + 1
	body := strings.Repeat("x", size)
	app := startBackend(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n"+body))
	s := startSidecar(t, app.url)
	c := s.dial(t, &testCA(t).client)
	c.send(simpleGet)
	c.keeps("GET", 200, body)
	waitFor(t, "the answer's last write to return", func() bool {
		s.conns.mu.Lock()
		defer s.conns.mu.Unlock()
		for one := range s.conns.conns {
			return tcpOption(t, one.socket.(*net.TCPConn), unix.TCP_CORK) == 0
		}
		return false
	})
}

func TestCorkIsSetAndTakenBack(t *testing.T) {
	socket, _ := sockets(t)
	w := &wire{Conn: socket}
	for _, step := range []struct {
		do   func()
		want int
	}{{w.cork, 1}, {w.uncork, 0}} {
		step.do()
		if got := tcpOption(t, socket.(*net.TCPConn), unix.TCP_CORK); got != step.want {
			t.Errorf("TCP_CORK is %d, want %d", got, step.want)
		}
	}
}
