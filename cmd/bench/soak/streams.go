package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// streams makes requests on one HTTP/2 connection, several at once.
func (w *worker) streams(ctx context.Context) {
	l := w.connect(ctx)
	if l == nil {
		return
	}
	defer l.close()
	_ = l.SetDeadline(time.Time{})
	transport := &http.Transport{DisableCompression: true, Protocols: new(http.Protocols),
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return l.Conn, nil }}
	transport.Protocols.SetHTTP2(true)
	conn, err := transport.NewClientConn(ctx, "https", "localhost:443")
	if err != nil {
		if ctx.Err() == nil {
			w.faults.add(failed, &request{client: w.kind}, "opening HTTP/2: %v", err)
		}
		return
	}
	defer conn.Close()
	m := &multiplexed{ClientConn: conn, who: l.who}
	for range 3 + w.random.IntN(12) {
		var all sync.WaitGroup
		for range 1 + w.random.IntN(12) {
			one := w.small()
			switch w.random.IntN(6) {
			case 0:
				one = w.upload(200 << 10)
			case 1:
				one = w.download(200 << 10)
			}
			gives := w.random.IntN(20) == 0
			all.Go(func() { w.stream(m, one, gives) })
		}
		all.Wait()
		w.settleUnsent(m)
		if conn.Err() != nil || conn.Available() == 0 || !w.pause(ctx, 150*time.Millisecond) {
			return
		}
	}
}

// multiplexed is a connection of several streams.
type multiplexed struct {
	*http.ClientConn
	who *person

	mu     sync.Mutex
	ending bool       // there is a reason for which no further request is sent on it
	unsent []*request // that Go's client has refused to send
}

// ends notes a reason: the sidecar's own pages go with GOAWAY, and after a stream that
// was given up Go's client may send no other.
func (m *multiplexed) ends() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ending = true
}

// refuses notes a request that was not sent, and reports whether it is one.
func (m *multiplexed) refuses(r *request, err error) bool {
	if r.arrived() > 0 || !strings.Contains(err.Error(), "client conn not usable") {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unsent = append(m.unsent, r)
	return true
}

// settleUnsent is called when all that was sent together has come to its end, so that a
// reason that one of them has met is known.
func (w *worker) settleUnsent(m *multiplexed) {
	for _, r := range m.unsent {
		if m.ending {
			w.judge.gaveUp(r)
		} else {
			w.judge.settle(r, outcome{err: errors.New("on HTTP/2: the connection takes no requests any more, and nothing has been refused on it")})
		}
	}
	m.unsent = nil
}

// stream makes one request; gives says that it is given up halfway.
func (w *worker) stream(conn *multiplexed, m message, gives bool) {
	r := w.ledger.begin(w.kind, conn.who)
	r.unsafe = m.hasBody()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	asked, err := m.asHTTP2(ctx, r.id)
	if err != nil {
		w.faults.add(broken, r, "%v", err)
		return
	}
	r.headSent()
	answer, err := conn.RoundTrip(asked)
	if gives {
		conn.ends()
		if cancel(); err == nil {
			_ = answer.Body.Close()
		}
		w.judge.gaveUp(r)
		return
	}
	if err != nil {
		if conn.refuses(r, err) {
			return
		}
		w.judge.settle(r, outcome{err: fmt.Errorf("on HTTP/2: %w", err)})
		return
	}
	defer answer.Body.Close()
	o := judgeAnswer(answer, r, m)
	if !o.ours {
		conn.ends()
	}
	w.judge.settle(r, o)
}

// asHTTP2 is a message for Go's client, which frames it.
func (m message) asHTTP2(ctx context.Context, id string) (*http.Request, error) {
	var body io.Reader
	if m.hasBody() {
		body = struct{ io.Reader }{newNoise(m.seed, m.size)}
	}
	asked, err := http.NewRequestWithContext(ctx, m.method, "https://localhost"+m.target(id), body)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(m.fields) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		asked.Header.Add(name, value)
	}
	if m.hasBody() {
		asked.ContentLength = int64(m.size)
		if m.chunked {
			asked.ContentLength = -1
		}
		if m.size == 0 && !m.chunked { // Go takes NoBody for no trailers either
			asked.Body, asked.ContentLength = http.NoBody, 0
		}
	}
	if m.trailer {
		asked.Trailer = http.Header{trailerField: {id}, "Verified": {forged}}
	}
	return asked, nil
}
