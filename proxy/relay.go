package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"mtls-sidecar/proxy/http1"
)

// maxFields and maxTarget bound a head beyond its size.
const (
	maxFields = 256
	maxTarget = 8 << 10 // nginx's large_client_header_buffers
)

// relay serves one request whose first byte is there: read and check the head,
// judge, ask the application, pass the answer on.
func (c *conn) relay() ending {
	w := c.work
	head, err := c.readHead()
	if err == nil {
		err = w.request.Parse(head, c.server.limits())
	}
	if err != nil {
		return c.refuseHead(err)
	}
	c.note()
	need := c.need()
	if need != needOff && c.peer.Load() != nil {
		// Before the judgement: whatever changes belief after it sees that there
		// is something to cut.
		c.told.Store(true)
		defer c.told.Store(false)
	}
	lines, page := c.admits(need)
	if page != nil {
		c.told.Store(false)
		return c.refuse(page)
	}
	if limit := int64(c.server.config.MaxBodyBytes); limit > 0 && w.request.Length > limit {
		return c.refuseTooLarge()
	}
	if w.out, err = c.appendRequestHead(w.out[:0], lines); err != nil {
		return c.refuseHead(err)
	}
	w.client.Advance(len(head))
	return c.exchange()
}

// admits gives what the application is told of the client on a path, or the page
// for a client whom the path is not for.
func (c *conn) admits(need need) (lines []byte, page *refusal) {
	if need == needOff {
		return c.asNobody()
	}
	c.judge(c.server.wall(c.now))
	page = c.memo.answer.page
	if need == needRequire {
		page = c.memo.answer.protected
	}
	if page != nil {
		c.logRefusal(page)
		return nil, page
	}
	return c.memo.answer.lines, nil
}

func (s *Server) limits() http1.Limits {
	return http1.Limits{Head: int(s.config.MaxHeaderBytes), Target: maxTarget, Fields: maxFields}
}

// note remembers what is needed of the head after its bytes are gone.
func (c *conn) note() {
	w := c.work
	r := &w.request
	w.isHead = string(r.Method) == "HEAD"
	w.safe = r.Framing == http1.NoBody &&
		(w.isHead || string(r.Method) == "GET" || string(r.Method) == "OPTIONS")
	w.oldHTTP = r.Minor == 0
	w.asked = r.Expect100
	w.json = false
	w.sent = 0
	w.upgrade = c.server.permittedUpgrade(r)
	w.upBody.Reset(&w.client, r.Framing, r.Length)
}

// readHead reads until the empty line. The bytes stay in the reader.
func (c *conn) readHead() ([]byte, error) {
	w := c.work
	timeout := c.server.config.HeaderTimeout.Duration
	start := c.now
	c.waitRead(start, timeout)
	w.source.upload = nil
	limit := int(c.server.config.MaxHeaderBytes)
	for scanned := 0; ; c.now = time.Now() {
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
			c.readAlarm.Forget()
			c.waitRead(start, timeout)
		default:
			return nil, err
		}
	}
}

// refuseHead answers a head that could not be used, or none when the client is
// gone or too slow: nginx closes without an answer then, too.
func (c *conn) refuseHead(err error) ending {
	var broken *http1.Error
	if !errors.As(err, &broken) {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.server.events.count(HeaderTimeout)
		}
		c.server.log.Debug("request not read", zap.String("remote", c.remote), zap.Error(err))
		return cut
	}
	c.work.request.Fields = c.work.request.Fields[:0]
	c.work.isHead, c.work.json = false, false
	switch broken.Status {
	case 431:
		c.server.events.count(HeadTooLarge)
	case 414:
		c.server.events.count(TargetTooLong)
	}
	c.server.log.Info("request refused", zap.String("remote", c.remote),
		zap.Int("status", broken.Status), zap.String("reason", "bad_request"), zap.String("detail", broken.Text))
	return c.refuse(badRequest(broken))
}

// refuseTooLarge answers a body beyond MTLS_MAX_BODY_BYTES.
func (c *conn) refuseTooLarge() ending {
	c.server.log.Info("request refused", zap.String("remote", c.remote), zap.Int("status", bodyTooLarge.status),
		zap.String("reason", bodyTooLarge.reason), zap.String("detail", errBodyTooLarge.Error()))
	return c.refuse(bodyTooLarge)
}

// refuse sends an answer of our own and gives the connection up.
func (c *conn) refuse(page *refusal) ending {
	w := c.work
	switch page {
	case bodyTooLarge:
		c.server.events.count(BodyTooLarge)
	case identityTooLarge:
		c.server.events.count(IdentityTooLarge)
	case upstreamSlow:
		c.server.events.count(UpstreamTimeout)
	}
	asJSON := w.json || prefersJSON(w.request.Fields)
	w.out = page.appendTo(w.out[:0], asJSON, w.isHead)
	c.now = time.Now()
	if err := c.flush(); err != nil {
		return cut
	}
	return closeAfter
}

// flush writes what has gathered in out to the client. The error is a
// *clientError.
func (c *conn) flush() error {
	w := c.work
	if len(w.out) == 0 {
		return nil
	}
	err := c.send(w.out)
	w.out = w.out[:0]
	return err
}

func (c *conn) send(p []byte) error {
	c.waitWrite()
	c.begun = true
	_, err := c.tls.Write(p)
	c.now = time.Now() // it may have waited for the client: what is judged and timed next is judged now
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.server.events.count(SendTimeout)
		}
		return &clientError{fmt.Errorf("writing to the client: %w", err)}
	}
	return nil
}

// answerPlainHTTP is nginx's 497, in plain text since there is no TLS to say it
// in. What the client sent is not read: nothing in it could be relayed.
func (c *conn) answerPlainHTTP() {
	_ = c.socket.SetDeadline(time.Now().Add(lingerTime))
	if _, err := c.socket.Write(plainHTTP.appendTo(nil, false, false)); err == nil {
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
