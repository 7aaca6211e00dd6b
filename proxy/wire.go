package proxy

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// wire is a client's socket as crypto/tls sees it. net/http hands back a
// *tls.Conn, whose NetConn leads from there to the connection that it belongs to.
// Over HTTP/1.1 it can read without waiting (ahead.go); over HTTP/2, where others
// read and write, it is the place to bound both.
type wire struct {
	net.Conn
	owner *conn
	raw   syscall.RawConn // made when it is needed

	// Of the reader alone, over HTTP/1.1.
	atOnce bool  // reads do not wait
	ahead  bool  // the last read filled its buffer: there may be more
	look   *look // made with the first read at once
}

func (w *wire) Read(p []byte) (int, error) {
	if w.atOnce {
		return w.readAtOnce(p)
	}
	n, err := w.Conn.Read(p)
	w.ahead = n == len(p)
	streams := w.owner.streams.Load()
	switch {
	case streams == nil:
	case err != nil:
		streams.gone.Store(true) // what ends now, ends with the connection
	case streams.floods(n):
		w.owner.logFlood()
		w.Conn.Close()
		return 0, errFlood
	}
	return n, err
}

// Write is given to the batch over HTTP/2, which bounds each write, whoever makes
// it: the framer, or crypto/tls, which answers a KeyUpdate from within a read (RFC
// 8446 §4.6.3).
func (w *wire) Write(p []byte) (int, error) {
	if streams := w.owner.streams.Load(); streams != nil {
		return streams.batch.Write(p)
	}
	return w.Conn.Write(p)
}

// rawConn is nil where the platform gives none.
func (w *wire) rawConn() syscall.RawConn {
	if w.raw == nil {
		if socket, ok := w.Conn.(syscall.Conn); ok {
			w.raw, _ = socket.SyscallConn()
		}
	}
	return w.raw
}

// Close lets go out what has been written.
func (w *wire) Close() error {
	if streams := w.owner.streams.Load(); streams != nil {
		streams.batch.flush()
	}
	return w.Conn.Close()
}

// SetWriteDeadline is called by crypto/tls before its last alert. The batch has
// deadlines of its own.
func (w *wire) SetWriteDeadline(t time.Time) error {
	if w.owner.streams.Load() != nil {
		return nil
	}
	return w.Conn.SetWriteDeadline(t)
}

var errFlood = errors.New("the client sends frames that carry nothing")
