package soak

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// aborts goes away where it hurts: in the handshake, in a head, in a body, in an answer.
func (w *worker) aborts(ctx context.Context) {
	if w.random.IntN(6) == 0 {
		w.stopsShakingHands(ctx)
		return
	}
	l := w.connect(ctx)
	if l == nil {
		return
	}
	r := w.ledger.begin(w.kind, l.who)
	_ = l.SetDeadline(time.Now().Add(patience))
	switch w.random.IntN(5) {
	case 0: // in a head
		r.barred = true
		_, _ = fmt.Fprintf(l, "GET /%s/%s HTTP/1.1\r\nHost: local", sayPath, r.id)
	case 1, 2: // in a body
		m := w.upload(1 << 20)
		m.size, m.expect, m.trailer = m.size+2, false, false
		r.unsafe, r.torn = true, true
		r.headSent()
		_, _ = io.WriteString(l, m.head(r.id))
		_ = m.writeBody(&part{l, w.random.IntN(m.size)}, r.id)
	case 3: // in an answer
		m := w.download(1 << 20)
		r.headSent()
		_, _ = io.WriteString(l, m.head(r.id))
		if answer, err := http.ReadResponse(l.in, nil); err == nil {
			_, _ = io.CopyN(io.Discard, answer.Body, int64(w.random.IntN(64<<10)))
		}
	case 4: // before the answer
		m := w.small()
		m.expect = false
		r.unsafe = m.hasBody()
		r.headSent()
		_, _ = io.WriteString(l, m.head(r.id))
		_ = m.writeBody(l, r.id)
	}
	w.pause(ctx, 20*time.Millisecond)
	w.judge.gaveUp(r)
	if w.random.IntN(3) == 0 {
		l.close()
	} else {
		l.reset()
	}
}

// stopsShakingHands goes away in the middle of its ClientHello, or of its second flight.
func (w *worker) stopsShakingHands(ctx context.Context) {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", w.address)
	if err != nil {
		return
	}
	_ = raw.SetDeadline(time.Now().Add(patience))
	short := &stopping{Conn: raw, left: w.random.IntN(2500)}
	_ = tls.Client(short, w.config(w.people.chained, manner{})).HandshakeContext(ctx)
	_ = raw.Close()
	w.interrupted()
}

// stopping is a connection that breaks when so many bytes have been sent.
type stopping struct {
	net.Conn
	left int
}

func (s *stopping) Write(b []byte) (int, error) {
	if n := min(len(b), s.left); n < len(b) {
		_, _ = s.Conn.Write(b[:n])
		_ = s.Close()
		return n, io.ErrShortWrite
	}
	s.left -= len(b)
	return s.Conn.Write(b)
}

// part lets so many bytes through, and then none.
type part struct {
	to   io.Writer
	left int
}

func (p *part) Write(b []byte) (int, error) {
	n := min(len(b), p.left)
	if n > 0 {
		if _, err := p.to.Write(b[:n]); err != nil {
			return 0, err
		}
	}
	if p.left -= n; n < len(b) {
		return n, io.ErrShortWrite
	}
	return n, nil
}
