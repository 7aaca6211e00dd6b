package upstream

import (
	"errors"
	"fmt"
	"io"
	"net"
)

// ErrNotHTTP2 is an application that answers something else than HTTP/2.
var ErrNotHTTP2 = errors.New("the application does not speak HTTP/2 on its port; use http:// for HTTP/1.1, or have it take HTTP/2 without TLS from the first byte (prior knowledge)")

var errSilent = errors.New("the application ended the connection before it said anything in HTTP/2; use http:// if it speaks HTTP/1.1")

// frameHeader is the size of what every frame begins with (RFC 9113 §4.1).
const frameHeader = 9

// h2cSocket listens to how the application begins: with its SETTINGS, which RFC
// 9113 §3.4 demands, or in another language.
type h2cSocket struct {
	net.Conn
	greeted chan struct{} // closed once the SETTINGS are heeded, or never will be
	fault   error         // why they will not; read after greeted

	// Of the reader alone.
	header [frameHeader]byte // of the first frame
	heard  int               // bytes of that frame
	over   bool              // greeted is closed
}

func newH2CSocket(c net.Conn) *h2cSocket {
	return &h2cSocket{Conn: c, greeted: make(chan struct{})}
}

// Read is called by one goroutine, which deals with all it has before it asks
// for more: when it asks again after the first frame, the SETTINGS are in force.
func (s *h2cSocket) Read(p []byte) (int, error) {
	if s.over {
		return s.Conn.Read(p)
	}
	if s.whole() {
		s.settle(nil)
		return s.Conn.Read(p)
	}
	n, err := s.Conn.Read(p)
	if !s.listen(p[:n]) {
		s.settle(ErrNotHTTP2)
		return 0, ErrNotHTTP2
	}
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		err = fmt.Errorf("%w: %w", errSilent, err)
		s.settle(err)
	}
	return n, err
}

func (s *h2cSocket) settle(fault error) {
	s.fault, s.over = fault, true
	close(s.greeted)
}

// listen takes in what has arrived of the first frame, and reports whether it
// can be what it must: SETTINGS, and no acknowledgement. The type comes after
// three bytes of length, where other protocols have letters: "HTTP".
func (s *h2cSocket) listen(b []byte) bool {
	const settings, typeAt, flagsAt, ack = 0x4, 3, 4, 0x1
	if s.heard < frameHeader {
		copy(s.header[s.heard:], b)
	}
	s.heard += len(b)
	return (s.heard <= typeAt || s.header[typeAt] == settings) && (s.heard <= flagsAt || s.header[flagsAt]&ack == 0)
}

// whole reports whether all of the first frame has been read.
func (s *h2cSocket) whole() bool {
	length := int(s.header[0])<<16 | int(s.header[1])<<8 | int(s.header[2])
	return s.heard >= frameHeader && s.heard-frameHeader >= length
}
