package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"mtls-sidecar/proxy/http1"
	"mtls-sidecar/proxy/upstream"
)

// call is an exchange's part with an application that speaks HTTP/2
// (MTLS_UPSTREAM_URL=h2c://…). The request goes out and the answer comes in as the
// HTTP/1.1 heads that the rest of the relay knows, and bodies without framing.
type call struct {
	exchange *exchange
	body     *callBody // the request's; nil: there is none
	wait     callWait
	answer   *upstream.Answer
	reader   http1.Reader // of the answer's body
	empty    bool         // the answer ends with its head, or with trailers right after it
	deadline bool         // the request says how long it may take, as gRPC's do
	hinted   bool         // an interim answer has come, and gone where the request's head was
}

// errUpstreamSlow ends a call that waits too long.
var errUpstreamSlow = fmt.Errorf("no sign of life from the application within MTLS_UPSTREAM_TIMEOUT: %w", os.ErrDeadlineExceeded)

// errCallOver ends a call whose client is gone, or that has been cut.
var errCallOver = errors.New("the exchange is over")

func (s *Server) newH2C() *upstream.H2C {
	return upstream.NewH2C(upstream.H2CConfig{
		Config:       s.upstreamConfig(),
		MaxHeader:    int(s.config.MaxHeaderBytes),
		WriteTimeout: s.config.UpstreamTimeout.Duration,
		Dialed:       func() error { return s.exposure.allow(s) },
	})
}

// callApplication is forward to such an application.
func (x *exchange) callApplication() ending {
	ctx, cancel := context.WithCancelCause(x.server.life)
	defer cancel(errCallOver)
	x.cancel.Store(&cancel)
	defer x.cancel.Store(nil)
	if x.severed() {
		return cut // sever looked for it before it was there
	}
	c := &call{exchange: x, deadline: fieldValue(x.work.request.Fields, "Grpc-Timeout") != nil}
	x.call = c
	x.work.answer = answerSource{exchange: x, timeout: x.server.config.UpstreamTimeout.Duration}
	if !x.work.upBody.Done() {
		c.body = newCallBody(x)
		x.work.answer.upload = c.body.upload
	}
	c.wait.init(c, cancel)
	if x.stream != nil {
		x.work.answer.watch = x.startWatch() // net/http tells: no read is needed
	}
	end := c.run(ctx)
	c.wait.end()
	x.stopWatch()
	if c.answer != nil {
		c.answer.Close()
	}
	if c.body != nil {
		if !c.body.end() && end == keep {
			end = closeAfter // what is left of the body nobody reads
		}
		if c.bodyStopped() {
			x.readAlarm.Forget() // interrupt has moved the deadline
		}
	}
	x.work.shrink()
	x.work.answer = answerSource{}
	x.call = nil
	return end
}

// run asks, and relays the answer.
func (c *call) run(ctx context.Context) ending {
	x, w := c.exchange, c.exchange.work
	if err := c.ask(ctx); err != nil {
		return c.failed(err)
	}
	if err := w.response.Parse(c.answer.Head, requestMethod(w.isHead), http1.Limits{Fields: maxFields}); err != nil {
		return c.failed(err)
	}
	if err := c.lookForEnd(); err != nil {
		return c.failed(err)
	}
	if x.stream == nil && !w.oldHTTP && !w.isHead && !c.empty {
		chunkForTrailers(&w.response)
	}
	c.reader.Reset(c, w.answerIn)
	end, err := x.relayAnswer(&c.reader, &w.response)
	switch {
	case err == nil:
	case !x.begun:
		return c.failed(err)
	case c.body != nil && c.body.isFault(err):
		x.answerCut(&clientError{err})
	default:
		x.answerCut(err)
	}
	return end
}

// chunkForTrailers takes Content-Length off an answer that announces trailers: in
// HTTP/1.1 only a chunked body has them (RFC 9112 §7.1.2).
func chunkForTrailers(r *http1.Response) {
	if r.Framing != http1.Length || fieldValue(r.Fields, "Trailer") == nil {
		return
	}
	r.Framing = http1.Chunked
	r.Fields = slices.DeleteFunc(r.Fields, func(f http1.Field) bool { return f.Kind == http1.ContentLength })
}

// lookForEnd waits for the end of an answer without content, so that its head can
// go out as the end: gRPC clients read a status in a head only if nothing follows.
func (c *call) lookForEnd() error {
	r := &c.exchange.work.response
	if c.empty = c.answer.Ended(); c.empty || r.Framing != http1.Length || r.Length != 0 {
		return nil
	}
	var none [1]byte
	if _, err := c.Read(none[:]); err != io.EOF {
		return err
	}
	c.empty = true
	return nil
}

// ask sends the request, once more if the application has done nothing about it.
func (c *call) ask(ctx context.Context) error {
	x, w := c.exchange, c.exchange.work
	request := upstream.Request{Owner: x.conn, Head: w.out, Interim: c.interim}
	if c.body != nil {
		request.Body, request.Interrupt = c.body, c.body.interrupt
	}
	for again := true; ; again = false {
		c.wait.start()
		answer, err := x.server.h2c.Do(ctx, request)
		c.wait.stop()
		var ended *upstream.H2CError
		if again && !c.hinted && !c.bodyStopped() && errors.As(err, &ended) && ended.Again(w.safe) {
			x.server.metrics.retries.Add(1)
			continue
		}
		c.answer = answer
		return c.blame(err)
	}
}

// bodyStopped reports whether nothing more can be read of the request's body: it
// was interrupted when net/http had no more use for it.
func (c *call) bodyStopped() bool { return c.body != nil && c.body.upload.stopped.Load() }

// interim passes an answer before the final one on.
func (c *call) interim(head []byte) error {
	w := c.exchange.work
	if err := w.response.Parse(head, requestMethod(w.isHead), http1.Limits{}); err != nil {
		return err
	}
	c.hinted = true
	return c.exchange.passInterim(&w.response)
}

// Read reads the answer's body. The error is a *clientError where the client is
// at fault.
func (c *call) Read(p []byte) (int, error) {
	c.wait.start()
	n, err := c.answer.Read(p)
	c.wait.stop()
	return n, c.blame(err)
}

// blame gives the client's absence for the error that it led to.
func (c *call) blame(err error) error {
	x := c.exchange
	x.now = time.Now()
	if watch := x.work.answer.watch; err != nil && watch != nil && watch.gone.Load() {
		return &clientError{errClientGone}
	}
	return err
}

// framing is how the end of the answer's body is known: it comes without chunks.
func (c *call) framing(f http1.Framing) http1.Framing {
	if f == http1.NoBody || c.empty {
		return http1.NoBody
	}
	return http1.UntilClose
}

// failed tells the client why there is no answer.
func (c *call) failed(err error) ending {
	x := c.exchange
	c.wait.end()
	x.stopWatch()
	var gone *clientError
	var broken *http1.Error
	var ended *upstream.H2CError
	switch {
	case x.severed() || x.server.life.Err() != nil:
		return cut
	case errors.As(err, &gone):
		x.server.log.Debug("no answer given", addressField(x.conn.remote), faultField(err))
		return cut
	case c.body != nil && c.body.isFault(err):
		return x.refuseBody(err)
	case errors.As(err, &broken) && broken.Status < 500:
		return x.refuseHead(err)
	case errors.As(err, &ended) && ended.Reset && x.form() == asGRPC:
		return c.reset(ended)
	case errors.Is(err, errUpstreamSlow):
		return x.upstreamFailed("waiting for the application's answer", err, upstreamSlow)
	case errors.As(err, &broken), errors.As(err, &ended), errors.Is(err, upstream.ErrNotHTTP2), errors.Is(err, io.ErrUnexpectedEOF):
		return x.upstreamFailed("reading the application's answer", err, upstreamBroken)
	default:
		return x.upstreamFailed("connecting to the application", err, upstreamDown)
	}
}

// reset tells a gRPC client what the application's RST_STREAM means. One that
// ends a call at its deadline does as it was asked.
func (c *call) reset(ended *upstream.H2CError) ending {
	x := c.exchange
	if ended.Code == upstream.Cancel {
		x.server.log.Debug(endedCall.message, addressField(x.conn.remote), faultField(ended))
	} else {
		x.work.kept.lacks(endedCall, ended)
	}
	return x.answerWith(grpcPage(grpcStatusOfReset(ended.Code, c.deadline), ended.Error()))
}
