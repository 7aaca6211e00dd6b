package upstream

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hang is how long a test waits for an event that must come.
const hang = 20 * time.Second

// pair is a pool's connection and the application's end of it.
type pair struct {
	conn *Conn
	app  net.Conn
}

// application accepts connections of a pool, over TCP or a unix socket.
type application struct {
	pool     *Pool
	accepted chan net.Conn
}

func newApplication(t *testing.T, network string, c Config) *application {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "app.sock")
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	c.Network, c.Address, c.ConnectTimeout = network, listener.Addr().String(), hang
	if c.IdleTimeout == 0 {
		c.IdleTimeout = time.Hour
	}
	a := &application{NewPool(c), make(chan net.Conn)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			socket, err := listener.Accept()
			if err != nil {
				return
			}
			a.accepted <- socket
		}
	}()
	t.Cleanup(func() {
		a.pool.Close()
		listener.Close()
		<-ended
	})
	return a
}

// dial makes a connection.
func (a *application) dial(t *testing.T) pair {
	t.Helper()
	conn, err := a.pool.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	app := <-a.accepted
	t.Cleanup(func() { conn.Close(); app.Close() })
	return pair{conn, app}
}

const unannounced = -1

func TestTheConnectionUsedLastIsUsedFirst(t *testing.T) {
	a := newApplication(t, "tcp", Config{})
	now := time.Now()
	first, second := a.dial(t), a.dial(t)
	a.pool.Put(first.conn, 1, now, unannounced)
	a.pool.Put(second.conn, 1, now, unannounced)
	for i, want := range []*Conn{second.conn, first.conn, nil} {
		if got := a.pool.Get(1, now); got != want {
			t.Errorf("Get %d: got another connection than wanted", i)
		}
	}
}

func TestAHintFindsItsOwnConnectionFirstAndOthersAfter(t *testing.T) {
	a := newApplication(t, "tcp", Config{})
	now := time.Now()
	var made []*Conn
	for hint := range uint32(3) {
		made = append(made, a.dial(t).conn)
		a.pool.Put(made[hint], hint, now, unannounced)
	}
	if a.pool.Get(1, now) != made[1] {
		t.Error("a hint does not find the connection that was put with it")
	}
	if a.pool.Get(1, now) == nil || a.pool.Get(7, now) == nil || a.pool.Get(0, now) != nil {
		t.Error("two connections are left, and any hint must find them")
	}
}

func TestOnlyAConnectionThatWasKeptCountsAsReused(t *testing.T) {
	a := newApplication(t, "tcp", Config{})
	now := time.Now()
	p := a.dial(t)
	if p.conn.Reused() {
		t.Error("a fresh connection says that it was used before")
	}
	a.pool.Put(p.conn, 0, now, unannounced)
	if got := a.pool.Get(0, now); got == nil || !got.Reused() {
		t.Error("a kept connection does not say that it was used before")
	}
}

func TestAConnectionIsKeptForItsTime(t *testing.T) {
	const idle = 10 * time.Second
	for _, test := range []struct {
		what       string
		announced  time.Duration
		lastUseful time.Duration // -1: it is not kept at all
	}{
		{"nothing announced", unannounced, idle - 1},
		{"more announced", time.Minute, idle - 1},
		{"less announced", 5 * time.Second, 4*time.Second - 1},
		{"a second announced", time.Second, -1},
		{"nothing left", 0, -1},
	} {
		for _, after := range []time.Duration{0, max(test.lastUseful, 0), test.lastUseful + 1} {
			a := newApplication(t, "tcp", Config{IdleTimeout: idle})
			now := time.Now()
			p := a.dial(t)
			a.pool.Put(p.conn, 0, now, test.announced)
			got := a.pool.Get(0, now.Add(after)) != nil
			if want := after <= test.lastUseful; got != want {
				t.Errorf("%s: usable after %s is %t, want %t", test.what, after, got, want)
			}
			if !got {
				wantClosed(t, p.app)
			}
			if n := a.pool.Idle(); n != 0 {
				t.Errorf("%s: %d connections are counted", test.what, n)
			}
		}
	}
}

// wantClosed waits for the end of a connection.
func wantClosed(t *testing.T, app net.Conn) {
	t.Helper()
	_ = app.SetReadDeadline(time.Now().Add(hang))
	if n, err := app.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read %d bytes (%v), want the connection closed", n, err)
	}
}

func TestNoMoreThanMaxIdleAreKept(t *testing.T) {
	a := newApplication(t, "tcp", Config{MaxIdle: 2})
	now := time.Now()
	var last pair
	for hint := range uint32(3) {
		last = a.dial(t)
		a.pool.Put(last.conn, hint, now, unannounced)
	}
	if n := a.pool.Idle(); n != 2 {
		t.Errorf("%d are kept, want 2", n)
	}
	wantClosed(t, last.app)
}

func TestAConnectionWithAnythingToReadIsNotGivenOut(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for what, spoil := range map[string]func(net.Conn){
			"closed":      func(app net.Conn) { app.Close() },
			"half closed": func(app net.Conn) { _ = app.(interface{ CloseWrite() error }).CloseWrite() },
			"a byte":      func(app net.Conn) { _, _ = app.Write([]byte("x")) },
			"reset": func(app net.Conn) {
				if tcp, ok := app.(*net.TCPConn); ok {
					_ = tcp.SetLinger(0)
				}
				app.Close()
			},
		} {
			a := newApplication(t, network, Config{})
			now := time.Now()
			good, bad := a.dial(t), a.dial(t)
			a.pool.Put(good.conn, 0, now, unannounced)
			spoil(bad.app)
			waitFor(t, func() bool { return !bad.conn.quiet() })
			a.pool.Put(bad.conn, 0, now, unannounced)
			if got := a.pool.Get(0, now); got != good.conn {
				t.Errorf("%s, %s: got another connection than the good one", network, what)
			}
			if n := a.pool.Idle(); n != 0 {
				t.Errorf("%s, %s: %d connections are still counted", network, what, n)
			}
		}
	}
}

func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(hang); !holds(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}

func TestLookingAtAConnectionTakesNothingFromIt(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		p := newApplication(t, network, Config{}).dial(t)
		if !p.conn.quiet() {
			t.Errorf("%s: a connection with nothing to read is not quiet", network)
		}
		_, _ = p.app.Write([]byte("xy"))
		waitFor(t, func() bool { return !p.conn.quiet() })
		got := make([]byte, 2)
		if _, err := io.ReadFull(p.conn, got); err != nil || string(got) != "xy" {
			t.Errorf("%s: read %q (%v), want xy", network, got, err)
		}
		if !p.conn.quiet() {
			t.Errorf("%s: it is not quiet again", network)
		}
	}
}

func TestCloseClosesWhatIsKeptAndKeepsNoMore(t *testing.T) {
	a := newApplication(t, "tcp", Config{})
	now := time.Now()
	kept, late := a.dial(t), a.dial(t)
	a.pool.Put(kept.conn, 3, now, unannounced)
	a.pool.Close()
	wantClosed(t, kept.app)
	a.pool.Put(late.conn, 3, now, unannounced)
	wantClosed(t, late.app)
	if n := a.pool.Idle(); n != 0 || a.pool.Get(3, now) != nil {
		t.Errorf("%d connections are left", n)
	}
}

func TestTheJanitorClosesWhatNobodyAsksFor(t *testing.T) {
	a := newApplication(t, "tcp", Config{IdleTimeout: 20 * time.Millisecond})
	for range 2 { // it wakes again after it has rested
		first, second := a.dial(t), a.dial(t)
		a.pool.Put(first.conn, 0, time.Now(), unannounced)
		a.pool.Put(second.conn, 1, time.Now(), unannounced)
		wantClosed(t, first.app)
		wantClosed(t, second.app)
		waitFor(t, func() bool { return a.pool.Idle() == 0 })
	}
}

func TestADialThatFailsIsAnError(t *testing.T) {
	p := NewPool(Config{Network: "unix", Address: filepath.Join(t.TempDir(), "none"), ConnectTimeout: hang})
	if _, err := p.Dial(context.Background()); err == nil {
		t.Error("want an error")
	}
}
