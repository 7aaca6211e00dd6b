package proxy

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"mtls-sidecar/proxy/http1"
	"mtls-sidecar/proxy/upstream"
)

// permittedUpgrade returns the protocols of a request's Upgrade fields that may
// be switched to, as they will be forwarded, or nothing: then the request goes
// on as an ordinary one (RFC 9110 §7.8). h2c is never among them: requests
// inside such a tunnel would carry no verdict.
func (s *Server) permittedUpgrade(r *http1.Request) string {
	if s.h2c != nil || !r.Upgrade || r.Length > 0 || r.Framing == http1.Chunked || s.config.Upgrade[0] == "none" {
		return ""
	}
	var permitted []string
	for i := range r.Fields {
		if r.Fields[i].Kind != http1.Upgrade {
			continue
		}
		for protocol := range bytes.SplitSeq(r.Fields[i].Value, []byte(",")) {
			if name := string(bytes.TrimSpace(protocol)); listHas(s.config.Upgrade, name) {
				permitted = append(permitted, name)
			}
		}
	}
	return strings.Join(permitted, ", ")
}

// switchesTo returns the protocol that a 101 names, if it is one of those that
// were asked for; any other 101 is no answer to this request.
func switchesTo(r *http1.Response, asked string) string {
	chosen := ""
	for i := range r.Fields {
		if r.Fields[i].Kind != http1.Upgrade {
			continue
		}
		name := string(r.Fields[i].Value)
		if chosen != "" || !listHas(strings.Split(asked, ", "), name) {
			return ""
		}
		chosen = name
	}
	if !r.Upgrade {
		return ""
	}
	return chosen
}

func listHas(list []string, name string) bool {
	for _, have := range list {
		if strings.EqualFold(have, name) {
			return true
		}
	}
	return false
}

// tunnel passes bytes both ways after a 101, until both sides have ended or one
// has failed. It holds no buffer of a request's.
type tunnel struct {
	exchange *exchange
	up       *upstream.Conn
	idle     time.Duration // MTLS_TUNNEL_IDLE_TIMEOUT
	active   atomic.Int64  // Unix nanoseconds of the last byte either way
	broken   atomic.Bool   // one side failed: neither gets a clean end

	received, sent int64 // bytes from the client and to it; read when both directions have ended
}

// runTunnel sends the 101 and what either side had sent already, then relays.
func (x *exchange) runTunnel(up *upstream.Conn, r *http1.Response) ending {
	w := x.work
	w.out = x.appendAnswerHead(w.out[:0], r, answerFraming{upgrade: switchesTo(r, w.upgrade)})
	w.out = append(w.out, up.Reader.Buffered()...)
	t := &tunnel{exchange: x, up: up, idle: x.server.config.TunnelIdleTimeout.Duration, sent: int64(len(up.Reader.Buffered()))}
	t.active.Store(x.now.UnixNano())
	x.account.status, x.account.answered = r.Status, x.now
	err := x.flush()
	if early := w.client.Buffered(); err == nil && len(early) > 0 {
		w.answer.waitWrite(x.now)
		_, err = up.Write(early)
		t.received = int64(len(early))
	}
	end := keep
	if err != nil {
		end = cut
	}
	up.Reader.Reset(nil, nil)
	said := x.tunnelLine() // what it is known by goes with the work
	x.settle(end)
	x.account.tunnel = true
	x.dropWork()
	if err != nil {
		up.Close()
		return cut
	}
	_ = up.SetReadDeadline(time.Time{})
	x.tunnels.Store(true) // to the connection's end
	x.server.events.count(TunnelOpened)
	x.server.tunnels.Add(1)
	defer x.server.tunnels.Add(-1)
	other := make(chan struct{})
	go func() {
		defer close(other)
		t.toApplication()
	}()
	t.toClient()
	<-other
	up.Close()
	said.closed(t)
	if t.broken.Load() {
		return cut
	}
	return closeAfter
}

// toApplication passes on what the client sends. Its close_notify ends this
// direction alone.
func (t *tunnel) toApplication() {
	t.received += t.copy(t.exchange.conn.tls.Read, t.readClientUntil, func(p []byte) error {
		if deadline, move := t.up.WriteAlarm.Due(time.Now(), t.exchange.server.config.UpstreamTimeout.Duration); move {
			_ = t.up.SetWriteDeadline(deadline)
		}
		_, err := t.up.Write(p)
		return err
	})
	if half, ok := t.up.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// toClient passes on what the application sends. Its end is told with
// close_notify, a failure without.
func (t *tunnel) toClient() {
	t.sent += t.copy(t.up.Conn.Read, t.up.SetReadDeadline, func(p []byte) error {
		t.exchange.now = time.Now()
		return t.exchange.send(p)
	})
	if !t.broken.Load() {
		t.exchange.now = time.Now()
		t.exchange.waitWrite()
		_ = t.exchange.conn.tls.CloseWrite()
	}
}

// smallRead is what a direction reads at once as long as little comes: most
// tunnels are quiet, and there may be many.
const smallRead = 1 << 10

// copy reads and writes until the end of one direction, and returns how many bytes it
// has passed on. Any failure breaks the
// tunnel and closes both sockets, which ends the other direction too.
func (t *tunnel) copy(read func([]byte) (int, error), deadline func(time.Time) error, write func([]byte) error) (passed int64) {
	var small [smallRead]byte
	buffer := small[:]
	var large *[bufferSize]byte
	defer func() {
		if large != nil {
			recordBuffers.Put(large)
		}
	}()
	for {
		last := time.Unix(0, t.active.Load())
		if t.idle > 0 {
			_ = deadline(last.Add(t.idle))
		} else {
			_ = deadline(time.Now().Add(tunnelSpan))
		}
		n, err := read(buffer)
		if n > 0 {
			t.active.Store(time.Now().UnixNano())
			if write(buffer[:n]) != nil {
				t.fail()
				return
			}
			passed += int64(n)
		}
		switch {
		case err == nil:
		case err == io.EOF:
			return
		case errors.Is(err, os.ErrDeadlineExceeded) && !t.broken.Load() &&
			(t.idle == 0 || time.Since(time.Unix(0, t.active.Load())) < t.idle):
			// The other direction was active meanwhile, or may be quiet for ever.
		case errors.Is(err, os.ErrDeadlineExceeded) && t.broken.CompareAndSwap(false, true):
			t.exchange.server.events.count(TunnelIdle) // by the direction that notices first
			t.fail()
			return
		default:
			t.fail()
			return
		}
		if n == len(small) && large == nil {
			large = recordBuffers.Get().(*[bufferSize]byte)
			buffer = large[:]
		}
	}
}

// tunnelSpan is how long a read of a tunnel waits at once where it may wait for
// ever.
const tunnelSpan = time.Minute

func (t *tunnel) readClientUntil(deadline time.Time) error {
	t.exchange.coverWrites(deadline)
	return t.exchange.conn.socket.SetReadDeadline(deadline)
}

func (t *tunnel) fail() {
	t.broken.Store(true)
	t.up.Close()
	t.exchange.conn.socket.Close()
}
