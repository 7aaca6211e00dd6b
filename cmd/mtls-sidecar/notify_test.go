package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// manager is a service manager's end of NOTIFY_SOCKET.
func manager(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// message is the next datagram.
func message(t *testing.T, from *net.UnixConn) string {
	t.Helper()
	buffer := make([]byte, 1<<12)
	n, err := from.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	return string(buffer[:n])
}

// variables are an environment's.
func variables(entries ...string) func(string) string {
	return func(name string) string {
		for _, entry := range entries {
			if value, is := strings.CutPrefix(entry, name+"="); is {
				return value
			}
		}
		return ""
	}
}

// What is sent is sd_notify(3)'s.
func TestAServiceManagerIsToldOfReadinessReloadsAndTheEnd(t *testing.T) {
	sockets := map[string]string{"a file": filepath.Join(t.TempDir(), "notify")}
	if runtime.GOOS == "linux" {
		sockets["an abstract name"] = fmt.Sprintf("@mtls-sidecar-test-%d", os.Getpid())
	}
	for name, socket := range sockets {
		t.Run(name, func(t *testing.T) {
			hears := manager(t, socket)
			n := newNotifier(variables("NOTIFY_SOCKET=" + socket))
			n.ready("serving")
			n.reloading()
			n.ready("serving")
			n.status("drained")
			n.stopping("draining")
			for _, want := range []string{
				`READY=1\nSTATUS=serving`,
				`RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]*\nSTATUS=reading the files again`,
				`READY=1\nSTATUS=serving`,
				`STATUS=drained`,
				`STOPPING=1\nSTATUS=draining`,
			} {
				if got := message(t, hears); !regexp.MustCompile(`^` + want + `$`).MatchString(got) {
					t.Errorf("got %q, want %s", got, want)
				}
			}
		})
	}
}

// systemd takes a RELOADING=1 for the answer to its SIGHUP when it is not older than
// that, by the clock of the whole system.
func TestTheTimeOfAReloadIsTheSystemsMonotonicClock(t *testing.T) {
	text, err := os.ReadFile("/proc/uptime") // with the time asleep: never less
	if err != nil {
		if os.Getenv("TEST_REQUIRE") == "1" {
			t.Fatal(err)
		}
		t.Skip("there is no /proc/uptime to compare with")
	}
	socket := filepath.Join(t.TempDir(), "notify")
	hears := manager(t, socket)
	n := newNotifier(variables("NOTIFY_SOCKET=" + socket))
	n.reloading()
	n.reloading()
	var times [2]float64
	for i := range times {
		_, rest, _ := strings.Cut(message(t, hears), "MONOTONIC_USEC=")
		usec, _, _ := strings.Cut(rest, "\n")
		if times[i], err = strconv.ParseFloat(usec, 64); err != nil {
			t.Fatal(err)
		}
	}
	later, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	bound, err := strconv.ParseFloat(strings.Fields(string(later))[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	if times[0] > times[1] || times[1] > (bound+0.01)*1e6 {
		t.Errorf("got %.0f and then %.0f µs, and the system is up for %.2f s (%s)", times[0], times[1], bound, text)
	}
}

func TestAServiceManagerGetsTheSignsOfLifeThatItWants(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	hears := manager(t, socket)
	n := newNotifier(variables("NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=20000", "WATCHDOG_PID="+strconv.Itoa(os.Getpid())))
	if n.beat != 10*time.Millisecond {
		t.Errorf("every %s, want every 10ms: half of what the manager waits", n.beat)
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		n.watch(done)
	}()
	for range 3 {
		if got := message(t, hears); got != "WATCHDOG=1" {
			t.Errorf("got %q", got)
		}
	}
	close(done)
	<-ended
}

func TestNobodyIsToldWhoDoesNotWantToKnow(t *testing.T) {
	for _, entries := range [][]string{nil, {"NOTIFY_SOCKET="}, {"NOTIFY_SOCKET=vsock:2:1234"}, {"NOTIFY_SOCKET=relative"}} {
		n := newNotifier(variables(entries...))
		if n != nil {
			t.Errorf("%q: got %+v", entries, n)
		}
		n.ready("")
		n.reloading()
		n.status("")
		n.stopping("")
		n.watch(nil)
	}
	for _, watchdog := range [][]string{
		nil, {"WATCHDOG_USEC="}, {"WATCHDOG_USEC=0"}, {"WATCHDOG_USEC=-5"}, {"WATCHDOG_USEC=soon"},
		{"WATCHDOG_USEC=20000", "WATCHDOG_PID=1"}, // another process's, handed down
	} {
		n := newNotifier(variables(append(watchdog, "NOTIFY_SOCKET="+filepath.Join(t.TempDir(), "nobody"))...))
		if n.beat != 0 {
			t.Errorf("%q: a sign of life every %s", watchdog, n.beat)
		}
		n.watch(nil)
		n.ready("") // nobody listens there, and that is all right
	}
}
