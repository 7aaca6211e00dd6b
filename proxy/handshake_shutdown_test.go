package proxy

import (
	"context"
	"io"
	"os"
	"testing"

	"go.uber.org/zap/zapcore"
)

// A load balancer's TCP probes would otherwise hold up every rolling restart
// for MTLS_HANDSHAKE_TIMEOUT.
func TestAShutdownDoesNotWaitForHandshakes(t *testing.T) {
	hello := helloOf(t)
	for name, sent := range map[string][]byte{"not begun": nil, "begun": hello, "cut short": hello[:20]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each waits for the grace
			s := startSidecar(t, "http://127.0.0.1:1", "MTLS_HANDSHAKE_TIMEOUT=1h")
			conn := s.plain(t)
			if _, err := conn.Write(sent); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "the connection to be known", func() bool {
				s.conns.mu.Lock()
				defer s.conns.mu.Unlock()
				return len(s.conns.conns) == 1
			})
			ctx, cancel := context.WithTimeout(context.Background(), hang)
			defer cancel()
			if cut := s.Shutdown(ctx); ctx.Err() != nil || cut != 0 {
				t.Errorf("the shutdown waited until it was told to stop waiting (%v), and cut %d requests", ctx.Err(), cut)
			}
			if _, err := io.Copy(io.Discard, conn); os.IsTimeout(err) {
				t.Error("the connection is still open")
			}
			for _, entry := range s.logs.All() {
				if entry.Level > zapcore.DebugLevel && entry.Message != "listening" {
					t.Errorf("logged, though the client did nothing wrong: %s %v", entry.Message, entry.ContextMap())
				}
			}
		})
	}
}
