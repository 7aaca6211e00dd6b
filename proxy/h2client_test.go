package proxy

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2client is the client's side of an HTTP/2 connection to which a test speaks
// HTTP/1.1: what is written goes out as frames, and what comes back is read as
// answers of HTTP/1.1, in the order of the requests. It is lenient: it passes on
// what the test says, well-formed or not, as far as HTTP/2 has words for it.
type h2client struct {
	t      testing.TB
	conn   *tls.Conn
	clean  func() bool // the connection has ended with close_notify
	done   chan struct{}
	framer *http2.Framer // to write with, under writing
	block  bytes.Buffer
	fields *hpack.Encoder

	writing sync.Mutex
	text    []byte     // of HTTP/1.1, not yet sent
	sending *h2upload  // the request whose body is being sent
	speak   sync.Mutex // one writer of HTTP/1.1 at a time

	mu      sync.Mutex
	news    *sync.Cond
	nextID  uint32
	window  int64 // for all streams
	initial int64 // of a new stream
	most    uint32
	largest int
	streams map[uint32]*h2stream // that have not ended on both sides
	answers []*h2stream          // that have not been read to their ends, in the order of the requests
	leaving bool                 // GOAWAY has come
	last    bool                 // the test itself has asked to close
	enough  bool                 // the test reads no further than the answers to what it has sent
	end     error                // of the connection; nil: it goes on
	pings   byte                 // that were answered
}

// h2stream is one request and its answer.
type h2stream struct {
	id     uint32
	method string
	last   bool  // the test has asked for Connection: close
	window int64 // left for the request's body
	sent   bool  // all of the request
	stuck  bool  // no more of the request's body is wanted

	text    bytes.Buffer // the answer, in HTTP/1.1
	final   bool         // its head has come
	chunked bool
	length  int64 // -1: not told
	got     int64
	owed    int64 // bytes taken from our window and not given back
	ended   bool
	fault   error // it did not end well
}

// The windows that we give: of a stream what RFC 9113 §6.9.2 begins with, so that a test
// that does not read stops the sidecar; of the connection so much that no
// stream waits for another.
const ourWindow = 1 << 30

func newH2Client(t testing.TB, conn *tls.Conn, clean func() bool) *h2client {
	t.Helper()
	h := &h2client{t: t, conn: conn, clean: clean, done: make(chan struct{}), nextID: 1, window: 65535, initial: 65535,
		most: 100, largest: 16384, streams: map[uint32]*h2stream{}}
	h.news = sync.NewCond(&h.mu)
	h.fields = hpack.NewEncoder(&h.block)
	h.framer = http2.NewFramer(conn, nil)
	h.framer.AllowIllegalWrites = true
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatalf("sending the preface: %v", err)
	}
	if err := errors.Join(h.framer.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0}), h.framer.WriteWindowUpdate(0, ourWindow-65535)); err != nil {
		t.Fatalf("sending the settings: %v", err)
	}
	go h.receive()
	t.Cleanup(func() {
		conn.Close()
		<-h.done
	})
	return h
}

// Read gives the answers in HTTP/1.1. Between two of them it waits for the next
// request, and it ends when the server has said that none will be served.
func (h *h2client) Read(p []byte) (int, error) {
	h.mu.Lock()
	for {
		if len(h.answers) == 0 {
			if h.end != nil || h.leaving || h.last || h.enough {
				err := h.end
				if err == nil || h.last || h.enough {
					err = io.EOF
				}
				h.mu.Unlock()
				return 0, err
			}
			h.news.Wait()
			continue
		}
		s := h.answers[0]
		if s.text.Len() > 0 {
			n, _ := s.text.Read(p)
			credit := min(int64(n), s.owed)
			if s.text.Len() == 0 {
				credit = s.owed
			}
			s.owed -= credit
			ended := s.ended
			h.mu.Unlock()
			h.credit(s.id, uint32(credit), ended)
			return n, nil
		}
		if !s.ended {
			h.news.Wait()
			continue
		}
		h.answers = h.answers[1:]
		h.last = h.last || s.last && s.fault == nil
		if s.fault != nil {
			h.mu.Unlock()
			return 0, s.fault
		}
	}
}

// credit gives back what was taken from our windows.
func (h *h2client) credit(id, n uint32, ended bool) {
	if n == 0 {
		return
	}
	h.writing.Lock()
	defer h.writing.Unlock()
	_ = h.framer.WriteWindowUpdate(0, n)
	if !ended {
		_ = h.framer.WriteWindowUpdate(id, n)
	}
}

// waiting reports whether answers are still to come or to be read.
func (h *h2client) waiting() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.answers {
		if !s.ended || s.text.Len() > 0 || s.fault != nil {
			return true
		}
	}
	return false
}

// rest reads what is still to come of the answers to what was sent; where
// nothing is, it waits for the end of the connection.
func (h *h2client) rest(r io.Reader, buffered func() int) (string, error) {
	if !h.waiting() && buffered() == 0 {
		all, err := io.ReadAll(r)
		return string(all), err
	}
	h.readsEnough(true)
	defer h.readsEnough(false)
	all, err := io.ReadAll(r)
	return string(all), err
}

func (h *h2client) readsEnough(enough bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.enough = enough
}

// settled waits until the server has answered a PING, behind all that it had to say by
// now, and reports whether it has told us to go.
func (h *h2client) settled() bool {
	for range 2 { // net/http's loop may take what comes in before what it has to send
		h.mu.Lock()
		want := h.pings + 1
		h.mu.Unlock()
		h.writing.Lock()
		err := h.framer.WritePing(false, [8]byte{want})
		h.writing.Unlock()
		h.mu.Lock()
		for err == nil && h.end == nil && h.pings != want && !h.leaving {
			h.news.Wait()
		}
		leaving := h.leaving || h.end != nil
		h.mu.Unlock()
		if leaving {
			return true
		}
	}
	return false
}
