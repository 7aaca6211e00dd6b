//go:build !race

package proxy

import (
	"crypto/tls"
	"net"
	"runtime"
	"testing"
)

// A race build allocates in places of its own.

func TestASmallRequestIsRelayedWithoutAllocation(t *testing.T) {
	bare := allocations(t, newFixedClient(t, bareTLS(t, smallAnswer), curlGet, len(smallAnswer)).exchange)
	for _, test := range []struct {
		what, request, answer string
		relayed               int
	}{
		{"curl", curlGet, smallAnswer, smallRelayed},
		{"a browser", browserGet, smallAnswer, smallRelayed},
		{"an answer in chunks", curlGet, chunkedAnswer, chunkedRelayed},
	} {
		t.Run(test.what, func(t *testing.T) {
			app := fixedBackend(t, test.answer)
			got := allocations(t, newFixedClient(t, startSidecar(t, app), test.request, test.relayed).exchange)
			// The rest is what the runtime does now and then, not per request.
			if got > bare+0.05 {
				t.Errorf("%.2f allocations per request, where bare crypto/tls makes %.2f", got, bare)
			}
		})
	}
}

// allocations counts those of the whole process for one exchange: client,
// sidecar and application.
func allocations(t *testing.T, exchange func() error) float64 {
	t.Helper()
	const rounds = 2000
	run := func() {
		for range rounds {
			if err := exchange(); err != nil {
				t.Fatal(err)
			}
		}
	}
	run() // pools fill, the verdict is made
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run()
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / rounds
}

// bareTLS answers each read with fixed bytes: what crypto/tls itself allocates
// (one small object for each record read from a socket, as of Go 1.26) is not
// the relay's.
func bareTLS(t *testing.T, answer string) *sidecar {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{testCA(t).server}, DynamicRecordSizingDisabled: true}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		socket, err := listener.Accept()
		if err != nil {
			return
		}
		defer socket.Close()
		conn := tls.Server(socket, config)
		buffer, reply := make([]byte, 16<<10), []byte(answer)
		for {
			if _, err := conn.Read(buffer); err != nil {
				return
			}
			if _, err := conn.Write(reply); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-ended
	})
	return &sidecar{addr: listener.Addr().String()}
}
