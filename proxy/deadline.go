package proxy

import "time"

// waitRead sets the deadline for reading from the client.
func (x *exchange) waitRead(now time.Time, timeout time.Duration) {
	if deadline, move := x.readAlarm.Due(now, timeout); move {
		x.setReadDeadline(deadline)
	}
	x.coverWrites(x.readAlarm.At())
}

// waitBody sets the deadline for reading more of a request's body. Once an answer
// has begun there is none: the two may be a conversation in which one side only
// listens, and who says nothing at all is noticed by MTLS_UPSTREAM_TIMEOUT.
func (x *exchange) waitBody() {
	if x.answering.Load() {
		return
	}
	x.waitRead(time.Now(), x.server.config.BodyTimeout.Duration)
	if x.answering.Load() {
		x.setReadDeadline(time.Time{}) // it was set after freeBody
	}
}

// freeBody takes that deadline off.
func (x *exchange) freeBody(u *upload) {
	x.answering.Store(true)
	x.setReadDeadline(time.Time{})
	if u.stopped.Load() {
		// The reader was woken before: a deadline that is moved before it has run
		// wakes nobody.
		x.setReadDeadline(past)
	}
}

// coverWrites makes sure that a write until then may still be made, and that
// none lasts for ever. A TLS 1.3 client may ask for a KeyUpdate at any time,
// which crypto/tls answers from within a read (RFC 8446 §4.6.3): with a deadline
// in the past the answer would fail and break the connection, without one a
// client that does not read would hold the read for ever.
func (x *exchange) coverWrites(until time.Time) {
	x.writing.Lock()
	defer x.writing.Unlock()
	if deadline, move := x.writeAlarm.Reach(until, x.server.config.SendTimeout.Duration); move {
		x.setWriteDeadline(deadline)
	}
}

// waitWrite sets the deadline for writing to the client.
func (x *exchange) waitWrite() {
	x.writing.Lock()
	defer x.writing.Unlock()
	if deadline, move := x.writeAlarm.Due(x.now, x.server.config.SendTimeout.Duration); move {
		x.setWriteDeadline(deadline)
	}
}

// interrupt ends a read that another goroutine is in, and waits until it has
// ended. A write that the read has led to gets a moment, too.
func (x *exchange) interrupt(done <-chan struct{}) {
	x.setReadDeadline(past)
	if x.stream != nil {
		<-done // such a read writes nothing
		return
	}
	timer := time.NewTimer(lastWrite)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		x.setWriteDeadline(past)
		<-done
	}
	x.readAlarm.Forget()
	x.writing.Lock()
	defer x.writing.Unlock()
	x.writeAlarm.Forget()
}

func (x *exchange) setReadDeadline(t time.Time) {
	if x.stream != nil {
		x.stream.setReadDeadline(t)
		return
	}
	_ = x.conn.socket.SetReadDeadline(t)
}

func (x *exchange) setWriteDeadline(t time.Time) {
	if x.stream != nil {
		x.stream.setWriteDeadline(t)
		return
	}
	_ = x.conn.socket.SetWriteDeadline(t)
}
