package proxy

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"
)

// deadlineCounter counts what is set, and lets nothing come of it.
type deadlineCounter struct {
	net.Conn
	set int
}

func (d *deadlineCounter) SetWriteDeadline(time.Time) error {
	d.set++
	return nil
}

// README: MTLS_SEND_TIMEOUT is for each write to the client, and a huge buffer makes many
// of one. With a timeout that is over at once, none is spared as still far enough away.
func TestEachRecordOfALargePieceHasItsOwnTime(t *testing.T) {
	const records = 4
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	a := testCA(t)
	c := &conn{server: &Server{config: &Config{SendTimeout: Duration{time.Nanosecond}}}}
	socket := &deadlineCounter{Conn: ours}
	c.socket, c.wire = socket, wire{Conn: ours, owner: c}
	c.tls = tls.Server(&c.wire, &tls.Config{Certificates: []tls.Certificate{a.server}})
	go func() {
		client := tls.Client(theirs, &tls.Config{InsecureSkipVerify: true})
		_, _ = io.Copy(io.Discard, client)
	}()
	if err := c.tls.Handshake(); err != nil {
		t.Fatal(err)
	}
	x := &c.exchange
	x.server, x.conn, x.now = c.server, c, time.Now()
	socket.set = 0
	if err := x.send(make([]byte, records*bufferSize)); err != nil {
		t.Fatal(err)
	}
	if socket.set != records {
		t.Errorf("the deadline was set %d times for %d records", socket.set, records)
	}
}
