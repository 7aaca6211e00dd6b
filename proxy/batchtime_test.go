package proxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// readOnce takes as much as one write of the batch, within a bubble, from a pipe.
func readOnce(t *testing.T, from net.Conn) []byte {
	t.Helper()
	buffer := make([]byte, len(batchBuffer{}))
	n, err := from.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	return buffer[:n]
}

// A timeout comes up to an eighth late, never early: see upstream.Alarm.
func TestAClientThatTakesNothingForTheSendTimeoutIsCountedOnceAndCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		b, late := newTestBatch(here)
		for range 100 { // a client that takes something now and then is not cut
			wantWritten(t, b, []byte("piece"))
			<-time.After(59 * time.Second)
			readOnce(t, there)
		}
		synctest.Wait()
		start := time.Now()
		wantWritten(t, b, []byte("last"))
		synctest.Wait() // the writer has taken it
		wantWritten(t, b, make([]byte, maxPending))
		_, err := b.Write([]byte("waits"))
		if waited := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || waited < time.Minute || waited > time.Minute+time.Minute/8 {
			t.Errorf("after %v a writer got %v; want %v after a minute or an eighth more", waited, err, os.ErrDeadlineExceeded)
		}
		synctest.Wait()
		if n, err := there.Read(make([]byte, 1)); err != io.EOF || *late != 1 {
			t.Errorf("the client gets %d bytes, %v, and %d writes were late; want the end, and 1", n, err, *late)
		}
	})
}

func TestFlushWaitsUntilAllIsWrittenAndNotLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		b, _ := newTestBatch(here)
		b.flush() // nothing to wait for
		wantWritten(t, b, []byte("first"))
		synctest.Wait()
		wantWritten(t, b, []byte("second"))
		flushed := make(chan struct{})
		go func() {
			b.flush()
			close(flushed)
		}()
		for _, want := range []string{"first", "second"} {
			synctest.Wait()
			select {
			case <-flushed:
				t.Errorf("flush did not wait for %q", want)
			default:
			}
			if got := readOnce(t, there); string(got) != want {
				t.Errorf("the client got %q, want %q", got, want)
			}
		}
		synctest.Wait()
		select {
		case <-flushed:
		default:
			t.Error("flush waits although all is written")
		}
		b.flush()
	})
}

// The last words to a client take closeTime at most, whatever MTLS_SEND_TIMEOUT says,
// and whatever has been written before.
func TestFlushTakesNoLongerThanTheTimeForLastWords(t *testing.T) {
	for _, test := range []struct {
		name   string
		before time.Duration // since the writer has begun
		more   bool          // waits behind what it writes, which the client takes after flush has begun
	}{
		{"NothingIsTaken", 0, false},
		{"NothingIsTakenForLong", 50 * time.Second, false},
		{"OneWriteIsTakenAndNotTheNext", 30 * time.Second, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				here, there := net.Pipe()
				b, late := newTestBatch(here)
				wantWritten(t, b, []byte("first"))
				synctest.Wait()
				<-time.After(test.before)
				if test.more {
					wantWritten(t, b, []byte("second"))
				}
				took := timeFlush(b)
				synctest.Wait()
				if test.more {
					readOnce(t, there)
				}
				if got := <-took; got != closeTime {
					t.Errorf("flush took %v, want %v", got, closeTime)
				}
				synctest.Wait()
				if *late != 0 {
					t.Error("counted as the end of MTLS_SEND_TIMEOUT, which has not passed")
				}
			})
		})
	}
}

func timeFlush(b *batch) <-chan time.Duration {
	took := make(chan time.Duration, 1)
	start := time.Now()
	go func() {
		b.flush()
		took <- time.Since(start)
	}()
	return took
}

// overtaken is a socket whose first deadline is set after another that was asked
// for later, unless the batch sees to it that this cannot be.
type overtaken struct {
	net.Conn
	batch *batch
	calls atomic.Int32
	other chan struct{}
	took  <-chan time.Duration
}

func (o *overtaken) SetWriteDeadline(t time.Time) error {
	if o.calls.Add(1) == 1 {
		o.took = timeFlush(o.batch)
		if o.batch.mu.TryLock() { // nothing keeps flush from coming in between
			o.batch.mu.Unlock()
			<-o.other
		}
	} else if o.other != nil {
		_ = o.Conn.SetWriteDeadline(t)
		close(o.other)
		o.other = nil
		return nil
	}
	return o.Conn.SetWriteDeadline(t)
}

func TestTheTimeForLastWordsHoldsAlsoWhenTheWriterIsJustSettingItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, _ := net.Pipe()
		o := &overtaken{Conn: here, other: make(chan struct{})}
		b, _ := newTestBatch(o)
		o.batch = b
		wantWritten(t, b, []byte("first"))
		synctest.Wait()
		if got := <-o.took; got != closeTime {
			t.Errorf("flush took %v, want %v", got, closeTime)
		}
	})
}

func TestFlushEndsWhereTheConnectionDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		b, late := newTestBatch(here)
		wantWritten(t, b, []byte("first"))
		synctest.Wait()
		wantWritten(t, b, []byte("second"))
		took := timeFlush(b)
		synctest.Wait()
		there.Close()
		if got := <-took; got != 0 || *late != 0 {
			t.Errorf("flush took %v and %d writes were late, want neither", got, *late)
		}
	})
}

// The buffers are shared by all connections: bytes of one client that reach
// another would be the worst of faults.
func TestConnectionsThatShareBuffersDoNotShareBytes(t *testing.T) {
	const conns, rounds = 8, 400
	var all sync.WaitGroup
	for c := range byte(conns) {
		here, there := net.Pipe()
		b, _ := newTestBatch(here)
		all.Go(func() {
			piece := bytes.Repeat([]byte{c}, 700)
			for range rounds {
				if _, err := b.Write(piece); err != nil {
					t.Error(err)
				}
			}
			b.flush()
			here.Close()
		})
		all.Go(func() {
			got, err := io.ReadAll(there)
			if err != nil || len(got) != rounds*700 || bytes.Count(got, []byte{c}) != len(got) {
				t.Errorf("client %d got %d bytes (%v), %d of them its own; want %d", c, len(got), err, bytes.Count(got, []byte{c}), rounds*700)
			}
		})
	}
	all.Wait()
}

// A write that another has overtaken: what the socket still has is not what the
// next writers fill.
func TestWhatIsBeingWrittenIsNotWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := holdSocket()
		b, _ := newTestBatch(h)
		for i := range byte(50) {
			wantWritten(t, b, bytes.Repeat([]byte{i}, 1000))
			taken := <-h.entered
			other, _ := newTestBatch(h) // another connection takes a buffer from the pool
			wantWritten(t, other, bytes.Repeat([]byte{0xff}, 1000))
			wantWritten(t, b, []byte("behind"))
			synctest.Wait()
			if others := <-h.entered; &others[0] == &taken[0] || &b.pending[0] == &taken[0] || &b.pending[0] == &others[0] {
				t.Fatal("two of what is being written and what waits are in one buffer")
			}
			for range 2 {
				h.outcome <- nil // heldSocket looks at the bytes again
			}
			<-h.entered
			h.outcome <- nil
			b.flush()
			other.flush()
			if b.err != nil || other.err != nil {
				t.Fatal(b.err, other.err)
			}
		}
	})
}
