package proxy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// These tests run in bubbles of testing/synctest: there, "waits" means that nothing
// else can happen, and an hour passes at once.

// heldSocket is a socket whose writes wait until the test lets them go on.
type heldSocket struct {
	net.Conn // nil: nothing else may be called
	entered  chan []byte
	outcome  chan error

	mu       sync.Mutex
	writes   [][]byte
	deadline time.Time
	closed   int
}

func holdSocket() *heldSocket {
	return &heldSocket{entered: make(chan []byte), outcome: make(chan error)}
}

func (h *heldSocket) Write(p []byte) (int, error) {
	held := bytes.Clone(p)
	h.entered <- p
	err := <-h.outcome
	h.mu.Lock()
	defer h.mu.Unlock()
	if !bytes.Equal(p, held) {
		return 0, errors.New("the bytes were overwritten while the socket had them")
	}
	if err != nil {
		return 0, err
	}
	h.writes = append(h.writes, held)
	return len(p), nil
}

func (h *heldSocket) SetWriteDeadline(t time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deadline = t
	return nil
}

func (h *heldSocket) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed++
	return nil
}

// letAll lets every write go on until stop is closed.
func (h *heldSocket) letAll(stop <-chan struct{}) {
	for {
		select {
		case <-h.entered:
			h.outcome <- nil
		case <-stop:
			return
		}
	}
}

// wantWritten is for what must not wait or fail.
func wantWritten(t *testing.T, b *batch, p []byte) {
	t.Helper()
	if n, err := b.Write(p); n != len(p) || err != nil {
		t.Fatalf("Write gives %d, %v; want %d", n, err, len(p))
	}
}

func newTestBatch(socket net.Conn) (b *batch, late *int) {
	late = new(int)
	return newBatch(socket, time.Minute, func() { *late++ }), late
}

func TestWhatComesTogetherGoesOutTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := holdSocket()
		b, _ := newTestBatch(h)
		wantWritten(t, b, []byte("first"))
		<-h.entered // it is on its way; what comes now waits for it
		var want []byte
		for i := range 100 {
			piece := fmt.Appendf(nil, "piece %d ", i)
			want = append(want, piece...)
			wantWritten(t, b, piece)
			clear(piece) // Write may not keep it
		}
		h.outcome <- nil
		<-h.entered
		h.outcome <- nil
		b.flush()
		if len(h.writes) != 2 || string(h.writes[0]) != "first" || !bytes.Equal(h.writes[1], want) {
			t.Errorf("the socket got %q, want two writes, the second with all that had come", h.writes)
		}
	})
}

// tagged is a message of one writer: its number, a sequence number, a length, and bytes.
func tagged(writer byte, sequence uint32, size int) []byte {
	message := binary.BigEndian.AppendUint32([]byte{writer}, sequence)
	message = binary.BigEndian.AppendUint32(message, uint32(size))
	return append(message, bytes.Repeat([]byte{writer}, size)...)
}

func TestManyWritersBytesArriveWholeAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const writers, messages = 8, 300
		here, there := net.Pipe()
		b, late := newTestBatch(here)
		var writing sync.WaitGroup
		for w := range byte(writers) {
			writing.Go(func() {
				sizes := rand.New(rand.NewPCG(uint64(w), 1))
				for i := range uint32(messages) {
					// Up to the largest TLS record (RFC 8446 §5.2).
					if _, err := b.Write(tagged(w, i, sizes.IntN(16<<10+256))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		go func() {
			writing.Wait()
			b.flush()
			here.Close()
		}()
		var next [writers]uint32
		head := make([]byte, 9)
		for {
			if _, err := io.ReadFull(there, head); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			body := make([]byte, binary.BigEndian.Uint32(head[5:]))
			if _, err := io.ReadFull(there, body); err != nil {
				t.Fatal(err)
			}
			w, sequence := head[0], binary.BigEndian.Uint32(head[1:])
			if sequence != next[w] || bytes.Count(body, []byte{w}) != len(body) {
				t.Fatalf("writer %d: message %d came where %d is due, or with another's bytes", w, sequence, next[w])
			}
			next[w]++
		}
		if want := slices.Repeat([]uint32{messages}, writers); !slices.Equal(next[:], want) || *late != 0 {
			t.Errorf("messages that arrived: %d, want %d; %d writes were late", next, want, *late)
		}
	})
}

// record is as much as crypto/tls gives to a socket at once (RFC 8446 §5.1, §5.2).
const record = 5 + 16<<10 + 256

func TestAWriterWaitsForAClientThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := holdSocket()
		b, _ := newTestBatch(h)
		wantWritten(t, b, []byte("first"))
		<-h.entered
		for len(b.pending) < maxPending {
			wantWritten(t, b, make([]byte, record)) // there is room: it may not wait, or the test would end in a deadlock
		}
		full := len(b.pending)
		written := make(chan error, 20)
		for range cap(written) {
			go func() {
				_, err := b.Write(make([]byte, record))
				written <- err
			}()
		}
		synctest.Wait()
		if len(written) > 0 || len(b.pending) != full || full >= maxPending+record {
			t.Errorf("%d writers went on, and %d bytes wait; want none, and fewer than %d", len(written), len(b.pending), maxPending+record)
		}
		h.outcome <- nil // the client reads: all that waits goes out, and as much can come
		<-h.entered
		synctest.Wait()
		if want := (maxPending + record - 1) / record; len(written) != want || len(b.pending) != want*record {
			t.Errorf("%d writers went on, and %d bytes wait; want %d, and %d", len(written), len(b.pending), want, want*record)
		}
		if cap(b.pending) != len(batchBuffer{}) {
			t.Errorf("what waits has outgrown its buffer: %d bytes, want %d", cap(b.pending), len(batchBuffer{}))
		}
		stop := make(chan struct{})
		h.outcome <- nil
		go h.letAll(stop)
		for range cap(written) {
			if err := <-written; err != nil {
				t.Error(err)
			}
		}
		b.flush()
		close(stop)
	})
}

func TestAfterAWriteThatFailedAllFail(t *testing.T) {
	for _, test := range []struct {
		fault error
		late  int
	}{
		{io.ErrClosedPipe, 0},
		{os.ErrDeadlineExceeded, 1},
		{&net.OpError{Op: "write", Net: "tcp", Err: os.ErrDeadlineExceeded}, 1}, // what package net makes of it
	} {
		t.Run(fmt.Sprintf("%T", test.fault), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := holdSocket()
				b, late := newTestBatch(h)
				wantWritten(t, b, []byte("first"))
				<-h.entered
				for len(b.pending) < maxPending {
					wantWritten(t, b, make([]byte, record))
				}
				waiting := make(chan error, 3)
				for range cap(waiting) {
					go func() {
						_, err := b.Write([]byte("x"))
						waiting <- err
					}()
				}
				synctest.Wait()
				h.outcome <- test.fault
				for range cap(waiting) {
					if err := <-waiting; !errors.Is(err, test.fault) {
						t.Errorf("a writer that waited got %v, want %v", err, test.fault)
					}
				}
				if n, err := b.Write([]byte("later")); n != 0 || !errors.Is(err, test.fault) {
					t.Errorf("a later Write gives %d, %v; want %v", n, err, test.fault)
				}
				b.flush() // nothing can be waited for
				if h.closed != 1 || *late != test.late || len(h.writes) != 0 {
					t.Errorf("closed %d times, late %d times, %d writes; want 1, %d, 0", h.closed, *late, len(h.writes), test.late)
				}
			})
		})
	}
}
