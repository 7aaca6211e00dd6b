package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// notifier tells a service manager how the sidecar is doing: sd_notify(3), which
// systemd reads for Type=notify and Type=notify-reload. Nil: nobody wants to know,
// and all of it does nothing. What cannot be sent is lost: the manager has its own
// timeouts, and requests matter more.
type notifier struct {
	socket string
	beat   time.Duration // how often the manager wants a sign of life; 0: never
}

// newNotifier reads NOTIFY_SOCKET, and WATCHDOG_USEC with WATCHDOG_PID
// (sd_watchdog_enabled(3)).
func newNotifier(getenv func(string) string) *notifier {
	n := &notifier{socket: getenv("NOTIFY_SOCKET")}
	if n.socket == "" || n.socket[0] != '/' && n.socket[0] != '@' { // vsock: is for whole machines
		return nil
	}
	pid := getenv("WATCHDOG_PID")
	usec, err := strconv.ParseUint(getenv("WATCHDOG_USEC"), 10, 48)
	if err == nil && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		n.beat = time.Duration(usec) * time.Microsecond / 2 // as that page recommends
	}
	return n
}

// ready says that the listener is bound, or that a reload is over.
func (n *notifier) ready(status string) { n.send("READY=1", "STATUS="+status) }

// reloading says that a reload has begun; ready has to follow. The manager goes by
// the time to tell it from one that it has not asked for.
func (n *notifier) reloading() {
	var now unix.Timespec
	if n == nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return
	}
	n.send("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000), "STATUS=reading the files again")
}

// status says what it is doing, and asks for nothing.
func (n *notifier) status(text string) { n.send("STATUS=" + text) }

// stopping says that it is about to end: from then on the manager waits no longer than
// it waits for a service that it stops itself.
func (n *notifier) stopping(status string) { n.send("STOPPING=1", "STATUS="+status) }

// watch gives signs of life until done, where they are wanted.
func (n *notifier) watch(done <-chan struct{}) {
	if n == nil || n.beat <= 0 {
		return
	}
	ticker := time.NewTicker(n.beat)
	defer ticker.Stop()
	for {
		n.send("WATCHDOG=1")
		select {
		case <-ticker.C:
		case <-done:
			return
		}
	}
}

// notifyTimeout bounds the wait for a manager that does not read.
const notifyTimeout = time.Second

// send sends assignments as one datagram. The socket is opened for each: they are
// few, and a manager that is restarted has a new one.
func (n *notifier) send(assignments ...string) {
	if n == nil {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"}) // @ is an abstract one
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(notifyTimeout))
	_, _ = conn.Write([]byte(strings.Join(assignments, "\n")))
}
