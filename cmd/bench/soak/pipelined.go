package soak

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// pipelined sends several requests in one breath; the answers must come in their order.
func (w *worker) pipelined(ctx context.Context) {
	l := w.connect(ctx)
	if l == nil {
		return
	}
	defer l.close()
	_ = l.SetDeadline(time.Now().Add(patience))
	var all strings.Builder
	var requests []*request
	var messages []message
	for range 2 + w.random.IntN(8) {
		m := message{method: http.MethodGet, work: sayPath, status: http.StatusOK, answer: w.random.IntN(20 << 10), noise: w.random.Uint64()}
		if w.random.IntN(3) == 0 {
			m = w.upload(2 << 10)
			m.expect = false
		}
		r := w.ledger.begin(w.kind, l.who)
		r.unsafe = m.hasBody()
		all.WriteString(m.head(r.id))
		_ = m.writeBody(&all, r.id) // memory takes everything
		requests, messages = append(requests, r), append(messages, m)
	}
	for _, r := range requests {
		r.headSent()
	}
	go func() { _, _ = io.WriteString(l, all.String()) }()
	for i, r := range requests {
		if l.over {
			w.judge.gaveUp(r) // what is behind the last answer of a connection was not asked
			continue
		}
		w.judge.settle(r, w.receive(l, r, messages[i], nil))
	}
}
