package soak

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// listens reads an endless answer line by line; each says when it was written.
func (w *worker) listens(ctx context.Context) {
	l := w.connect(ctx)
	if l == nil {
		return
	}
	defer l.close()
	r := w.ledger.begin(w.kind, l.who)
	lines := 5 + w.random.IntN(80)
	_ = l.SetDeadline(time.Now().Add(patience))
	r.headSent()
	if _, err := fmt.Fprintf(l, "GET /%s/%s?n=%d HTTP/1.1\r\nHost: localhost\r\n\r\n", holdPath, r.id, lines); err != nil {
		w.judge.settle(r, outcome{err: fmt.Errorf("sending the head: %w", err)})
		return
	}
	answer, err := http.ReadResponse(l.in, &http.Request{Method: http.MethodGet})
	switch {
	case err != nil:
		w.judge.settle(r, outcome{err: fmt.Errorf("reading the head: %w", err)})
	case answer.StatusCode != http.StatusOK || answer.Header.Get(idField) != r.id:
		w.judge.settle(r, judgeAnswer(answer, r, message{method: http.MethodGet, status: http.StatusOK}))
	default:
		// At the end of the day who listens hangs up.
		hangs := context.AfterFunc(ctx, func() { _ = l.tcp.Close() })
		o := w.hears(answer.Body, r, lines)
		if !hangs() && o.err != nil {
			w.judge.gaveUp(r)
			return
		}
		w.judge.settle(r, o)
	}
}

// hears reads the lines of an answer.
func (w *worker) hears(body io.Reader, r *request, lines int) outcome {
	o := outcome{code: http.StatusOK, ours: true}
	in := bufio.NewReader(body)
	for i := range lines {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			o.wrong, o.clean = fmt.Sprintf("got %d of %d lines and a clean end", i, lines), true
			return o
		}
		if err != nil {
			o.err = fmt.Errorf("after %d of %d lines: %w", i, lines, err)
			return o
		}
		var id string
		var number int
		var written int64
		if _, err := fmt.Sscanf(line, "%s %d %d\n", &id, &number, &written); err != nil || id != r.id || number != i {
			o.wrong = fmt.Sprintf("got line %q, want number %d", line, i)
			return o
		}
		if !w.judge.flowed(r, time.Unix(0, written)) {
			return o
		}
	}
	if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
		o.err = err
		if len(rest) > 0 {
			o.wrong = fmt.Sprintf("got %q behind the last line", rest)
		}
	}
	return o
}
