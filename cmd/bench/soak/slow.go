package soak

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"
)

// slow is a client on a bad line: its head drips, it uploads in drops, or it reads late.
func (w *worker) slow(ctx context.Context) {
	l := w.connect(ctx)
	if l == nil {
		return
	}
	defer l.close()
	switch w.random.IntN(3) {
	case 0:
		w.drips(ctx, l)
	case 1:
		w.readsLate(ctx, l)
	case 2:
		w.trickles(ctx, l, dripTime)
	}
}

// uploadsForLong is somebody whose upload may outlast the belief in him.
func (w *worker) uploadsForLong(ctx context.Context) {
	l := w.connect(ctx)
	if l == nil {
		return
	}
	defer l.close()
	w.trickles(ctx, l, 2*time.Second+time.Duration(w.random.Int64N(int64(5*time.Second))))
}

// dripTime is how long a slow head or body takes: well below the sidecar's own limit.
const dripTime = 1500 * time.Millisecond

// drips sends a head byte by byte; it is judged when it is whole.
func (w *worker) drips(ctx context.Context, l *link) {
	r := w.ledger.begin(w.kind, l.who)
	m := w.download(4 << 10)
	head := m.head(r.id)
	_ = l.SetDeadline(time.Now().Add(patience))
	if !inDrops(ctx, l, head[:len(head)-1], dripTime) {
		w.judge.gaveUp(r)
		return
	}
	r.headSent()
	if _, err := io.WriteString(l, head[len(head)-1:]); err != nil {
		w.judge.settle(r, outcome{err: err})
		return
	}
	w.judge.settle(r, w.receive(l, r, m, nil))
}

// inDrops writes in a few dozen pieces, within a while.
func inDrops(ctx context.Context, to io.Writer, text string, within time.Duration) bool {
	const drops = 30
	for size := len(text)/drops + 1; len(text) > 0; {
		n := min(size, len(text))
		if _, err := io.WriteString(to, text[:n]); err != nil {
			return false
		}
		text = text[n:]
		if !wait(ctx, within/drops) {
			return false
		}
	}
	return true
}

// readsLate lets a large answer wait.
func (w *worker) readsLate(ctx context.Context, l *link) {
	r := w.ledger.begin(w.kind, l.who)
	m := w.download(2 << 20)
	_ = l.SetDeadline(time.Now().Add(patience))
	r.headSent()
	if _, err := io.WriteString(l, m.head(r.id)); err != nil {
		w.judge.settle(r, outcome{err: err})
		return
	}
	answer, err := http.ReadResponse(l.in, nil)
	if err != nil {
		w.judge.settle(r, outcome{err: err})
		return
	}
	answer.Body = io.NopCloser(&late{ctx: ctx, from: answer.Body, left: 8})
	w.judge.settle(r, judgeAnswer(answer, r, m))
}

// late reads slowly for the first few reads.
type late struct {
	ctx  context.Context //nolint:containedctx // as long as one answer
	from io.Reader
	left int
}

func (l *late) Read(to []byte) (int, error) {
	if l.left > 0 {
		l.left--
		wait(l.ctx, dripTime/8)
	}
	return l.from.Read(to)
}

// trickles uploads in drops.
func (w *worker) trickles(ctx context.Context, l *link, length time.Duration) {
	r := w.ledger.begin(w.kind, l.who)
	m := w.upload(8 << 10)
	m.expect, r.unsafe = false, true
	_ = l.SetDeadline(time.Now().Add(patience))
	var body bytes.Buffer
	_ = m.writeBody(&body, r.id) // memory takes everything
	r.headSent()
	if _, err := io.WriteString(l, m.head(r.id)); err != nil {
		w.judge.settle(r, outcome{err: err})
		return
	}
	dripped := make(chan bool, 1)
	go func() {
		whole := inDrops(ctx, l, body.String(), length)
		if !whole {
			_ = l.tcp.Close() // or the answer would be waited for
		}
		dripped <- whole
	}()
	o := w.receive(l, r, m, nil)
	if o.err != nil {
		_ = l.tcp.Close()
	}
	if whole := <-dripped; !whole && ctx.Err() != nil {
		w.judge.gaveUp(r) // the day is over
		return
	}
	w.judge.settle(r, o)
}
