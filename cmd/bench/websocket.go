package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
)

// The example of RFC 6455 §1.3, which serves as well as any other.
const (
	websocketKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	websocketAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// messageSize is a small message's; above 125 bytes a frame has an extended length (§5.2).
const messageSize = 200

// talk is a session that sends a WebSocket message and waits for its echo.
type talk struct {
	conn    net.Conn
	message []byte // the frame that is sent, masked
	echo    []byte // the frame that is due
	buffer  []byte
}

func newTalk(ctx context.Context, to target, _ work) (session, error) {
	conn, err := to.dial(ctx, to.config)
	if err != nil {
		return nil, err
	}
	t, err := upgrade(conn)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return t, nil
}

func upgrade(conn net.Conn) (*talk, error) {
	request := "GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + websocketKey + "\r\n\r\n"
	if _, err := io.WriteString(conn, request); err != nil {
		return nil, err
	}
	in := bufio.NewReader(conn)
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		return nil, fmt.Errorf("asking for a WebSocket: %w", err)
	}
	if answer.StatusCode != http.StatusSwitchingProtocols || answer.Header.Get("Sec-Websocket-Accept") != websocketAccept || in.Buffered() > 0 {
		return nil, fmt.Errorf("asking for a WebSocket: answered %s", answer.Status)
	}
	payload := pattern(messageSize)
	return &talk{conn: conn, message: frame(payload, true), echo: frame(payload, false), buffer: make([]byte, messageSize+4)}, nil
}

// frame is a binary message of one frame (§5.2).
func frame(payload []byte, masked bool) []byte {
	head := binary.BigEndian.AppendUint16([]byte{0x82, 126}, uint16(len(payload)))
	if !masked {
		return append(head, payload...)
	}
	head[1] |= 0x80
	mask := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	all := append(head, mask[:]...)
	for i, b := range payload {
		all = append(all, b^mask[i%4])
	}
	return all
}

func (t *talk) exchange() error {
	if _, err := t.conn.Write(t.message); err != nil {
		return fmt.Errorf("sending a message: %w", err)
	}
	if _, err := io.ReadFull(t.conn, t.buffer); err != nil {
		return fmt.Errorf("waiting for a message's echo: %w", err)
	}
	if !bytes.Equal(t.buffer, t.echo) {
		return fmt.Errorf("a message came back as another")
	}
	return nil
}

func (t *talk) close() { _ = t.conn.Close() }

// echoMessages is the application's side: it unmasks each message of messageSize and
// sends it back.
func echoMessages(conn io.Writer, in *bufio.Reader, request *http.Request) error {
	if request.Header.Get("Upgrade") != "websocket" || request.Header.Get("Sec-Websocket-Key") != websocketKey {
		_, err := io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
		return err
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: "+websocketAccept+"\r\n\r\n"); err != nil {
		return err
	}
	message := make([]byte, 8+messageSize)
	for {
		if _, err := io.ReadFull(in, message); err != nil {
			return err
		}
		mask, payload := message[4:8], message[8:]
		for i := range payload {
			payload[i] ^= mask[i%4]
		}
		if _, err := conn.Write(frame(payload, false)); err != nil {
			return err
		}
	}
}
