package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2Conn is an HTTP/2 connection of which several sessions use one stream each at a
// time. What they send at once goes out at once.
type h2Conn struct {
	conn   io.ReadWriteCloser
	wake   chan struct{} // there is something to send
	ended  chan struct{} // nobody reads any more
	done   sync.WaitGroup
	mu     sync.Mutex
	out    *bytes.Buffer
	framer *http2.Framer // writes to out
	fields *hpack.Encoder
	block  bytes.Buffer
	next   uint32
	open   map[uint32]*h2Stream
	err    error // why it ended
}

// h2Stream is a session; its connection is closed when the last one closes.
type h2Stream struct {
	on     *h2Conn
	path   string
	want   []byte
	got    int
	ok     bool
	answer chan error
}

// Windows in which no answer of ours has to wait (RFC 9113 §6.9).
const (
	streamWindow     = 1 << 24
	connectionWindow = 1 << 30
)

// newH2 connects, and returns a session for each stream.
func newH2(ctx context.Context, to target, w work) ([]session, error) {
	config := to.config.Clone()
	config.NextProtos = []string{"h2"}
	conn, err := to.dial(ctx, config)
	if err != nil {
		return nil, err
	}
	if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
		_ = conn.Close()
		return nil, fmt.Errorf("it speaks %q, want h2", got)
	}
	c := openH2(conn)
	var all []session
	for range w.streams {
		all = append(all, &h2Stream{on: c, path: w.path, want: w.answer, answer: make(chan error, 1)})
	}
	return all, nil
}

func openH2(conn io.ReadWriteCloser) *h2Conn {
	out := bytes.NewBufferString(http2.ClientPreface)
	c := &h2Conn{conn: conn, wake: make(chan struct{}, 1), ended: make(chan struct{}), out: out, framer: http2.NewFramer(out, nil), next: 1, open: map[uint32]*h2Stream{}}
	c.fields = hpack.NewEncoder(&c.block)
	// Writing to a buffer does not fail.
	_ = c.framer.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: streamWindow})
	_ = c.framer.WriteWindowUpdate(0, connectionWindow)
	c.wake <- struct{}{}
	c.done.Go(c.send)
	go func() {
		err := c.receive()
		c.mu.Lock()
		c.err = err
		for id, stream := range c.open {
			stream.answer <- err
			delete(c.open, id)
		}
		c.mu.Unlock()
		close(c.ended)
		_ = c.conn.Close()
	}()
	return c
}

// send writes what has gathered, until the connection ends.
func (c *h2Conn) send() {
	var now, spare []byte
	for {
		select {
		case <-c.ended:
			return
		case <-c.wake:
		}
		c.mu.Lock()
		now = append(spare[:0], c.out.Bytes()...)
		c.out.Reset()
		c.mu.Unlock()
		if _, err := c.conn.Write(now); err != nil {
			_ = c.conn.Close() // whoever reads will tell
			return
		}
		spare = now
	}
}

// flush has what is written sent; it goes with mu held or not.
func (c *h2Conn) flush() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (s *h2Stream) exchange() error {
	c := s.on
	s.got, s.ok = 0, false
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return c.err
	}
	c.block.Reset()
	for _, field := range [...]hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "localhost"},
		{Name: ":path", Value: s.path}, {Name: "user-agent", Value: "bench/1"}, {Name: "accept", Value: "*/*"}} {
		_ = c.fields.WriteField(field)
	}
	c.open[c.next] = s
	_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: c.next, BlockFragment: c.block.Bytes(), EndStream: true, EndHeaders: true})
	c.next += 2
	c.mu.Unlock()
	c.flush()
	return <-s.answer
}

// close ends the connection for all its sessions: they end together.
func (s *h2Stream) close() {
	_ = s.on.conn.Close()
	<-s.on.ended
	s.on.done.Wait()
}

// receive reads frames until the connection ends.
func (c *h2Conn) receive() error {
	in := http2.NewFramer(nil, bufio.NewReaderSize(c.conn, 32<<10))
	in.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	in.SetReuseFrames()
	consumed := 0
	for {
		f, err := in.ReadFrame()
		if err != nil {
			return fmt.Errorf("reading a frame: %w", err)
		}
		c.mu.Lock()
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = c.framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				_ = c.framer.WritePing(true, f.Data)
			}
		case *http2.GoAwayFrame:
			err = fmt.Errorf("GOAWAY: %s", f.ErrCode)
		case *http2.RSTStreamFrame:
			c.settle(f.StreamID, fmt.Errorf("a stream is reset: %s", f.ErrCode))
		case *http2.MetaHeadersFrame:
			c.head(f)
		case *http2.DataFrame:
			if consumed += int(f.Length); consumed >= connectionWindow/2 {
				_ = c.framer.WriteWindowUpdate(0, uint32(consumed))
				consumed = 0
			}
			c.data(f)
		}
		gathered := c.out.Len() > 0
		c.mu.Unlock()
		if err != nil {
			return err
		}
		if gathered {
			c.flush()
		}
	}
}

// settle tells a stream's session how it went, and goes with mu held.
func (c *h2Conn) settle(id uint32, err error) {
	if stream := c.open[id]; stream != nil {
		delete(c.open, id)
		stream.answer <- err
	}
}

func (c *h2Conn) head(f *http2.MetaHeadersFrame) {
	stream := c.open[f.StreamID]
	if stream == nil {
		return
	}
	if status := f.PseudoValue("status"); status != "200" {
		c.settle(f.StreamID, fmt.Errorf("answered %s", status))
		return
	}
	stream.ok = true
	if f.StreamEnded() {
		c.settle(f.StreamID, stream.verdict())
	}
}

func (c *h2Conn) data(f *http2.DataFrame) {
	stream := c.open[f.StreamID]
	if stream == nil {
		return
	}
	part := f.Data()
	if len(part) > len(stream.want)-stream.got || !bytes.Equal(part, stream.want[stream.got:stream.got+len(part)]) {
		c.settle(f.StreamID, fmt.Errorf("an answer with other bytes after %d of %d", stream.got, len(stream.want)))
		return
	}
	stream.got += len(part)
	if f.StreamEnded() {
		c.settle(f.StreamID, stream.verdict())
	}
}

func (s *h2Stream) verdict() error {
	switch {
	case !s.ok:
		return errors.New("an answer without a head")
	case s.got != len(s.want):
		return fmt.Errorf("an answer of %d bytes, want %d", s.got, len(s.want))
	}
	return nil
}
