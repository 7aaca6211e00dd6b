package proxy

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/http1"
)

// paced is a client that is ahead for some reads, and then is waited for.
type paced struct {
	c      *conn
	body   string
	run    int // bytes that it is ahead, once it has been waited for
	first  int // of which so many come at once
	left   int
	waited []bool // whether a large buffer was held meanwhile
}

func (p *paced) Read(b []byte) (int, error) {
	if p.c.wire.atOnce && p.left == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	if !p.c.wire.atOnce {
		p.waited = append(p.waited, p.c.work.wide != nil)
		p.left = p.run
	}
	n := min(p.left, len(p.body))
	if !p.c.wire.atOnce {
		n = min(n, p.first)
	}
	n = copy(b, p.body[:n])
	p.body, p.left = p.body[n:], p.left-n
	p.c.wire.ahead = p.left > 0
	return n, nil
}

func TestAnUploadHoldsALargeBufferOnlyWhileItsClientIsAhead(t *testing.T) {
	const size, run = 1 << 20, 5 * bufferSize // one read, and a large buffer's worth
	for _, first := range []int{bufferSize, 100} {
		t.Run(fmt.Sprintf("records begin with %d bytes", first), func(t *testing.T) {
			c := newConn(newSidecar(t, "http://127.0.0.1:1").Server, &deadlineSocket{}, "")
			c.now, c.work = time.Now(), newWork(bufferSize, 2*bufferSize)
			w, app := c.work, &written{}
			body := numbers(size)
			client := &paced{c: c, body: body, run: run, first: first}
			w.client.Reset(client, w.in)
			w.upBody.Reset(&w.client, http1.Length, size)
			u := uploading(c, app)
			buffer := make([]byte, 0, bufferSize)
			if err := u.copy(buffer); err != nil || !u.whole {
				t.Fatalf("whole is %t, %v", u.whole, err)
			}
			if app.all() != body {
				t.Errorf("%d bytes arrived, not as they were sent", len(app.all()))
			}
			if want := size/run + 1; len(client.waited) != want {
				t.Errorf("the client was waited for %d times, want %d", len(client.waited), want)
			}
			for i, held := range client.waited {
				if held {
					t.Errorf("a large buffer is held during wait %d", i)
				}
			}
			if w.wide != nil {
				t.Error("a large buffer is held after the end")
			}
		})
	}
}

// What is gathered stays within the buffer lent for it.
func TestWhatAnUploadGathersDoesNotGrow(t *testing.T) {
	c := newConn(newSidecar(t, "http://127.0.0.1:1").Server, &deadlineSocket{}, "")
	c.now, c.work = time.Now(), newWork(bufferSize, 2*bufferSize)
	w, app := c.work, &written{}
	const size = 100 + largeSize
	body := numbers(size)
	w.client.Reset(&paced{c: c, body: body, run: size, first: 100}, w.in)
	w.upBody.Reset(&w.client, http1.Length, size)
	u := uploading(c, app)
	if err := u.copy(make([]byte, 0, bufferSize)); err != nil || app.all() != body {
		t.Fatalf("%d bytes arrived, %v", len(app.all()), err)
	}
	if first := len(app.pieces[0]); first != 100 {
		t.Errorf("the first write has %d bytes, want the 100 that were gathered", first)
	}
}

// After an upload that failed, unread bytes stay where they are: nobody else may get
// that memory.
func TestALargeBufferWithUnreadBytesIsNotLentAgain(t *testing.T) {
	w := newWork(bufferSize, 2*bufferSize)
	body := numbers(3 * bufferSize)
	w.client.Reset(strings.NewReader(body), w.in)
	w.upBody.Reset(&w.client, http1.Length, int64(len(body)))
	w.widen()
	if err := w.client.Fill(); err != nil {
		t.Fatal(err)
	}
	w.narrow()
	for range 100 {
		other := newWork(bufferSize, 2*bufferSize)
		other.client.Reset(strings.NewReader(strings.Repeat("!", largeSize)), other.in)
		other.upBody.Reset(&other.client, http1.Length, largeSize)
		other.widen()
		_ = other.client.Fill()
	}
	if string(w.client.Buffered()) != body {
		t.Error("somebody else has written into it")
	}
}

func TestALargeBufferHasNoRoomForWhatFollowsTheBody(t *testing.T) {
	const size = bufferSize + 1
	w := newWork(bufferSize, 2*bufferSize)
	w.client.Reset(strings.NewReader(numbers(2*size)), w.in)
	w.upBody.Reset(&w.client, http1.Length, size)
	w.widen()
	if err := w.client.Fill(); err != nil || len(w.client.Buffered()) != size {
		t.Errorf("%d bytes are read, %v; want %d", len(w.client.Buffered()), err, size)
	}
}
