package proxy

import (
	"errors"
	"os"
	"time"

	"mtls-sidecar/proxy/upstream"
)

// answerSource reads the application's answer, and looks after the rest of the
// exchange while it waits: a body that is still being sent, a client that may
// have gone.
type answerSource struct {
	exchange *exchange
	up       *upstream.Conn
	timeout  time.Duration // MTLS_UPSTREAM_TIMEOUT
	upload   *upload       // of the request's body; nil: it was sent with the head
	watch    *watch        // nil until an answer takes long
}

// Read waits for the next bytes. MTLS_UPSTREAM_TIMEOUT runs from the last sign
// of life on either side: while the request is still being sent, no answer is
// due. The error is a *clientError, or the upload's, where the client is at fault.
func (s *answerSource) Read(p []byte) (int, error) {
	start := s.exchange.now
	wait := s.timeout
	if s.watch == nil {
		wait = min(wait, patience)
	}
	if deadline, move := s.up.ReadAlarm.Due(start, wait); move {
		_ = s.up.SetReadDeadline(deadline)
	}
	if s.watch != nil || s.upload != nil {
		s.exchange.coverWrites(s.up.ReadAlarm.At()) // somebody reads from the client meanwhile
	}
	for {
		if s.upload != nil && s.upload.failed.Load() {
			<-s.upload.done
			return 0, s.upload.fault
		}
		n, err := s.up.Conn.Read(p)
		s.exchange.now = time.Now()
		switch {
		case n > 0:
			return n, err
		case s.watch != nil && s.watch.gone.Load():
			return 0, &clientError{errClientGone}
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return 0, err
		case !s.waitOn(start):
			return 0, err
		}
	}
}

// waitOn goes on waiting, unless the time is over. Once an answer has taken
// long, and the request's body is out, the client is watched.
func (s *answerSource) waitOn(start time.Time) bool {
	due := start.Add(s.timeout)
	if s.upload != nil {
		if last := time.Unix(0, s.upload.progress.Load()).Add(s.timeout); last.After(due) {
			due = last
		}
	}
	now := s.exchange.now
	if !now.Before(due) {
		return false
	}
	if s.watch == nil && s.bodySent() {
		s.watch = s.exchange.startWatch()
	}
	if soon := now.Add(patience); s.watch == nil && soon.Before(due) {
		due = soon
	}
	s.up.ReadAlarm.Forget()
	_ = s.up.SetReadDeadline(due)
	s.exchange.coverWrites(due)
	if s.upload != nil && s.upload.failed.Load() {
		// Looked at after the deadline is set: the upload sets its own after this.
		_ = s.up.SetReadDeadline(past)
	}
	return true
}

func (s *answerSource) bodySent() bool {
	if s.upload == nil {
		return true
	}
	select {
	case <-s.upload.done:
		return true
	default:
		return false
	}
}

// waitWrite sets the deadline for writing to the application.
func (s *answerSource) waitWrite(now time.Time) {
	if deadline, move := s.up.WriteAlarm.Due(now, s.timeout); move {
		_ = s.up.SetWriteDeadline(deadline)
	}
}
