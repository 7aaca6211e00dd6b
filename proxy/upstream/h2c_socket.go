package upstream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// ErrNotHTTP2 is an application that answers something else than HTTP/2.
var ErrNotHTTP2 = errors.New("the application does not speak HTTP/2 on its port; use http:// for HTTP/1.1, or have it take HTTP/2 without TLS from the first byte (prior knowledge)")

var errSilent = errors.New("the application ended the connection before it said anything in HTTP/2; use http:// if it speaks HTTP/1.1")

// h2cSocket hears how the application begins: with its SETTINGS, which RFC 9113
// §3.4 demands, or in another language.
type h2cSocket struct {
	net.Conn
	closed  func()        // told of each Close: net/http closes what has ended
	greeted chan struct{} // closed once the SETTINGS are heeded, or never will be
	fault   error         // why they will not; read after greeted

	// Of the reader alone.
	begun, over bool   // over: greeted is closed
	greeting    []byte // that is still to be passed on
}

func newH2CSocket(c net.Conn, closed func()) *h2cSocket {
	return &h2cSocket{Conn: c, closed: closed, greeted: make(chan struct{})}
}

func (s *h2cSocket) Close() error {
	s.closed()
	return s.Conn.Close()
}

// Read is called by one goroutine, which deals with all it has before it asks
// for more: when it asks again after the greeting, the SETTINGS are in force.
func (s *h2cSocket) Read(p []byte) (int, error) {
	if !s.begun {
		s.begun = true
		greeting, err := s.hear()
		if err != nil {
			s.settle(err)
			return 0, err
		}
		s.greeting = greeting
	}
	if len(s.greeting) > 0 {
		n := copy(p, s.greeting)
		s.greeting = s.greeting[n:]
		return n, nil
	}
	if !s.over {
		s.settle(nil)
	}
	return s.Conn.Read(p)
}

func (s *h2cSocket) settle(fault error) {
	s.fault, s.over = fault, true
	close(s.greeted)
}

// What a frame begins with (RFC 9113 §4.1), and what SETTINGS say (§6.5).
const (
	frameHeader     = 9
	typeAt, flagsAt = 3, 4
	typeSettings    = 0x4
	flagAck         = 0x1
	settingSize     = 6
	maxFrameSize    = 0x5
	leastFrameSize  = 16 << 10 // that everybody takes
)

// hear reads the first frame, which must be SETTINGS and no acknowledgement. Its
// type stands where other protocols have a letter: "HTTP".
func (s *h2cSocket) hear() ([]byte, error) {
	var header [frameHeader]byte
	n, err := io.ReadFull(s.Conn, header[:])
	length := int(header[0])<<16 | int(header[1])<<8 | int(header[2])
	switch {
	case n > typeAt && header[typeAt] != typeSettings,
		n > flagsAt && header[flagsAt]&flagAck != 0,
		length > leastFrameSize:
		return nil, ErrNotHTTP2
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errSilent, err)
	}
	frame := make([]byte, frameHeader+length)
	copy(frame, header[:])
	if _, err := io.ReadFull(s.Conn, frame[frameHeader:]); err != nil {
		return nil, fmt.Errorf("%w: %w", errSilent, err)
	}
	shrinkFrames(frame[frameHeader:])
	return frame, nil
}

// shrinkFrames has us send no larger frames than everybody takes: net/http keeps
// a buffer of the size that the application allows, up to 512 KiB, for each body
// on its way, and net/http's own server allows 1 MiB. A client could have many
// bodies on their way. Records of TLS bring no more than 16 KiB at a time anyhow.
func shrinkFrames(settings []byte) {
	for ; len(settings) >= settingSize; settings = settings[settingSize:] {
		if binary.BigEndian.Uint16(settings) == maxFrameSize && binary.BigEndian.Uint32(settings[2:]) > leastFrameSize {
			binary.BigEndian.PutUint32(settings[2:], leastFrameSize)
		}
	}
}
