package proxy

import (
	"errors"
	"net"
	"os"
	"time"
)

// wire is a client's socket as crypto/tls sees it. net/http hands back a
// *tls.Conn, whose NetConn leads from there to the connection that it belongs to.
// Over HTTP/1.1 it adds nothing; over HTTP/2, where others read and write, it is
// the place to bound both.
type wire struct {
	net.Conn
	owner *conn
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if streams := w.owner.streams.Load(); streams != nil && streams.floods(n) {
		w.owner.logFlood()
		w.Close()
		return 0, errFlood
	}
	return n, err
}

// Write bounds each write by MTLS_SEND_TIMEOUT, whoever makes it: the framer, or
// crypto/tls, which answers a KeyUpdate from within a read (RFC 8446 §4.6.3).
func (w *wire) Write(p []byte) (int, error) {
	if streams := w.owner.streams.Load(); streams != nil {
		if deadline, move := streams.writeAlarm.Due(time.Now(), w.owner.server.config.SendTimeout.Duration); move {
			_ = w.SetWriteDeadline(deadline)
		}
	}
	n, err := w.Conn.Write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) && w.owner.streams.Load() != nil {
		w.owner.server.events.count(SendTimeout)
	}
	return n, err
}

var errFlood = errors.New("the client sends frames that carry nothing")
