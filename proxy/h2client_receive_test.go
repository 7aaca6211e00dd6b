package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// receive reads frames until the connection ends.
func (h *h2client) receive() {
	defer close(h.done)
	framer := http2.NewFramer(io.Discard, h.conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	framer.MaxHeaderListSize = 16 << 20
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			h.ends(err)
			return
		}
		h.mu.Lock()
		err = h.take(frame)
		h.news.Broadcast()
		h.mu.Unlock()
		if err == nil {
			err = h.acknowledge(frame)
		}
		if err != nil {
			h.conn.Close()
			h.ends(err)
			return
		}
	}
}

// ends tells everybody that nothing more will come. What had not ended is cut.
func (h *h2client) ends(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.end = io.ErrUnexpectedEOF
	if errors.Is(err, io.EOF) && h.clean() {
		h.end = io.EOF
	}
	for _, s := range h.streams {
		h.closes(s, fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err))
	}
	h.news.Broadcast()
}

// acknowledge answers a frame that wants it.
func (h *h2client) acknowledge(frame http2.Frame) error {
	h.writing.Lock()
	defer h.writing.Unlock()
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return h.framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return h.framer.WritePing(true, f.Data)
		}
	}
	return nil
}

// take takes in one frame. An error is one that no client would bear with.
func (h *h2client) take(frame http2.Frame) error {
	id := frame.Header().StreamID
	s := h.streams[id]
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		return f.ForeachSetting(h.setting)
	case *http2.PingFrame:
		if f.IsAck() {
			h.pings = f.Data[0]
		}
	case *http2.GoAwayFrame:
		h.leaving = true
		for id, s := range h.streams {
			if id > f.LastStreamID || f.ErrCode != http2.ErrCodeNo { // an error ends the connection
				h.closes(s, fmt.Errorf("%w: GOAWAY %v %q", io.ErrUnexpectedEOF, f.ErrCode, f.DebugData()))
			}
		}
	case *http2.WindowUpdateFrame:
		if id == 0 {
			h.window += int64(f.Increment)
		} else if s != nil {
			s.window += int64(f.Increment)
		}
	case *http2.RSTStreamFrame:
		if s != nil {
			h.closes(s, fmt.Errorf("%w: RST_STREAM %v", io.ErrUnexpectedEOF, f.ErrCode))
		}
	case *http2.MetaHeadersFrame:
		if s == nil || s.ended {
			return fmt.Errorf("HEADERS on stream %d, which is not open", id)
		}
		return h.head(s, f)
	case *http2.DataFrame:
		if s == nil || !s.final || s.ended {
			return fmt.Errorf("DATA on stream %d, which is not open or has no head", id)
		}
		return h.data(s, f)
	}
	return nil
}

func (h *h2client) setting(s http2.Setting) error {
	switch s.ID {
	case http2.SettingInitialWindowSize:
		for _, open := range h.streams {
			open.window += int64(s.Val) - h.initial
		}
		h.initial = int64(s.Val)
	case http2.SettingMaxConcurrentStreams:
		h.most = s.Val
	case http2.SettingMaxFrameSize:
		h.largest = int(s.Val)
	}
	return nil
}

// closes ends a stream, with a fault or whole. A fault that comes after a whole
// answer says that no more of the request is wanted (RFC 9113 §8.1).
func (h *h2client) closes(s *h2stream, fault error) {
	if fault != nil {
		s.stuck = true
	}
	if !s.ended {
		s.ended, s.fault = true, fault
	}
	if s.sent || s.stuck {
		delete(h.streams, s.id)
	}
}

// sentAll takes note that a request has been sent whole.
func (h *h2client) sentAll(s *h2stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.sent = true; s.ended {
		delete(h.streams, s.id)
		h.news.Broadcast()
	}
}

// head writes an answer's head, or its trailer section, in HTTP/1.1.
func (h *h2client) head(s *h2stream, f *http2.MetaHeadersFrame) error {
	if f.Truncated {
		return errors.New("a field section larger than the test's client takes")
	}
	if s.final {
		return h.trailer(s, f)
	}
	status, err := strconv.Atoi(f.PseudoValue("status"))
	if err != nil || status < 100 || status == 101 {
		return fmt.Errorf(":status %q", f.PseudoValue("status"))
	}
	fmt.Fprintf(&s.text, "HTTP/1.1 %03d %s\r\n", status, http.StatusText(status))
	for _, field := range f.RegularFields() {
		if hopByHop(field.Name) {
			return fmt.Errorf("the answer has the field %s, which RFC 9113 §8.2.2 forbids", field.Name)
		}
		fmt.Fprintf(&s.text, "%s: %s\r\n", field.Name, field.Value)
		if field.Name != "content-length" {
			continue
		}
		if s.length, err = strconv.ParseInt(field.Value, 10, 64); err != nil {
			return fmt.Errorf("content-length: %w", err)
		}
	}
	if status < 200 {
		if f.StreamEnded() {
			return fmt.Errorf("an interim answer %d ends the stream", status)
		}
		s.text.WriteString("\r\n")
		return nil
	}
	s.final = true
	if s.method == "HEAD" || status == 204 || status == 304 {
		s.length = 0
	} else if s.chunked = s.length < 0; s.chunked {
		s.text.WriteString("Transfer-Encoding: chunked\r\n")
	}
	if h.leaving || s.last {
		s.text.WriteString("Connection: close\r\n")
	}
	s.text.WriteString("\r\n")
	if f.StreamEnded() {
		return h.finish(s, "")
	}
	return nil
}

// data writes a piece of a body in HTTP/1.1.
func (h *h2client) data(s *h2stream, f *http2.DataFrame) error {
	p := f.Data()
	s.got += int64(len(p))
	s.owed += int64(f.Length)
	switch {
	case !s.chunked && s.got > s.length:
		return fmt.Errorf("%d bytes of a body of %d", s.got, s.length)
	case !s.chunked:
		s.text.Write(p)
	case len(p) > 0:
		fmt.Fprintf(&s.text, "%x\r\n%s\r\n", len(p), p)
	}
	if f.StreamEnded() {
		return h.finish(s, "")
	}
	return nil
}

func (h *h2client) trailer(s *h2stream, f *http2.MetaHeadersFrame) error {
	if !f.StreamEnded() {
		return errors.New("a trailer section that does not end the stream")
	}
	var section bytes.Buffer
	for _, field := range f.RegularFields() {
		fmt.Fprintf(&section, "%s: %s\r\n", field.Name, field.Value)
	}
	return h.finish(s, section.String())
}

// finish ends an answer that is whole.
func (h *h2client) finish(s *h2stream, trailer string) error {
	switch {
	case s.chunked:
		fmt.Fprintf(&s.text, "0\r\n%s\r\n", trailer)
	case s.got != s.length:
		return fmt.Errorf("the stream ended after %d bytes of %d", s.got, s.length)
	}
	h.closes(s, nil)
	return nil
}
