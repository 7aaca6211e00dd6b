package proxy

import (
	"errors"
	"io"
	"os"

	"mtls-sidecar/proxy/http1"
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
func (x *exchange) relayAnswer(source *http1.Reader, r *http1.Response) (ending, error) {
	w := x.work
	if u := x.work.answer.upload; u != nil && !u.read.Load() {
		x.freeBody(u)
	}
	framing := x.frame(r)
	x.account.answered, x.account.status = x.now, r.Status
	x.begun = false
	w.out = x.appendAnswerHead(w.out[:0], r, framing)
	body := r.Framing
	if x.call != nil {
		body = x.call.framing(body)
	}
	w.downBody.Reset(source, body, r.Length)
	x.enlarge(source, r.Length)
	err := x.relayBody(source, framing)
	if err == nil {
		err = x.flush()
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
func (x *exchange) frame(r *http1.Response) answerFraming {
	w := x.work
	if x.stream != nil {
		return answerFraming{close: x.leaving()} // the rest is in the frames
	}
	f := answerFraming{close: !w.request.KeepAlive || x.leaving()}
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
func (x *exchange) appendAnswerHead(dst []byte, r *http1.Response, f answerFraming) []byte {
	if x.stream != nil {
		x.stream.setHead(r, f)
		return dst
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = append(dst, byte('0'+r.Status/100), byte('0'+r.Status/10%10), byte('0'+r.Status%10), ' ')
	dst = append(dst, r.Reason...)
	dst = append(dst, "\r\n"...)
	for i := range r.Fields {
		field := &r.Fields[i]
		value, passes := x.answerField(r, field)
		if !passes {
			continue
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
	case x.work.oldHTTP:
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// answerField is the value of an answer's field for the client, if it is meant
// for more than this hop.
func (x *exchange) answerField(r *http1.Response, field *http1.Field) (value []byte, passes bool) {
	switch field.Kind {
	case http1.Connection, http1.KeepAlive, http1.ProxyConnection, http1.TransferEncoding, http1.Upgrade:
		return nil, false
	case http1.ContentLength:
		return field.Value, r.Status >= 200 && r.Status != 204 // RFC 9110 §8.6
	case http1.Vary:
		return x.server.variesFor(field.Value), !r.Nominated(field.Name)
	default:
		return field.Value, !r.Nominated(field.Name)
	}
}

// relayBody gathers what is there and writes before it waits.
func (x *exchange) relayBody(source *http1.Reader, f answerFraming) error {
	w := x.work
	for relayed := int64(0); ; {
		if !w.downBody.Ready() {
			if err := x.push(); err != nil {
				return err
			}
		}
		x.enlarge(source, relayed)
		piece, err := w.downBody.Next()
		if err == io.EOF {
			trailers := x.answerTrailers()
			switch {
			case f.chunked:
				w.out = appendTrailers(w.out, trailers)
			case x.stream != nil && len(trailers) > 0:
				if err := x.flush(); err != nil {
					return err
				}
				x.stream.setTrailers(trailers)
			}
			return nil
		}
		if err == nil {
			err = x.sendPiece(piece, f.chunked)
		}
		if err != nil {
			return err
		}
		relayed += int64(len(piece))
		x.account.bytes += int64(len(piece))
	}
}

// answerCut tells of an answer whose beginning the client has got already: all
// that is left is to let it notice.
func (x *exchange) answerCut(err error) {
	var gone *clientError
	if errors.As(err, &gone) || x.severed() {
		x.server.log.Debug("answer not taken", addressField(x.conn.remote), faultField(err))
		return
	}
	x.account.fault = upstreamCut
	if errors.Is(err, os.ErrDeadlineExceeded) {
		x.account.fault = upstreamTimeout
		x.server.events.count(UpstreamTimeout)
	}
	x.work.kept.lacks(truncated, err)
}

// chunkRoom is what a chunk takes beyond its data, at most.
const chunkRoom = len("4000\r\n") + len("\r\n")

// sendPiece adds a piece of body to out, writing full records as they come.
func (x *exchange) sendPiece(piece []byte, chunked bool) error {
	w := x.work
	room := 0
	if chunked {
		room = chunkRoom
	}
	if !chunked && len(w.out) == 0 && len(piece) >= bufferSize/4 {
		return x.send(piece) // not worth gathering
	}
	for len(piece) > 0 {
		n := min(len(piece), bufferSize-len(w.out)-room)
		if n <= 0 {
			if err := x.flush(); err != nil {
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

func (x *exchange) answerTrailers() []http1.Field {
	trailers := x.work.downBody.Trailer()
	if x.call != nil {
		trailers = x.call.answer.Trailer()
	}
	return x.trailersFor(trailers, x.work.response.Nominated)
}

// trailersFor is a trailer section without the fields that must not come so late
// (RFC 9110 §6.5.1) or from a client. It is made in place.
func (x *exchange) trailersFor(fields []http1.Field, nominated func([]byte) bool) []http1.Field {
	passing := fields[:0]
	for i := range fields {
		if !x.server.stripper.DropTrailer(fields[i].Name) && !nominated(fields[i].Name) {
			passing = append(passing, fields[i])
		}
	}
	return passing
}

// appendTrailers ends a chunked body.
func appendTrailers(dst []byte, trailers []http1.Field) []byte {
	dst = append(dst, "0\r\n"...)
	for i := range trailers {
		field := &trailers[i]
		dst = append(dst, field.Name...)
		dst = append(dst, ": "...)
		dst = append(dst, field.Value...)
		dst = append(dst, "\r\n"...)
	}
	return append(dst, "\r\n"...)
}
