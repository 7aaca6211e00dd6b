package proxy

import (
	"errors"
	"io"

	"go.uber.org/zap"

	"mtls-sidecar/proxy/http1"
	"mtls-sidecar/proxy/upstream"
)

// answerFraming is how the client is told where the answer ends.
type answerFraming struct {
	chunked bool   // Transfer-Encoding: chunked
	raw     bool   // the end of the connection (HTTP/1.0 clients)
	close   bool   // the connection ends after this answer
	upgrade string // the protocol that a 101 switches to
}

// relayAnswer passes a final answer on, its body as it comes. With an error,
// which is a *clientError or the application's, the answer is not whole.
func (c *conn) relayAnswer(up *upstream.Conn, r *http1.Response) (ending, error) {
	w := c.work
	framing := c.frame(r)
	c.begun = false
	w.out = c.appendAnswerHead(w.out[:0], r, framing)
	w.downBody.Reset(&up.Reader, r.Framing, r.Length)
	if r.Length >= largeAnswer {
		w.enlarge(&up.Reader)
	}
	err := c.relayBody(up, framing)
	if err == nil {
		err = c.flush()
	}
	switch {
	case err != nil:
		return cut, err
	case framing.close:
		return closeAfter, nil
	default:
		return keep, nil
	}
}

// frame decides the framing of the answer. Close-delimited answers are chunked
// for clients that understand it, which then can tell a whole one from a part.
func (c *conn) frame(r *http1.Response) answerFraming {
	w := c.work
	f := answerFraming{close: !w.request.KeepAlive || c.leaving()}
	if u := w.answer.upload; u != nil && !u.read.Load() {
		f.close = true // the client is still sending what nobody may read
	}
	if r.Framing == http1.Chunked || r.Framing == http1.UntilClose {
		f.chunked, f.raw = !w.oldHTTP, w.oldHTTP
		f.close = f.close || w.oldHTTP
	}
	return f
}

// appendAnswerHead builds the head that the client gets: the application's
// fields in their order and case, without hop-by-hop ones.
func (c *conn) appendAnswerHead(dst []byte, r *http1.Response, f answerFraming) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = append(dst, byte('0'+r.Status/100), byte('0'+r.Status/10%10), byte('0'+r.Status%10), ' ')
	dst = append(dst, r.Reason...)
	dst = append(dst, "\r\n"...)
	for i := range r.Fields {
		field := &r.Fields[i]
		value := field.Value
		switch field.Kind {
		case http1.Connection, http1.KeepAlive, http1.ProxyConnection, http1.TransferEncoding, http1.Upgrade:
			continue
		case http1.ContentLength:
			if r.Status < 200 || r.Status == 204 {
				continue // RFC 9110 §8.6
			}
		default:
			if r.Nominated(field.Name) {
				continue
			}
			if field.Kind == http1.Vary {
				value = c.server.variesFor(value)
			}
		}
		dst = append(dst, field.Name...)
		dst = append(dst, ": "...)
		dst = append(dst, value...)
		dst = append(dst, "\r\n"...)
	}
	if f.chunked {
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}
	switch {
	case f.upgrade != "":
		dst = append(dst, "Connection: Upgrade\r\n"...)
		dst = appendField(dst, "Upgrade", []byte(f.upgrade))
	case r.Status < 200:
	case f.close:
		dst = append(dst, "Connection: close\r\n"...)
	case c.work.oldHTTP:
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// relayBody gathers what is there and writes before it waits.
func (c *conn) relayBody(up *upstream.Conn, f answerFraming) error {
	w := c.work
	for relayed := 0; ; {
		if !w.downBody.Ready() {
			if err := c.flush(); err != nil {
				return err
			}
		}
		if relayed >= largeAnswer {
			w.enlarge(&up.Reader)
		}
		piece, err := w.downBody.Next()
		if err == io.EOF {
			if f.chunked {
				w.out = c.appendTrailers(w.out, w.downBody.Trailer(), w.response.Nominated)
			}
			return nil
		}
		if err == nil {
			err = c.sendPiece(piece, f.chunked)
		}
		if err != nil {
			return err
		}
		relayed += len(piece)
	}
}

// answerCut tells of an answer whose beginning the client has got already: all
// that is left is to let it notice.
func (c *conn) answerCut(err error) {
	var gone *clientError
	if errors.As(err, &gone) || c.severed() {
		c.server.log.Debug("answer not taken", zap.String("remote", c.remote), zap.Error(err))
		return
	}
	c.server.log.Warn("the application's answer was cut short",
		zap.String("remote", c.remote), zap.String("reason", "answer_truncated"), zap.Error(err))
}

// chunkRoom is what a chunk takes beyond its data, at most.
const chunkRoom = len("4000\r\n") + len("\r\n")

// sendPiece adds a piece of body to out, writing full records as they come.
func (c *conn) sendPiece(piece []byte, chunked bool) error {
	w := c.work
	room := 0
	if chunked {
		room = chunkRoom
	}
	if !chunked && len(w.out) == 0 && len(piece) >= bufferSize/4 {
		return c.send(piece) // not worth gathering
	}
	for len(piece) > 0 {
		n := min(len(piece), bufferSize-len(w.out)-room)
		if n <= 0 {
			if err := c.flush(); err != nil {
				return err
			}
			continue
		}
		w.out = appendPiece(w.out, piece[:n], chunked)
		piece = piece[n:]
	}
	return nil
}

// appendPiece adds body bytes, as a chunk of their own where chunked.
func appendPiece(dst, piece []byte, chunked bool) []byte {
	if !chunked {
		return append(dst, piece...)
	}
	dst = http1.AppendChunkHead(dst, len(piece))
	dst = append(dst, piece...)
	return append(dst, "\r\n"...)
}

// appendTrailers ends a chunked body, passing trailers on but those that must
// not come so late (RFC 9110 §6.5.1) or from a client.
func (c *conn) appendTrailers(dst []byte, trailers []http1.Field, nominated func([]byte) bool) []byte {
	dst = append(dst, "0\r\n"...)
	for i := range trailers {
		field := &trailers[i]
		if c.server.stripper.DropTrailer(field.Name) || (nominated != nil && nominated(field.Name)) {
			continue
		}
		dst = append(dst, field.Name...)
		dst = append(dst, ": "...)
		dst = append(dst, field.Value...)
		dst = append(dst, "\r\n"...)
	}
	return append(dst, "\r\n"...)
}
