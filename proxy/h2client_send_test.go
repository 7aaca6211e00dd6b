package proxy

import (
	"bytes"
	"io"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2upload is how a request's body is framed in the HTTP/1.1 that the test writes.
type h2upload struct {
	*h2stream
	chunked bool
	trailer bool  // the last chunk has come
	left    int64 // of the length, or of the chunk
	begun   bool  // the chunk's size has come
}

// hopByHop fields have no place in HTTP/2 (RFC 9113 §8.2.2). Tests that are about
// them are of HTTP/1.1 alone.
func hopByHop(name string) bool {
	switch name {
	case "connection", "keep-alive", "proxy-connection", "upgrade", "http2-settings", "transfer-encoding":
		return true
	}
	return false
}

// Write takes HTTP/1.1, in pieces of any size, and sends what is complete: a head
// at once, a body as it comes.
func (h *h2client) Write(p []byte) (int, error) {
	h.speak.Lock()
	defer h.speak.Unlock()
	h.text = append(h.text, p...)
	for {
		var more bool
		var err error
		if h.sending == nil {
			more, err = h.sendHead()
		} else {
			more, err = h.sendBody()
		}
		if err != nil {
			return 0, err
		}
		if !more {
			return len(p), nil
		}
	}
}

// sendHead sends the next head, if all of it is there.
func (h *h2client) sendHead() (bool, error) {
	h.text = bytes.TrimPrefix(h.text, []byte("\r\n"))
	head, rest, whole := bytes.Cut(h.text, []byte("\r\n\r\n"))
	if !whole {
		return false, nil
	}
	line, fields, _ := strings.Cut(string(head), "\r\n")
	method, target, _ := strings.Cut(line, " ")
	if end := strings.LastIndexByte(target, ' '); end >= 0 {
		target = target[:end]
	}
	up := &h2upload{h2stream: &h2stream{method: method, length: -1}}
	list, announced := up.readFields(strings.Split(fields, "\r\n"))
	h.text = rest
	switch {
	case up.chunked:
	case announced == "":
	default:
		length, err := strconv.ParseInt(announced, 10, 64)
		if err != nil || length < 0 { // nobody knows where it ends: what is there is it
			length = int64(len(rest))
		}
		up.left = length
	}
	pseudo := []hpack.HeaderField{{Name: ":method", Value: method}}
	if method != "CONNECT" { // RFC 9113 §8.5
		pseudo = append(pseudo, hpack.HeaderField{Name: ":scheme", Value: "https"}, hpack.HeaderField{Name: ":path", Value: target})
	}
	if err := h.opens(up, append(pseudo, list...)); err != nil {
		return false, err
	}
	return true, nil
}

// readFields turns lines into a field list, and tells the length that they announce.
func (up *h2upload) readFields(lines []string) (list []hpack.HeaderField, length string) {
	var authority []hpack.HeaderField
	for _, line := range lines {
		name, value, found := strings.Cut(line, ":")
		if !found && line == "" {
			continue
		}
		name, value = strings.ToLower(name), strings.Trim(value, " \t")
		switch {
		case name == "host" && authority == nil:
			authority = append(authority, hpack.HeaderField{Name: ":authority", Value: value})
			continue
		case name == "transfer-encoding":
			up.chunked = true
		case name == "connection" && strings.EqualFold(value, "close"):
			up.last = true
		case name == "content-length" && length == "":
			length = value
		case name == "te" && wantsTrailers([]byte(value)):
			value = "trailers" // RFC 9113 §8.2.2 allows nothing else
		case name == "te":
			continue
		}
		if !hopByHop(name) {
			list = append(list, hpack.HeaderField{Name: name, Value: value})
		}
	}
	return append(authority, list...), length
}

// opens sends a request's head on a new stream, once the server allows another.
func (h *h2client) opens(up *h2upload, list []hpack.HeaderField) error {
	h.mu.Lock()
	for h.end == nil && !h.leaving && uint32(len(h.streams)) >= h.most {
		h.news.Wait()
	}
	if h.end != nil || h.leaving {
		h.sending, h.text = nil, nil // as a write on a connection that is closing: nobody will read it
		h.mu.Unlock()
		return nil
	}
	bodiless := !up.chunked && up.left == 0
	up.id, up.window, up.sent = h.nextID, h.initial, bodiless
	h.nextID += 2
	h.streams[up.id] = up.h2stream
	h.answers = append(h.answers, up.h2stream)
	h.news.Broadcast()
	h.mu.Unlock()
	if !bodiless {
		h.sending = up
	}
	return h.writeFields(up.id, list, bodiless)
}

// writeFields sends a field section, in as many frames as it takes.
func (h *h2client) writeFields(id uint32, list []hpack.HeaderField, last bool) error {
	h.writing.Lock()
	defer h.writing.Unlock()
	h.block.Reset()
	for _, field := range list {
		if err := h.fields.WriteField(field); err != nil {
			return err
		}
	}
	const most = 16384 // what every peer takes (RFC 9113 §4.2)
	block := h.block.Bytes()
	first := block[:min(len(block), most)]
	block = block[len(first):]
	err := h.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: first, EndStream: last, EndHeaders: len(block) == 0})
	for err == nil && len(block) > 0 {
		next := block[:min(len(block), most)]
		block = block[len(next):]
		err = h.framer.WriteContinuation(id, len(block) == 0, next)
	}
	return err
}

// sendBody sends what there is of the body, and reports whether it came further.
func (h *h2client) sendBody() (bool, error) {
	up := h.sending
	switch {
	case up.trailer:
		return h.sendTrailer()
	case up.chunked && !up.begun:
		line, rest, whole := bytes.Cut(h.text, []byte("\r\n"))
		if !whole {
			return false, nil
		}
		size, _, _ := strings.Cut(string(line), ";")
		length, err := strconv.ParseInt(size, 16, 64)
		if err != nil {
			h.t.Errorf("HTTP/2 has no chunks, so that it has no word for the chunk size %q", line)
			return false, io.ErrClosedPipe
		}
		h.text, up.left, up.begun, up.trailer = rest, length, true, length == 0
		return true, nil
	case up.chunked && up.left == 0:
		if len(h.text) < 2 {
			return false, nil
		}
		h.text, up.begun = h.text[2:], false
		return true, nil
	case len(h.text) == 0:
		return false, nil
	}
	piece := h.text[:min(int64(len(h.text)), up.left)]
	up.left -= int64(len(piece))
	last := !up.chunked && up.left == 0
	err := h.writeData(up.h2stream, piece, last)
	h.text = h.text[len(piece):]
	if last {
		h.sending = nil
	}
	return true, err
}

// sendTrailer ends a chunked body, once its trailer section is there.
func (h *h2client) sendTrailer() (bool, error) {
	var trailer []byte
	if rest, empty := bytes.CutPrefix(h.text, []byte("\r\n")); empty {
		h.text = rest
	} else {
		var whole bool
		trailer, rest, whole = bytes.Cut(h.text, []byte("\r\n\r\n"))
		if !whole {
			return false, nil
		}
		h.text = rest
	}
	up := h.sending
	h.sending = nil
	if len(trailer) == 0 {
		return true, h.writeData(up.h2stream, nil, true)
	}
	list, _ := (&h2upload{h2stream: &h2stream{}}).readFields(strings.Split(string(trailer), "\r\n"))
	if h.isStuck(up.h2stream) {
		return true, nil
	}
	h.sentAll(up.h2stream)
	return true, h.writeFields(up.id, list, true)
}

func (h *h2client) isStuck(s *h2stream) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return s.stuck || h.end != nil
}

// writeData sends a piece of a body as the server's windows allow. What it no longer wants
// after an early answer is dropped; after a cut it is an error, as on a connection that is gone.
func (h *h2client) writeData(s *h2stream, p []byte, last bool) error {
	for {
		h.mu.Lock()
		for len(p) > 0 && h.end == nil && !s.stuck && (h.window <= 0 || s.window <= 0) {
			h.news.Wait()
		}
		if h.end != nil || s.stuck {
			fault := s.fault
			h.mu.Unlock()
			return fault
		}
		n := min(int64(len(p)), h.window, s.window, int64(h.largest))
		if len(p) == 0 {
			n = 0
		}
		h.window -= n
		s.window -= n
		h.mu.Unlock()
		end := last && n == int64(len(p))
		if end {
			h.sentAll(s)
		}
		h.writing.Lock()
		err := h.framer.WriteData(s.id, end, p[:n])
		h.writing.Unlock()
		if p = p[n:]; err != nil || len(p) == 0 {
			return err
		}
	}
}
