package upstream

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// framerApp is an application that says exactly the frames it is told to. Each
// connection is given to the test, which plays the application on it.
type framerApp struct {
	t        *testing.T
	address  string
	accepted chan net.Conn
}

func startFramerApp(t *testing.T) *framerApp {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	app := &framerApp{t, listener.Addr().String(), make(chan net.Conn, 100)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			socket, err := listener.Accept()
			if err != nil {
				return
			}
			app.accepted <- socket
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-ended
	})
	return app
}

// framerConn is the application's end of one connection.
type framerConn struct {
	net.Conn
	*http2.Framer
	t       *testing.T
	encoded bytes.Buffer
	encoder *hpack.Encoder
	resets  int // streams that were reset and nobody waited for it
}

// raw waits for a connection on which nothing has been said.
func (a *framerApp) raw() *framerConn {
	a.t.Helper()
	select {
	case socket := <-a.accepted:
		a.t.Cleanup(func() { socket.Close() })
		_ = socket.SetDeadline(time.Now().Add(hang))
		c := &framerConn{Conn: socket, Framer: http2.NewFramer(socket, socket), t: a.t}
		c.AllowIllegalWrites = true
		c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		c.encoder = hpack.NewEncoder(&c.encoded)
		return c
	case <-time.After(hang):
		a.t.Fatal("nobody connected")
		return nil
	}
}

// greeted waits for a connection and begins HTTP/2 on it.
func (a *framerApp) greeted(settings ...http2.Setting) *framerConn {
	a.t.Helper()
	c := a.raw()
	c.readPreface()
	c.check(c.WriteSettings(settings...))
	c.check(c.WriteSettingsAck())
	return c
}

func (c *framerConn) readPreface() {
	c.t.Helper()
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(c.Conn, preface); err != nil || string(preface) != http2.ClientPreface {
		c.t.Fatalf("the connection begins with %q (%v)", preface, err)
	}
}

func (c *framerConn) check(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// asked is a request as it stands on the wire.
type asked struct {
	stream uint32
	fields []string // "name: value", in order
	ended  bool
}

// value is that of the one field of the name; "none" if there is not exactly one.
func (r asked) value(name string) string {
	found, count := "", 0
	for _, field := range r.fields {
		if value, ok := strings.CutPrefix(field, name+": "); ok {
			found, count = value, count+1
		}
	}
	if count != 1 {
		return "none"
	}
	return found
}

// until reads frames up to the first that is wanted.
func (c *framerConn) until(what string, wanted func(http2.Frame) bool) http2.Frame {
	c.t.Helper()
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			c.t.Fatalf("waiting for %s: %v", what, err)
		}
		if wanted(frame) {
			return frame
		}
		if frame.Header().Type == http2.FrameRSTStream {
			c.resets++
		}
		if ping, is := frame.(*http2.PingFrame); is && !ping.IsAck() {
			_ = c.WritePing(true, ping.Data)
		}
	}
}

func (c *framerConn) request() asked {
	c.t.Helper()
	frame := c.until("a request", func(f http2.Frame) bool { _, is := f.(*http2.MetaHeadersFrame); return is })
	headers := frame.(*http2.MetaHeadersFrame)
	r := asked{stream: headers.StreamID, ended: headers.StreamEnded()}
	for _, f := range headers.Fields {
		r.fields = append(r.fields, f.Name+": "+f.Value)
	}
	return r
}

// body reads DATA up to the end of the stream, and the trailers.
func (c *framerConn) body() (content string, trailers []string, frames int) {
	c.t.Helper()
	for {
		frame := c.until("the body", func(f http2.Frame) bool {
			return f.Header().Type == http2.FrameData || f.Header().Type == http2.FrameHeaders
		})
		switch f := frame.(type) {
		case *http2.DataFrame:
			content += string(f.Data())
			frames++
			if f.StreamEnded() {
				return content, nil, frames
			}
		case *http2.MetaHeadersFrame:
			for _, field := range f.Fields {
				trailers = append(trailers, field.Name+": "+field.Value)
			}
			if !f.StreamEnded() {
				c.t.Fatal("trailers do not end the stream")
			}
			return content, trailers, frames
		}
	}
}

// reset waits for RST_STREAM.
func (c *framerConn) reset(stream uint32) http2.ErrCode {
	c.t.Helper()
	frame := c.until("RST_STREAM", func(f http2.Frame) bool {
		return f.Header().Type == http2.FrameRSTStream && f.Header().StreamID == stream
	})
	return frame.(*http2.RSTStreamFrame).ErrCode
}

// headers sends a field block; each field is "name: value".
func (c *framerConn) headers(stream uint32, end bool, fields ...string) {
	c.t.Helper()
	c.encoded.Reset()
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		if strings.HasPrefix(field, ":") { // a pseudo-field
			name, value, _ = strings.Cut(field[1:], ": ")
			name = ":" + name
		}
		c.check(c.encoder.WriteField(hpack.HeaderField{Name: name, Value: value}))
	}
	block := c.encoded.Bytes()
	for first := true; first || len(block) > 0; first = false {
		part := block[:min(len(block), 16<<10)]
		block = block[len(part):]
		if first {
			c.check(c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: part, EndStream: end, EndHeaders: len(block) == 0}))
		} else if c.WriteContinuation(stream, len(block) == 0, part) != nil {
			return // the other side has had enough
		}
	}
}

func (c *framerConn) data(stream uint32, end bool, content string) {
	c.t.Helper()
	c.check(c.WriteData(stream, end, []byte(content)))
}

// h2c makes an H2C that goes to an address.
func newTestH2C(t *testing.T, address string, change ...func(*H2CConfig)) *H2C {
	t.Helper()
	c := H2CConfig{MaxHeader: 32 << 10}
	c.Network, c.Address, c.ConnectTimeout, c.IdleTimeout = "tcp", address, hang, time.Hour
	for _, f := range change {
		f(&c)
	}
	h := NewH2C(c)
	t.Cleanup(h.Close)
	return h
}

// done is what Do has come to.
type done struct {
	answer *Answer
	err    error
}

// do begins an exchange, and gives what it comes to.
func do(t *testing.T, h *H2C, r Request) <-chan done {
	result := make(chan done, 1)
	go func() {
		a, err := h.Do(t.Context(), r)
		if err == nil {
			t.Cleanup(a.Close)
		}
		result <- done{a, err}
	}()
	return result
}

// wait waits for an event, which must come.
func wait[T any](t *testing.T, events <-chan T) T {
	t.Helper()
	select {
	case event := <-events:
		return event
	case <-time.After(hang):
		t.Fatal("waited in vain")
	}
	var none T
	return none
}

// get is the head of a request; more are fields, each "Name: value".
func get(target string, more ...string) []byte { return head("GET", target, more...) }

func head(method, target string, more ...string) []byte {
	text := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: h\r\n", method, target)
	for _, field := range more {
		text += field + "\r\n"
	}
	return []byte(text + "\r\n")
}

// read reads an answer's body to its end.
func read(t *testing.T, a *Answer) string {
	t.Helper()
	content, err := io.ReadAll(a)
	if err != nil {
		t.Errorf("the body breaks off: %v", err)
	}
	return string(content)
}
