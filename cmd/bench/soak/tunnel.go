package soak

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"time"
)

// acceptOf is the answer to a WebSocket's key (RFC 6455 §4.2.2).
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// appendFrame adds a binary message of one frame (RFC 6455 §5.2); a client's is masked.
func appendFrame(to, payload []byte, mask uint32) []byte {
	length, masked := len(payload), byte(0)
	if mask != 0 {
		masked = 0x80
	}
	switch {
	case length < 126:
		to = append(to, 0x82, masked|byte(length))
	case length < 1<<16:
		to = binary.BigEndian.AppendUint16(append(to, 0x82, masked|126), uint16(length))
	default:
		to = binary.BigEndian.AppendUint64(append(to, 0x82, masked|127), uint64(length))
	}
	if mask == 0 {
		return append(to, payload...)
	}
	key := binary.BigEndian.AppendUint32(nil, mask)
	to = append(to, key...)
	for i, b := range payload {
		to = append(to, b^key[i%4])
	}
	return to
}

// maxFrame is the largest message that either end takes.
const maxFrame = 1 << 20

// readFrame reads one message, unmasked.
func readFrame(in io.Reader) ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(in, head[:2]); err != nil {
		return nil, err
	}
	masked, length := head[1]&0x80 != 0, uint64(head[1]&0x7f)
	if head[0] != 0x82 {
		return nil, fmt.Errorf("a frame that begins with %#x", head[0])
	}
	switch length {
	case 126:
		if _, err := io.ReadFull(in, head[:2]); err != nil {
			return nil, err
		}
		length = uint64(binary.BigEndian.Uint16(head[:2]))
	case 127:
		if _, err := io.ReadFull(in, head[:8]); err != nil {
			return nil, err
		}
		length = binary.BigEndian.Uint64(head[:8])
	}
	if length > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes", length)
	}
	var key [4]byte
	if masked {
		if _, err := io.ReadFull(in, key[:]); err != nil {
			return nil, err
		}
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(in, payload); err != nil {
		return nil, err
	}
	for i := range payload {
		payload[i] ^= key[i%4] // without a mask the key is zero
	}
	return payload, nil
}

// echo is the application's side of a tunnel.
func (a *application) echo(q *asked) {
	fields := "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + acceptOf(q.Header.Get("Sec-Websocket-Key")) + "\r\n"
	if _, err := io.WriteString(q.conn, q.head(http.StatusSwitchingProtocols, fields)); err != nil {
		return
	}
	for {
		payload, err := readFrame(q.in)
		if err != nil {
			return
		}
		if _, err := q.conn.Write(appendFrame(nil, payload, 0)); err != nil {
			return
		}
	}
}

// tunnel sends messages through a WebSocket and wants each back.
func (w *worker) tunnel(ctx context.Context) {
	l := w.connect(ctx)
	if l == nil {
		return
	}
	defer l.close()
	r := w.ledger.begin(w.kind, l.who)
	o := w.upgrade(l, r)
	if o.code != http.StatusSwitchingProtocols {
		w.judge.settle(r, o)
		return
	}
	w.upgraded()
	for range 20 + w.random.IntN(250) {
		if o.wrong, o.err = w.talks(l, r); o.wrong != "" || o.err != nil {
			break
		}
		if !w.pause(ctx, 60*time.Millisecond) {
			break
		}
	}
	w.judge.settle(r, o)
}

func (w *worker) upgrade(l *link, r *request) outcome {
	const key = "c29hayBzb2FrIHNvYWsgIQ=="
	_ = l.SetDeadline(time.Now().Add(patience))
	r.headSent()
	if _, err := fmt.Fprintf(l, "GET /%s/%s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n",
		echoPath, r.id, key); err != nil {
		return outcome{err: fmt.Errorf("sending the head: %w", err)}
	}
	answer, err := http.ReadResponse(l.in, &http.Request{Method: http.MethodGet})
	if err != nil {
		return outcome{err: fmt.Errorf("reading the head: %w", err)}
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return judgeAnswer(answer, r, message{method: http.MethodGet, status: http.StatusSwitchingProtocols})
	}
	o := outcome{code: answer.StatusCode, ours: answer.Header.Get(idField) == r.id}
	if got := answer.Header.Get("Sec-Websocket-Accept"); got != acceptOf(key) || !o.ours {
		o.wrong = fmt.Sprintf("got Sec-WebSocket-Accept %q of request %q", got, answer.Header.Get(idField))
	}
	return o
}

// talks sends a few messages in one breath and reads them back in their order.
func (w *worker) talks(l *link, r *request) (wrong string, err error) {
	_ = l.SetDeadline(time.Now().Add(patience))
	var out []byte
	var due [][]byte
	for range 1 + w.random.IntN(3) {
		payload := make([]byte, w.random.IntN(pick(w.random, []int{126, 2000, 70 << 10})))
		_, _ = io.ReadFull(newNoise(w.random.Uint64(), len(payload)), payload)
		due = append(due, payload)
		out = appendFrame(out, payload, w.random.Uint32()|1)
	}
	sent := time.Now()
	failure := make(chan error, 1)
	go func() {
		_, err := l.Write(out)
		failure <- err
	}()
	for i, want := range due {
		var got []byte
		if got, err = readFrame(l.in); err != nil {
			err = fmt.Errorf("waiting for an echo: %w", err)
			_ = l.tcp.Close()
			break
		}
		if !bytes.Equal(got, want) {
			wrong = fmt.Sprintf("message %d of %d came back as another: %d bytes, want %d", i, len(due), len(got), len(want))
			break
		}
	}
	if sending := <-failure; err == nil && sending != nil {
		err = fmt.Errorf("sending messages: %w", sending)
	}
	if err == nil {
		w.judge.flowed(r, sent)
	}
	return wrong, err
}
