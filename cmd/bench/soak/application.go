package soak

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// application is what stands behind the sidecar: it answers what requests ask for in their
// targets, tells the ledger of every head, and is away at times.
type application struct {
	ledger *ledger
	faults *faults

	network string
	address string
	mu      sync.Mutex
	open    map[net.Conn]bool
	up      net.Listener // nil: it is away
	absent  []absence
	serving sync.WaitGroup
}

// absence is when it was away; the end is zero as long as it is.
type absence struct{ from, to time.Time }

// applicationAddress is on a loopback address of its own, so that no client's
// connection takes the port while the application is away.
const applicationAddress = "127.0.0.2:0"

// newApplication is one on TCP; socket, if it is not empty, is the path of a socket instead.
func newApplication(f *faults, socket string) *application {
	a := &application{faults: f, network: "tcp", address: applicationAddress, open: map[net.Conn]bool{}}
	if socket != "" {
		a.network, a.address = "unix", socket
	}
	return a
}

// url is what the sidecar is told of it.
func (a *application) url() string {
	if a.network == "unix" {
		return "unix://" + a.address
	}
	return "http://" + a.address
}

// listen comes (back) into service.
func (a *application) listen() error {
	l, err := net.Listen(a.network, a.address)
	if err != nil {
		return fmt.Errorf("the application cannot listen: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.address, a.up = l.Addr().String(), l
	if n := len(a.absent); n > 0 {
		a.absent[n-1].to = time.Now()
	}
	a.serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if !a.takes(conn, l) {
				continue
			}
			a.serving.Go(func() {
				defer a.leaves(conn)
				a.serve(conn)
			})
		}
	})
	return nil
}

func (a *application) takes(conn net.Conn, l net.Listener) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.up != l {
		_ = conn.Close()
		return false
	}
	a.open[conn] = true
	return true
}

func (a *application) leaves(conn net.Conn) {
	a.mu.Lock()
	delete(a.open, conn)
	a.mu.Unlock()
	_ = conn.Close()
}

// leave closes everything; abruptly is as when a process is killed with bytes unread.
func (a *application) leave(abruptly bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.up == nil {
		return
	}
	a.absent = append(a.absent, absence{from: time.Now()})
	_ = a.up.Close()
	a.up = nil
	for conn := range a.open {
		if tcp, is := conn.(*net.TCPConn); is && abruptly {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
	clear(a.open)
}

// wasAway reports whether it was away at any time from one to another: exactly then
// what failed is its own doing.
func (a *application) wasAway(from, to time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := len(a.absent) - 1; i >= 0; i-- {
		one := a.absent[i]
		if !one.from.After(to) && (one.to.IsZero() || !one.to.Before(from)) {
			return true
		}
	}
	return false
}

func (a *application) restarts() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.absent)
}

// restart is away for a while, and comes back.
func (a *application) restart(ctx context.Context, abruptly bool, pause time.Duration) error {
	a.leave(abruptly)
	wait(ctx, pause)
	var err error
	for range 100 {
		if err = a.listen(); err == nil {
			return nil
		}
		wait(ctx, 20*time.Millisecond)
	}
	return err
}

// stop ends it for good.
func (a *application) stop() {
	a.leave(false)
	a.serving.Wait()
}

// wait returns after a while, or false when it is not worth it any more.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
