package proxy

import (
	"errors"
	"net"
	"os"
	"time"

	"mtls-sidecar/proxy/http1"
	"mtls-sidecar/proxy/upstream"
)

// forward sends the request whose head is in out, and relays the answer.
func (x *exchange) forward() ending {
	if err := x.server.exposure.refused(x.server); err != nil {
		return x.upstreamFailed("using the application", err, upstreamDown)
	}
	x.account.asked = x.now
	if x.server.h2c != nil {
		return x.callApplication()
	}
	whole, err := x.gather()
	if err != nil {
		return x.refuseBody(err)
	}
	up := x.server.pool.Get(x.hint, x.now)
	for {
		if up == nil {
			up, err = x.server.dial()
			x.now = time.Now()
			if err != nil {
				return x.upstreamFailed("connecting to the application", err, upstreamDown)
			}
		}
		end, again := x.attempt(up, whole)
		x.up.Store(nil)
		if x.work != nil { // a tunnel has given it back
			x.work.shrink()
		}
		if !again {
			return end
		}
		if x.severed() {
			return cut // the end that looked like the application's was the shutdown's
		}
		x.server.metrics.retries.Add(1)
		up = nil // a fresh one: others in the pool may be as stale
	}
}

// attempt has one connection try the exchange. It reports again when nothing of
// an answer was seen and the request may be sent once more: on a kept
// connection that the application was closing (RFC 9112 §9.3.1), with no byte
// written or a request that may be repeated.
func (x *exchange) attempt(up *upstream.Conn, whole bool) (end ending, again bool) {
	w := x.work
	timeout := x.server.config.UpstreamTimeout.Duration
	x.up.Store(up)
	if x.severed() {
		up.Close() // sever looked for it before it was there
	}
	source := &w.answer
	*source = answerSource{exchange: x, up: up, timeout: timeout}
	up.Reader.Reset(source, w.answerIn[:])
	source.waitWrite(x.now)
	written, err := up.Write(w.out)
	if err != nil {
		up.Close()
		if up.Reused() && (written == 0 || w.safe) {
			return keep, true
		}
		return x.upstreamFailed("sending the request to the application", err, upstreamBroken), false
	}
	if !whole {
		source.upload = x.startUpload(up)
	}
	if x.stream != nil {
		source.watch = x.startWatch() // net/http tells: no read is needed
	}
	answer, err := x.readAnswerHead(&up.Reader)
	if err != nil {
		x.stopWatch()
		stale := len(up.Reader.Buffered()) == 0 && up.Reused() && w.safe && applicationClosed(err)
		up.Close()
		if stale {
			return keep, true
		}
		return x.answerFailed(source.upload, err), false
	}
	if answer.Status == 101 {
		x.stopWatch()
		return x.runTunnel(up, answer), false
	}
	end, err = x.relayAnswer(&up.Reader, answer)
	x.stopWatch()
	switch {
	case err != nil && !x.begun:
		up.Close()
		return x.answerFailed(source.upload, err), false
	case err != nil:
		x.answerCut(err)
	}
	return x.finish(up, end), false
}

// applicationClosed tells an end of the application's making from a timeout and
// from a client that has gone.
func applicationClosed(err error) bool {
	var gone *clientError
	return !errors.Is(err, os.ErrDeadlineExceeded) && !errors.As(err, &gone)
}

// readAnswerHead reads and parses heads until a final one, passing interim
// answers on.
func (x *exchange) readAnswerHead(source *http1.Reader) (*http1.Response, error) {
	w := x.work
	for {
		head, err := x.fillAnswerHead(source)
		if err != nil {
			return nil, err
		}
		r := &w.response
		if err := r.Parse(head, requestMethod(w.isHead), x.server.limits()); err != nil {
			return nil, err
		}
		if r.Status >= 200 {
			source.Advance(len(head))
			return r, nil
		}
		if r.Status == 101 {
			if switchesTo(r, w.upgrade) == "" {
				return nil, errUnaskedUpgrade
			}
			source.Advance(len(head))
			return r, nil
		}
		if err := x.passInterim(r); err != nil {
			return nil, err
		}
		w.safe = false // the application has begun to answer
		source.Advance(len(head))
	}
}

var errUnaskedUpgrade = errors.New("the application switched to a protocol that was not asked for")

// passInterim passes an interim answer on. They are for HTTP/1.1 clients and
// newer, and 100 for those that asked (RFC 9110 §15.2).
func (x *exchange) passInterim(r *http1.Response) error {
	w := x.work
	if w.oldHTTP || r.Status == 100 && !w.asked {
		return nil
	}
	if x.stream != nil {
		x.stream.interim(r)
		return nil
	}
	w.out = x.appendAnswerHead(w.out[:0], r, answerFraming{})
	return x.flush()
}

func (x *exchange) fillAnswerHead(reader *http1.Reader) ([]byte, error) {
	limit := int(x.server.config.MaxHeaderBytes)
	scanned := 0
	for {
		buffered := reader.Buffered()
		n, err := http1.HeadEnd(buffered, scanned)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			return buffered[:n], nil
		}
		if scanned = len(buffered); scanned > limit {
			return nil, http1.ErrHeadTooLarge
		}
		if err = reader.Fill(); errors.Is(err, http1.ErrFull) {
			reader.Grow(make([]byte, limit+bufferSize))
		} else if err != nil {
			return nil, err
		}
	}
}

func requestMethod(isHead bool) []byte {
	if isHead {
		return methodHEAD
	}
	return methodGET
}

var methodHEAD, methodGET = []byte("HEAD"), []byte("GET")

// finish settles both connections after an answer: the application's is kept
// only when nothing can follow on it, the client's when the answer was whole.
func (x *exchange) finish(up *upstream.Conn, end ending) ending {
	w := x.work
	complete := true
	if u := w.answer.upload; u != nil {
		complete = u.settle(end)
		if !complete && end != cut {
			end = closeAfter
		}
	}
	mine := x.up.CompareAndSwap(up, nil) // else it is being closed
	if mine && end != cut && complete && w.response.KeepAlive && len(up.Reader.Buffered()) == 0 {
		up.Reader.Reset(nil, nil)
		x.server.pool.Put(up, x.hint, x.now, w.response.KeepAliveTimeout)
	} else {
		up.Close()
	}
	w.answer = answerSource{}
	return end
}

// answerFailed tells the client why there is no answer.
func (x *exchange) answerFailed(u *upload, err error) ending {
	var gone *clientError
	if u != nil {
		clients := u.failed.Load() // before settle makes it fail
		u.settle(cut)
		if clients {
			return x.refuseBody(u.fault)
		}
	}
	switch {
	case errors.As(err, &gone):
		x.server.log.Debug("no answer given", addressField(x.conn.remote), faultField(err))
		return cut
	case errors.Is(err, os.ErrDeadlineExceeded):
		return x.upstreamFailed("waiting for the application's answer", err, upstreamSlow)
	default:
		return x.upstreamFailed("reading the application's answer", err, upstreamBroken)
	}
}

func (x *exchange) upstreamFailed(doing string, err error, page *refusal) ending {
	if x.severed() {
		return cut // we have closed the application's connection ourselves
	}
	var timeout net.Error
	late := errors.As(err, &timeout) && timeout.Timeout()
	switch {
	case late && page == upstreamDown:
		x.server.events.count(UpstreamConnectTimeout)
	case late || page == upstreamSlow:
		x.server.events.count(UpstreamTimeout)
	}
	if late {
		page = upstreamSlow
	}
	x.account.fault = faultOfUpstream(page, err)
	x.deny(page, denial{message: doing + " failed", text: err.Error(), grave: true})
	return x.refuse(page)
}

// refuseBody answers a body that could not be read or is too large.
func (x *exchange) refuseBody(err error) ending {
	var broken *http1.Error
	switch {
	case errors.Is(err, errBodyTooLarge):
		return x.refuseTooLarge()
	case errors.As(err, &broken):
		return x.refuseMessage(broken)
	default:
		if errors.Is(err, os.ErrDeadlineExceeded) {
			x.server.events.count(BodyTimeout)
		}
		x.server.log.Debug("request body not read", addressField(x.conn.remote), faultField(err))
		return cut
	}
}

// clientError is a fault of the client's connection: a write that failed, or a
// client that went away.
type clientError struct{ err error }

func (e *clientError) Error() string { return e.err.Error() }
func (e *clientError) Unwrap() error { return e.err }
