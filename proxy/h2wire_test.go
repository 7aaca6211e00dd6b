package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"
)

// wireClient is a client that speaks HTTP/2 frame by frame: it sends frames of
// any bytes, right or wrong, and hands out those that come. Nothing is read
// before a test asks for it.
type wireClient struct {
	*client
	decoder *hpack.Decoder
	tag     string // goes with every request in x-row, so that the application's side can be told apart
	failed  bool   // GOAWAY with an error has come
	ended   error  // how the connection ended, once it has
}

// The frame types of RFC 9113 §6, and flags of them.
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	framePriority     = 0x2
	frameReset        = 0x3
	frameSettings     = 0x4
	framePush         = 0x5
	framePing         = 0x6
	frameGoAway       = 0x7
	frameWindow       = 0x8
	frameContinuation = 0x9
	frameUnknown      = 0xbe // of no specification

	flagAck        = 0x1
	flagEndStream  = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

// The settings of RFC 9113 §6.5.2 and RFC 8441 §3.
const (
	settingTableSize = iota + 1
	settingPush
	settingStreams
	settingWindow
	settingFrameSize
	settingListSize
	_
	settingConnect
)

// h2preface opens every connection (RFC 9113 §3.4).
const h2preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// h2codes are the names of the error codes (RFC 9113 §7).
var h2codes = []string{"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
	"STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR",
	"ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"}

func h2code(code []byte) string {
	if n := binary.BigEndian.Uint32(code); int(n) < len(h2codes) {
		return h2codes[n]
	}
	return fmt.Sprintf("error %x", code)
}

// wireFrame is a frame that came.
type wireFrame struct {
	kind, flags byte
	stream      uint32
	payload     []byte
}

// frame is a frame as it goes on the wire, whatever it says (RFC 9113 §4.1). The
// payload is made of strings, and of numbers of 32 bits.
func frame(kind, flags byte, stream uint32, payload ...any) string {
	var p []byte
	for _, part := range payload {
		switch part := part.(type) {
		case string:
			p = append(p, part...)
		case int:
			p = binary.BigEndian.AppendUint32(p, uint32(part))
		}
	}
	return frameHead(kind, flags, stream, len(p)) + string(p)
}

// frameHead is the head of a frame whose payload has, or is said to have, a length.
func frameHead(kind, flags byte, stream uint32, length int) string {
	return string(binary.BigEndian.AppendUint32([]byte{byte(length >> 16), byte(length >> 8), byte(length), kind, flags}, stream))
}

// setting is one parameter of a SETTINGS frame (RFC 9113 §6.5.1).
func setting(id uint16, value uint32) string {
	return string(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(nil, id), value))
}

// fieldBlock encodes names and values, in pairs, as literals that enter no table, so
// that blocks do not depend on each other.
func fieldBlock(pairs ...string) string {
	var b bytes.Buffer
	encoder := hpack.NewEncoder(&b)
	for i := 0; i+1 < len(pairs); i += 2 {
		_ = encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1], Sensitive: true}) // into memory
	}
	return b.String()
}

// dialWire connects by ALPN and sends nothing yet.
func (s *sidecar) dialWire(t testing.TB, certificate *tls.Certificate) *wireClient {
	t.Helper()
	config := clientConfig(certificate)
	config.NextProtos = []string{"h2"}
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: hang}, "tcp", s.addr, config)
	if err != nil {
		t.Fatalf("connecting to the sidecar: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetWriteDeadline(time.Now().Add(hang))
	c := &client{Conn: conn, r: bufio.NewReader(conn), t: t}
	if got := c.ConnectionState().NegotiatedProtocol; got != "h2" {
		t.Fatalf("the sidecar chose %q by ALPN, want h2", got)
	}
	return &wireClient{client: c, decoder: hpack.NewDecoder(4096, nil)}
}

// openWire connects, and opens the connection with the preface and settings.
func (s *sidecar) openWire(t testing.TB, certificate *tls.Certificate, settings ...string) *wireClient {
	t.Helper()
	c := s.dialWire(t, certificate)
	c.send(h2preface, frame(frameSettings, 0, 0, strings.Join(settings, "")))
	return c
}

// send writes what the sidecar may have stopped reading: a test sees that by
// what comes back.
func (c *wireClient) send(parts ...string) {
	_, _ = io.WriteString(c.Conn, strings.Join(parts, ""))
}

// headers is a HEADERS frame that ends its block.
func (c *wireClient) headers(stream uint32, flags byte, pairs ...string) string {
	return frame(frameHeaders, flags|flagEndHeaders, stream, c.fields(pairs...))
}

// fields is a block with the tag.
func (c *wireClient) fields(pairs ...string) string {
	if c.tag != "" {
		pairs = append(pairs[:len(pairs):len(pairs)], "x-row", c.tag)
	}
	return fieldBlock(pairs...)
}

// pseudo are the fields that every request has (RFC 9113 §8.3.1), and more.
func pseudo(method, path string, more ...string) []string {
	return append([]string{":method", method, ":scheme", "https", ":authority", "h", ":path", path}, more...)
}

// get is a whole request.
func (c *wireClient) get(stream uint32, path string, more ...string) string {
	return c.headers(stream, flagEndStream, pseudo("GET", path, more...)...)
}

// post is the head of a request whose body is to follow.
func (c *wireClient) post(stream uint32, path string, more ...string) string {
	return c.headers(stream, 0, pseudo("POST", path, more...)...)
}

// next reads a frame. It reports false when the connection has ended.
func (c *wireClient) next() (wireFrame, bool) {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(hang))
	f, err := readWireFrame(c.r)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		c.t.Fatal("waited in vain for a frame")
	}
	c.ended = err
	return f, err == nil
}

func readWireFrame(r io.Reader) (wireFrame, error) {
	var head [9]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return wireFrame{}, err
	}
	f := wireFrame{head[3], head[4], binary.BigEndian.Uint32(head[5:]), make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))}
	_, err := io.ReadFull(r, f.payload)
	return f, err
}

// outcome reads until a stream or the connection has ended and says how: a
// status, "RST_STREAM code", "GOAWAY code", "closed", or what of it came one
// after the other. A reset of another stream counts as well.
func (c *wireClient) outcome(stream uint32) string {
	c.t.Helper()
	status := ""
	then := func(end string) string { return strings.TrimPrefix(status+", "+end, ", ") }
	for {
		f, ok := c.next()
		switch {
		case !ok:
			return then("closed")
		case f.kind == frameGoAway:
			code := h2code(f.payload[4:8])
			if c.failed = code != "NO_ERROR"; !c.failed && stream != 0 && binary.BigEndian.Uint32(f.payload) >= stream {
				continue // said before the answer to this very stream: the next request wants another connection
			}
			return then("GOAWAY " + code)
		case f.kind == frameReset && f.stream == stream:
			return then("RST_STREAM " + h2code(f.payload))
		case f.kind == frameReset:
			return then(fmt.Sprintf("RST_STREAM %s on stream %d", h2code(f.payload), f.stream))
		case f.kind == frameHeaders:
			if got := c.status(f); f.stream == stream && !strings.HasPrefix(got, "1") {
				status += got
			}
		}
		if (f.kind == frameHeaders || f.kind == frameData) && f.stream == stream && f.flags&flagEndStream != 0 {
			return status
		}
	}
}

// status is the answer's, or nothing for a trailer section.
func (c *wireClient) status(f wireFrame) string {
	c.t.Helper()
	fields, err := c.decoder.DecodeFull(f.payload)
	if err != nil {
		c.t.Fatalf("the sidecar's header block: %v", err)
	}
	for _, field := range fields {
		if field.Name == ":status" {
			return field.Value
		}
	}
	return ""
}

// until reads until a frame of a kind has come that has these flags.
func (c *wireClient) until(kind, flags byte) wireFrame {
	c.t.Helper()
	for {
		f, ok := c.next()
		if !ok {
			c.t.Fatalf("the connection ended (%v) before a frame of type %d came", c.ended, kind)
		}
		if f.kind == frameHeaders {
			c.status(f) // keeps the decoder's table
		}
		if f.kind == kind && f.flags&flags == flags {
			return f
		}
	}
}

// told is a value of the sidecar's first SETTINGS frame.
func (c *wireClient) told(id uint16, otherwise uint32) uint32 {
	c.t.Helper()
	for p := c.until(frameSettings, 0).payload; len(p) >= 6; p = p[6:] {
		if binary.BigEndian.Uint16(p) == id {
			return binary.BigEndian.Uint32(p[2:])
		}
	}
	return otherwise
}
