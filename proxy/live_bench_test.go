package proxy

import (
	"crypto/tls"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
	"mtls-sidecar/proxy/trust"
)

// judgedConn is a connection without a socket whose client has been judged once.
func judgedConn(t testing.TB) *conn {
	t.Helper()
	s := newSidecar(t, "http://127.0.0.1:1")
	certificate := issue(t, pki.Options{})
	c := newConn(s.Server, nil, "192.0.2.1")
	c.tls = tls.Server(nil, &tls.Config{})
	chain, err := pki.Chain(*certificate)
	if err != nil {
		t.Fatal(err)
	}
	c.peer.Store(&peer{id: trust.ChainID(chain), chain: chain})
	c.judge(time.Now())
	if c.memo.answer.page != nil || c.memo.answer.tell != "SUCCESS" {
		t.Fatalf("the client was told %q", c.memo.answer.tell)
	}
	return c
}

// TestJudgingAnUnchangedVerdictAllocatesNothing is what each request pays for
// belief that never goes stale, while nothing has changed.
func TestJudgingAnUnchangedVerdictAllocatesNothing(t *testing.T) {
	c := judgedConn(t)
	lines := &c.memo.answer.lines[0]
	now := time.Now()
	if n := testing.AllocsPerRun(1000, func() { c.judge(now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if &c.memo.answer.lines[0] != lines {
		t.Error("the verdict was reached afresh though nothing has changed")
	}
}

// BenchmarkJudgeUnchanged is one atomic load and two comparisons.
func BenchmarkJudgeUnchanged(b *testing.B) {
	c := judgedConn(b)
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		c.judge(now)
	}
}

// BenchmarkJudgeAfresh is the first request of each connection after a change: the
// chain is known, so that no signature of its certificates is checked twice.
func BenchmarkJudgeAfresh(b *testing.B) {
	c := judgedConn(b)
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		c.memo.generation = 0
		c.judge(now)
	}
}

// BenchmarkSweep is what 10,000 tunnels cost after each change, and while nothing
// changes.
func BenchmarkSweep(b *testing.B) {
	for name, changed := range map[string]bool{"changed": true, "unchanged": false} {
		b.Run(name, func(b *testing.B) {
			c := judgedConn(b)
			s := c.server
			for range 10_000 {
				other := newConn(s, nil, "")
				other.peer.Store(c.peer.Load())
				other.until.Store(c.until.Load())
				other.told.Store(true)
				other.state.Store(busy)
				s.conns.add(other)
			}
			now := time.Now()
			s.sweepOnce(now)
			b.ReportAllocs()
			for b.Loop() {
				if changed {
					s.store.Renew()
				}
				s.sweepOnce(now)
			}
		})
	}
}
