package upstream

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
)

// An application that is at its limit, or about to stop: a request must not make
// connections until one holds.
func TestAnApplicationThatEndsEachConnectionIsNotDialledWithoutEnd(t *testing.T) {
	for name, goAway := range map[string]bool{"closed": false, "GOAWAY": true} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var made atomic.Int32
			var serving sync.WaitGroup
			serving.Go(func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					made.Add(1)
					framer := http2.NewFramer(conn, conn)
					_ = framer.WriteSettings()
					if goAway {
						_ = framer.WriteGoAway(0, http2.ErrCodeNo, nil)
					}
					conn.Close()
				}
			})
			t.Cleanup(func() { listener.Close(); serving.Wait() })
			h := newTestH2C(t, listener.Addr().String())
			_, err = h.Do(t.Context(), Request{Head: get("/")})
			var ended *H2CError
			if err == nil || errors.As(err, &ended) && errors.Is(err, errEndedAtOnce) && ended.Again(true) {
				t.Errorf("got %v, want an end that is no reason to ask again", err)
			}
			if n := made.Load(); n > attempts*attempts {
				t.Errorf("one request made %d connections, want %d at most", n, attempts*attempts)
			}
		})
	}
}
