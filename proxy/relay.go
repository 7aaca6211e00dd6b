package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"mtls-sidecar/proxy/http1"
	"mtls-sidecar/proxy/trust"
)

// maxFields and maxTarget bound a head beyond its size.
const (
	maxFields = 256
	maxTarget = 8 << 10 // nginx's large_client_header_buffers
)

// relay serves one request whose first byte is there: read and check the head,
// judge, ask the application, pass the answer on.
func (x *exchange) relay() ending {
	w := x.work
	head, err := x.readHead()
	if err == nil {
		err = w.request.Parse(head, x.server.limits())
	}
	if err != nil {
		return x.refuseHead(err)
	}
	w.client.Advance(len(head))
	return x.serve()
}

// serve judges and relays the request that has been parsed, over whatever it
// came.
func (x *exchange) serve() ending {
	w := x.work
	x.note()
	x.keep()
	need := x.need()
	x.work.kept.need = need
	if need != needOff && x.conn.peer.Load() != nil {
		// Before the judgement: whatever changes belief after it sees that there
		// is something to cut.
		x.vouched.Store(true)
		x.told.Store(true)
		defer x.told.Store(false)
	}
	lines, page := x.admits(need)
	if page != nil {
		x.told.Store(false)
		x.parting = true // another certificate can be presented on another connection only
		return x.refuse(page)
	}
	if limit := int64(x.server.config.MaxBodyBytes); limit > 0 && w.request.Length > limit {
		return x.refuseTooLarge()
	}
	var err error
	if w.out, err = x.appendRequestHead(w.out[:0], lines); err != nil {
		return x.refuseHead(err)
	}
	end := x.forward()
	if x.answering.Swap(false) {
		x.readAlarm.Forget() // freeBody has taken the deadline off
	}
	return end
}

// admits gives what the application is told of the client on a path, or the page
// for a client whom the path is not for.
func (x *exchange) admits(need need) (lines []byte, page *refusal) {
	if need == needOff {
		x.work.kept.tell = trust.Verdict{}.Text()
		return x.conn.asNobody(x.now)
	}
	answer := x.judge(x.server.wall(x.now))
	x.account.verified = answer.status
	page = answer.page
	if need == needRequire {
		page = answer.protected
	}
	if page != nil {
		x.logRefusal(page, answer.refused)
		return nil, page
	}
	x.work.kept.tell = answer.tell
	return answer.lines, nil
}

func (s *Server) limits() http1.Limits {
	return http1.Limits{Head: int(s.config.MaxHeaderBytes), Target: maxTarget, Fields: maxFields}
}

// note remembers what is needed of the head after its bytes are gone.
func (x *exchange) note() {
	w := x.work
	r := &w.request
	x.account.method, x.account.parsed = methodOf(r.Method), true
	w.isHead = x.account.method == methodHead
	w.safe = r.Framing == http1.NoBody &&
		(w.isHead || x.account.method == methodGet || x.account.method == methodOptions)
	w.oldHTTP = r.Minor == 0
	w.asked = r.Expect100
	w.form = anyForm
	w.sent = 0
	w.upgrade = x.server.permittedUpgrade(r)
	framing := r.Framing
	if x.stream != nil && framing == http1.Chunked {
		framing = http1.UntilClose // net/http tells the end, and takes the frames away
	}
	w.upBody.Reset(&w.client, framing, r.Length)
}

// readHead reads until the empty line. The bytes stay in the reader.
func (x *exchange) readHead() ([]byte, error) {
	w := x.work
	timeout := x.server.config.HeaderTimeout.Duration
	start := x.now
	x.waitRead(start, timeout)
	w.source.upload = nil
	limit := int(x.server.config.MaxHeaderBytes)
	for scanned := 0; ; x.now = time.Now() {
		buffered := w.client.Buffered()
		n, err := http1.HeadEnd(buffered, scanned)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			return buffered[:n], nil
		}
		if scanned = len(buffered); scanned > limit {
			return nil, http1.TooLarge(buffered)
		}
		err = w.client.Fill()
		switch {
		case err == nil:
		case errors.Is(err, http1.ErrFull):
			w.client.Grow(make([]byte, limit+bufferSize))
		case errors.Is(err, os.ErrDeadlineExceeded) && time.Since(start) < timeout:
			// A shutdown woke the read; the request in flight goes on.
			x.readAlarm.Forget()
			x.waitRead(start, timeout)
		default:
			return nil, err
		}
	}
}

// refuseHead answers a head that could not be used, or none when the client is
// gone or too slow: nginx closes without an answer then, too.
func (x *exchange) refuseHead(err error) ending {
	var broken *http1.Error
	if !errors.As(err, &broken) {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			x.server.events.count(HeaderTimeout)
		}
		x.server.log.Debug("request not read", addressField(x.conn.remote), faultField(err))
		return cut
	}
	x.parting = true // as over HTTP/1.1: who sends such heads has a connection for each
	x.work.request.Fields = x.work.request.Fields[:0]
	x.work.isHead, x.work.form = false, anyForm
	if x.stream != nil && x.stream.isGRPC() {
		x.work.form = asGRPC
	}
	switch broken.Status {
	case 431:
		x.server.events.count(HeadTooLarge)
	case 414:
		x.server.events.count(TargetTooLong)
	}
	return x.refuseMessage(broken)
}

// refuseTooLarge answers a body beyond MTLS_MAX_BODY_BYTES.
func (x *exchange) refuseTooLarge() ending {
	x.deny(bodyTooLarge, denial{message: "request refused", text: errBodyTooLarge.Error()})
	return x.refuse(bodyTooLarge)
}

// refuseMessage answers what breaks a rule of HTTP.
func (x *exchange) refuseMessage(broken *http1.Error) ending {
	page := badRequest(broken)
	x.deny(page, denial{message: "request refused", text: broken.Text})
	return x.refuse(page)
}

// refuse sends an answer of our own and gives the connection up.
func (x *exchange) refuse(page *refusal) ending {
	switch page {
	case bodyTooLarge:
		x.server.events.count(BodyTooLarge)
	case identityTooLarge:
		x.server.events.count(IdentityTooLarge)
	}
	x.account.page = page
	end := x.answerWith(page.in(x.form()))
	x.account.status = page.status // gRPC's form of it is a 200, which would hide it
	return end
}

// answerWith sends a page and gives the connection up.
func (x *exchange) answerWith(p page) ending {
	w := x.work
	x.now = time.Now()
	x.account.status = p.status
	if x.stream != nil {
		return x.stream.refuse(p)
	}
	w.out = p.appendTo(w.out[:0], w.isHead)
	if err := x.flush(); err != nil {
		return cut
	}
	return closeAfter
}

// flush writes what has gathered in out to the client. The error is a
// *clientError.
func (x *exchange) flush() error {
	w := x.work
	if len(w.out) == 0 {
		if x.stream != nil {
			x.begun = true
			x.stream.start()
		}
		return nil
	}
	err := x.send(w.out)
	w.out = w.out[:0]
	return err
}

// push is flush before a wait: nothing that the client could have stays here.
func (x *exchange) push() error {
	if err := x.flush(); err != nil || x.stream == nil {
		return err
	}
	x.waitWrite()
	return x.sent(x.stream.push())
}

func (x *exchange) send(p []byte) error {
	if x.stream == nil || x.begun || len(p) > framerHolds {
		x.waitWrite()
	}
	x.begun = true
	if x.stream != nil {
		return x.sent(x.stream.write(p))
	}
	if len(p) <= bufferSize {
		_, err := x.conn.tls.Write(p)
		return x.sent(err)
	}
	return x.sendRecords(p)
}

// sendRecords writes more than a record, of which each has MTLS_SEND_TIMEOUT.
func (x *exchange) sendRecords(p []byte) error {
	x.conn.wire.cork()
	defer x.conn.wire.uncork()
	for {
		record := p[:min(len(p), bufferSize)]
		_, err := x.conn.tls.Write(record)
		if err = x.sent(err); err != nil || len(record) == len(p) {
			return err
		}
		p = p[len(record):]
		x.waitWrite()
	}
}

// framerHolds is what net/http takes of a stream's answer without waiting for the
// client, in bytes. It has a deadline for the rest: see streamTime.
const framerHolds = 4 << 10

// sent looks at what became of a write, which may have waited for the client:
// what is judged and timed next is judged now.
func (x *exchange) sent(err error) error {
	x.now = time.Now()
	if err == nil {
		return nil
	}
	x.writing.Lock()
	late := x.stream != nil && !x.now.Before(x.writeAlarm.At()) // net/http does not say
	x.writing.Unlock()
	if (late || errors.Is(err, os.ErrDeadlineExceeded)) && !x.severed() { // abort sets such a deadline, too
		x.server.events.count(SendTimeout)
	}
	return &clientError{fmt.Errorf("writing to the client: %w", err)}
}

// answerPlainHTTP is nginx's 497, in plain text since there is no TLS to say it
// in. What the client sent is not read: nothing in it could be relayed.
func (c *conn) answerPlainHTTP() {
	_ = c.socket.SetDeadline(time.Now().Add(lingerTime))
	if _, err := c.socket.Write(plainHTTP.in(asHTML).appendTo(nil, false)); err == nil {
		lingerSocket(c.socket)
	}
}

// originForm is the target for an application, which is the origin: RFC 9112
// §3.2.1 wants path and query alone there. Only an absolute-form target changes.
func originForm(method, target []byte) []byte {
	if target[0] == '/' || target[0] == '*' {
		return target
	}
	_, rest, _ := bytes.Cut(target, []byte("://"))
	path := bytes.IndexAny(rest, "/?")
	switch {
	case path >= 0 && rest[path] == '/':
		return rest[path:]
	case path >= 0:
		return append([]byte("/"), rest[path:]...)
	case string(method) == "OPTIONS":
		return []byte("*") // RFC 9112 §3.2.4
	default:
		return []byte("/")
	}
}
