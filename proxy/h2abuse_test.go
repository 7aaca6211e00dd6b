package proxy

import (
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
)

// Clients that obey every rule of HTTP/2, or break one, over and over, to make
// work. What must hold meanwhile is the same for all: the others are served, and
// what one connection takes is bounded.

// abuse is what one client does. It goes on until its connection has ended, or so
// many times.
type abuse struct {
	name  string
	open  func(c *wireClient) // first
	unit  func(c *wireClient, i int) string
	times int
	deaf  bool    // it reads nothing
	goes  bool    // the connection goes on: this is bounded by itself
	said  string  // how it ends, in what the client reads; empty: closed
	event []Event // one of which has been counted
}

// Bounds on what a client may take with so many streams at most, whatever it
// does. Each stream has a goroutine here, one that waits for the client to go
// away, one that reads the body, and in this process one of the application's; a
// connection has four of net/http's. A stream's buffers (work) are 64 KiB, what
// waits of its body in net/http 256 KiB at most, and 1 MiB of all.
const (
	abuseStreams    = 20
	abuseGoroutines = 4*abuseStreams + 50
	abuseHeap       = 8 << 20
	// What the application is asked until enough streams have been cancelled, and by
	// those in flight then and in the same moment.
	abuseRequests = fewResets + 1 + 2*abuseStreams
)

// abusedApp answers at once, on /large with 4 MiB; on /hold it does not answer,
// and counts.
func abusedApp(t testing.TB) (*backend, *atomic.Int64) {
	t.Helper()
	held := new(atomic.Int64)
	large := "HTTP/1.1 200 OK\r\nContent-Length: 4194304\r\n\r\n" + strings.Repeat("x", 4<<20)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startBackendOn(t, listener, discarding(held, large)), held
}

// atRest is what the process holds when nothing is in flight.
func atRest() (goroutines int, heap uint64) {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return runtime.NumGoroutine(), memory.HeapAlloc
}

func (a abuse) test(t *testing.T) {
	app, held := abusedApp(t)
	s := startSidecar(t, app.url, "MTLS_HTTP2_MAX_STREAMS=20")
	other := s.openWire(t, &testCA(t).client)
	other.send(other.get(1, "/"))
	other.outcome(1)
	goroutines, heap := atRest()

	c := s.openWire(t, nil)
	if a.open != nil {
		a.open(c)
	}
	heard := make(chan string, 1)
	if !a.deaf {
		go func() { heard <- c.listen() }()
	}
	done := make(chan bool, 1)
	go func() { done <- a.commit(c) }()
	var ended, over bool
	most, stream := 0, uint32(1)
	for !over || stream < 20 {
		stream += 2
		other.send(other.get(stream, "/"))
		if got := other.outcome(stream); got != "200" {
			t.Fatalf("another client's request: %s, want 200", got)
		}
		most = max(most, runtime.NumGoroutine())
		for len(app.requests) > 0 {
			<-app.requests
		}
		select {
		case ended = <-done:
			over = true
		default:
		}
	}
	_, kept := atRest()
	if most > goroutines+abuseGoroutines {
		t.Errorf("%d goroutines at most, %d before: want at most %d more", most, goroutines, abuseGoroutines)
	}
	if kept > heap+abuseHeap {
		t.Errorf("%d bytes in use, %d before: want at most %d more", kept, heap, abuseHeap)
	}
	a.check(t, s, c, ended, heard)
	if got := held.Load(); got > abuseRequests {
		t.Errorf("the application saw %d requests that were given up, want at most %d", got, abuseRequests)
	}
}

// check looks at how it ended.
func (a abuse) check(t *testing.T, s *sidecar, c *wireClient, ended bool, heard <-chan string) {
	t.Helper()
	if a.goes {
		if ended {
			t.Error("the connection has ended, and may go on")
		}
		c.Close()
	}
	if !a.deaf {
		if said := await(t, "the connection's end", heard); a.said != "" && said != a.said {
			t.Errorf("the client was told %q, want %q", said, a.said)
		}
		c.Close() // net/http waits a second after GOAWAY, if the client does
	}
	waitFor(t, "the connection is gone", func() bool { return s.open() == 1 })
	if len(a.event) == 0 {
		return
	}
	waitFor(t, "it is counted", func() bool {
		for _, event := range a.event {
			if s.Count(event) > 0 {
				return true
			}
		}
		return false
	})
}

// commit reports whether the connection ended before all was sent.
func (a abuse) commit(c *wireClient) (ended bool) {
	var batch strings.Builder
	for i := range a.times {
		batch.WriteString(a.unit(c, i))
		if batch.Len() < 64<<10 && i < a.times-1 {
			continue
		}
		if _, err := io.WriteString(c.Conn, batch.String()); err != nil {
			return true
		}
		batch.Reset()
	}
	return false
}

// listen reads until GOAWAY with an error, which it gives, or the end of the connection.
func (c *wireClient) listen() string {
	for {
		f, err := readWireFrame(c.r)
		if err != nil {
			return ""
		}
		if f.kind == frameGoAway && h2code(f.payload[4:8]) != "NO_ERROR" {
			return h2code(f.payload[4:8])
		}
	}
}

// odd is the identifier of a client's i-th stream.
func odd(i int) uint32 { return uint32(2*i + 1) }
