package proxy

import (
	"strings"
	"testing"
)

// sends is a row's send where nothing must be awaited.
func sends(frames ...string) func(*wireClient) string {
	return func(*wireClient) string { return strings.Join(frames, "") }
}

// Violations of RFC 9113 §3 to §5: how a connection begins, frames, streams.

func TestViolationsOfTheConnectionPreface(t *testing.T) {
	testViolations(t, []violation{
		{name: "another preface", rfc: "§3.4", raw: true, send: sends("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"),
			demands: "GOAWAY PROTOCOL_ERROR or closed", answers: "closed"},
		{name: "HTTP/1.1 where h2 was agreed on", rfc: "§3.4", raw: true, send: sends("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"),
			demands: "GOAWAY PROTOCOL_ERROR or closed", answers: "closed"},
		{name: "half a preface, then the end", rfc: "§3.4", raw: true, send: func(c *wireClient) string {
			c.send(h2preface[:12])
			_ = c.CloseWrite()
			return ""
		}, demands: "GOAWAY PROTOCOL_ERROR or closed", answers: "closed"},
		{name: "frames without a preface", rfc: "§3.4", raw: true, send: func(c *wireClient) string {
			return frame(frameSettings, 0, 0) + c.get(1, "/")
		}, demands: "GOAWAY PROTOCOL_ERROR or closed", answers: "closed"},
		{name: "a PING before SETTINGS", rfc: "§3.4", raw: true, send: sends(h2preface, frame(framePing, 0, 0, "12345678")),
			demands: "GOAWAY PROTOCOL_ERROR or closed", answers: "GOAWAY PROTOCOL_ERROR"},
		{name: "a request before SETTINGS", rfc: "§3.4", raw: true, send: func(c *wireClient) string { return h2preface + c.get(1, "/") },
			demands: "GOAWAY PROTOCOL_ERROR or closed", answers: "GOAWAY PROTOCOL_ERROR"},
		{name: "an unknown frame before SETTINGS", rfc: "§3.4", raw: true, send: sends(h2preface, frame(frameUnknown, 0, 0)),
			demands: "GOAWAY PROTOCOL_ERROR or closed", answers: "GOAWAY PROTOCOL_ERROR"},
		{name: "the preface twice", rfc: "§4.2", send: sends(h2preface), demands: "GOAWAY FRAME_SIZE_ERROR"},
	})
}

func TestViolationsOfFrameFormatAndSize(t *testing.T) {
	tooLarge := func(c *wireClient) int { return int(c.told(settingFrameSize, 16384)) + 1 }
	testViolations(t, []violation{
		{name: "an unknown frame", rfc: "§4.1", send: sends(frame(frameUnknown, 0xff, 0, "anything")), demands: "ignored"},
		{name: "an unknown frame on an idle stream", rfc: "§4.1", send: sends(frame(frameUnknown, 0, 1)), demands: "ignored"},
		{name: "unknown flags", rfc: "§4.1", send: sends(frame(framePing, 0xfe, 0, "12345678")), demands: "ignored"},
		{name: "the reserved bit", rfc: "§4.1", send: func(c *wireClient) string { return c.get(1<<31|1, "/") }, demands: "200", reaches: "once"},
		{name: "DATA that is too large", rfc: "§4.2", send: func(c *wireClient) string {
			n := tooLarge(c)
			return c.post(1, "/hold") + frame(frameData, 0, 1, strings.Repeat("x", n))
		}, demands: "RST_STREAM FRAME_SIZE_ERROR", answers: "GOAWAY FRAME_SIZE_ERROR", reaches: "cut"},
		{name: "HEADERS that are too large", rfc: "§4.2", send: func(c *wireClient) string {
			return frameHead(frameHeaders, flagEndHeaders|flagEndStream, 1, tooLarge(c))
		}, demands: "GOAWAY FRAME_SIZE_ERROR"},
		{name: "a CONTINUATION that is too large", rfc: "§4.2", send: func(c *wireClient) string {
			n := tooLarge(c)
			return frame(frameHeaders, flagEndStream, 1, c.fields(pseudo("GET", "/")...)) + frameHead(frameContinuation, flagEndHeaders, 1, n)
		}, demands: "GOAWAY FRAME_SIZE_ERROR"},
		{name: "SETTINGS that are too large", rfc: "§4.2", send: func(c *wireClient) string { return frameHead(frameSettings, 0, 0, tooLarge(c)) },
			demands: "GOAWAY FRAME_SIZE_ERROR"},
		{name: "an unknown frame of 16 MiB", rfc: "§4.2", send: sends(frameHead(frameUnknown, 0, 0, 1<<24-1)), demands: "GOAWAY FRAME_SIZE_ERROR"},
	})
}

func TestViolationsOfStreamStates(t *testing.T) {
	done := func(c *wireClient) {
		c.send(c.get(1, "/"))
		c.outcome(1)
	}
	reset := func(c *wireClient) string { return c.get(1, "/hold") + frame(frameReset, 0, 1, 8) }
	const data = "\x00\x00\x01\x00\x00\x00\x00\x00\x01x"
	testViolations(t, []violation{
		{name: "DATA on an idle stream", rfc: "§5.1", send: sends(data), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "RST_STREAM on an idle stream", rfc: "§5.1", send: sends(frame(frameReset, 0, 1, 8)), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "WINDOW_UPDATE on an idle stream", rfc: "§5.1", send: sends(frame(frameWindow, 0, 1, 1)), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "WINDOW_UPDATE on a stream of the server's", rfc: "§5.1", send: sends(frame(frameWindow, 0, 2, 1)), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "CONTINUATION on an idle stream", rfc: "§5.1", send: sends(frame(frameContinuation, flagEndHeaders, 1)), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "PRIORITY on an idle stream", rfc: "§5.1", send: sends(frame(framePriority, 0, 1, 0, "\x10")), demands: "ignored"},
		{name: "DATA on a half-closed stream", rfc: "§5.1", send: func(c *wireClient) string { return c.get(1, "/hold") + data },
			demands: "RST_STREAM STREAM_CLOSED", reaches: "perhaps"},
		{name: "HEADERS on a half-closed stream", rfc: "§5.1", send: func(c *wireClient) string {
			return c.get(1, "/hold") + frame(frameHeaders, flagEndHeaders|flagEndStream, 1, fieldBlock("x-trailer", "1"))
		}, demands: "RST_STREAM STREAM_CLOSED", reaches: "perhaps"},
		{name: "DATA on a closed stream", rfc: "§6.1", send: func(c *wireClient) string { done(c); return data },
			demands: "RST_STREAM STREAM_CLOSED", reaches: "once"},
		{name: "HEADERS on a closed stream", rfc: "§5.1.1", send: func(c *wireClient) string { done(c); return c.get(1, "/") },
			demands: "GOAWAY PROTOCOL_ERROR or GOAWAY STREAM_CLOSED", answers: "GOAWAY PROTOCOL_ERROR", reaches: "once"},
		{name: "RST_STREAM on a closed stream", rfc: "§5.1", send: func(c *wireClient) string { done(c); return frame(frameReset, 0, 1, 8) },
			demands: "ignored", reaches: "once"},
		{name: "WINDOW_UPDATE on a closed stream", rfc: "§5.1", send: func(c *wireClient) string { done(c); return frame(frameWindow, 0, 1, 1) },
			demands: "ignored", reaches: "once"},
		{name: "PRIORITY on a closed stream", rfc: "§5.1", send: func(c *wireClient) string { done(c); return frame(framePriority, 0, 1, 0, "\x10") },
			demands: "ignored", reaches: "once"},
		{name: "DATA after RST_STREAM", rfc: "§6.1", send: func(c *wireClient) string { return reset(c) + data },
			demands: "RST_STREAM STREAM_CLOSED", reaches: "perhaps"},
		{name: "HEADERS after RST_STREAM", rfc: "§5.1.1", send: func(c *wireClient) string { return reset(c) + c.get(1, "/") },
			demands: "GOAWAY PROTOCOL_ERROR or GOAWAY STREAM_CLOSED", answers: "GOAWAY PROTOCOL_ERROR", reaches: "perhaps"},
		{name: "a request on a stream of the server's", rfc: "§5.1.1", send: func(c *wireClient) string { return c.get(2, "/") },
			demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "a request on stream 0", rfc: "§6.2", send: func(c *wireClient) string { return c.get(0, "/") }, demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "a stream that was passed over", rfc: "§5.1.1", send: func(c *wireClient) string {
			c.send(c.get(3, "/"))
			c.outcome(3)
			return c.get(1, "/")
		}, demands: "GOAWAY PROTOCOL_ERROR", reaches: "once"},
		{name: "DATA on a stream that was passed over", rfc: "§5.1.1", send: func(c *wireClient) string {
			c.send(c.get(3, "/"))
			c.outcome(3)
			return data
		}, demands: "GOAWAY PROTOCOL_ERROR or RST_STREAM STREAM_CLOSED", answers: "RST_STREAM STREAM_CLOSED", reaches: "once"},
		{name: "a request that depends on itself", rfc: "§5.3.2", send: func(c *wireClient) string {
			return frame(frameHeaders, flagEndHeaders|flagEndStream|flagPriority, 1, 1, "\x10", c.fields(pseudo("GET", "/")...))
		}, demands: "200", answers: "RST_STREAM PROTOCOL_ERROR", deviates: "RFC 7540 §5.3.1 demands it; no client does this, and one that does is told"},
		{name: "PRIORITY on itself", rfc: "§5.3.2", send: sends(frame(framePriority, 0, 1, 1, "\x10")), demands: "ignored",
			answers: "RST_STREAM PROTOCOL_ERROR", deviates: "RFC 7540 §5.3.1 demands it; the stream is idle and stays so"},
		{name: "PRIORITY on itself, on an open stream", rfc: "§5.3.2", send: func(c *wireClient) string {
			return c.get(1, "/hold") + frame(framePriority, 0, 1, 1, "\x10")
		}, demands: "ignored", answers: "RST_STREAM PROTOCOL_ERROR", reaches: "perhaps",
			deviates: "RFC 7540 §5.3.1 demands it; the request is cut, which its client has brought about"},
	})
}
