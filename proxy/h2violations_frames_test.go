package proxy

import (
	"strings"
	"testing"
)

// Violations of RFC 9113 §6: each frame type's own rules.

// short is why net/http closes without GOAWAY where a frame ends within its
// fixed part: it takes that for the end of the connection.
const short = "the connection is closed as well, and only the reason is not told"

func TestViolationsOfDataAndHeaders(t *testing.T) {
	opened := func(kind, flags byte, stream uint32, payload ...any) func(*wireClient) string {
		return func(c *wireClient) string {
			return frame(frameHeaders, flagEndStream, 1, c.fields(pseudo("GET", "/")...)) + frame(kind, flags, stream, payload...) +
				frame(frameContinuation, flagEndHeaders, 1)
		}
	}
	data := func(flags byte, payload ...any) func(*wireClient) string {
		return func(c *wireClient) string { return c.post(1, "/") + frame(frameData, flags, 1, payload...) }
	}
	headers := func(flags byte, before, after string) func(*wireClient) string {
		return func(c *wireClient) string {
			return frame(frameHeaders, flagEndHeaders|flagEndStream|flags, 1, before, c.fields(pseudo("GET", "/")...), after)
		}
	}
	testViolations(t, []violation{
		{name: "DATA on stream 0", rfc: "§6.1", send: sends(frame(frameData, 0, 0, "x")), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "DATA padded beyond its end", rfc: "§6.1", send: data(flagPadded|flagEndStream, "\x05four"), demands: "GOAWAY PROTOCOL_ERROR", reaches: "cut"},
		{name: "DATA padded to its end", rfc: "§6.1", send: data(flagPadded|flagEndStream, "\x04four"), demands: "200", reaches: "once"},
		{name: "DATA without its pad length", rfc: "§4.2", send: data(flagPadded | flagEndStream), reaches: "cut",
			demands: "GOAWAY FRAME_SIZE_ERROR or RST_STREAM FRAME_SIZE_ERROR", answers: "closed", deviates: short},
		{name: "DATA whose padding is not zero", rfc: "§6.1", send: data(flagPadded|flagEndStream, "\x04bodyjunk"),
			demands: "200 or GOAWAY PROTOCOL_ERROR", answers: "200", reaches: "once"},
		{name: "HEADERS padded beyond their end", rfc: "§6.2", send: sends(frame(frameHeaders, flagEndHeaders|flagEndStream|flagPadded, 1, "\xffx")),
			demands: "GOAWAY PROTOCOL_ERROR", answers: "RST_STREAM PROTOCOL_ERROR",
			deviates: "the request is not served; what the block put into the table is lost, which makes the client's own next blocks unreadable"},
		{name: "HEADERS without their pad length", rfc: "§4.2", send: sends(frame(frameHeaders, flagEndHeaders|flagEndStream|flagPadded, 1)),
			demands: "GOAWAY FRAME_SIZE_ERROR", answers: "closed", deviates: short},
		{name: "HEADERS whose padding is not zero", rfc: "§6.2", send: headers(flagPadded, "\x04", "junk"),
			demands: "200 or GOAWAY PROTOCOL_ERROR", answers: "200", reaches: "once"},
		{name: "HEADERS without their priority", rfc: "§4.2", send: sends(frame(frameHeaders, flagEndHeaders|flagEndStream|flagPriority, 1, "abc")),
			demands: "GOAWAY FRAME_SIZE_ERROR", answers: "closed", deviates: short},
		{name: "DATA within a block", rfc: "§6.2", send: opened(frameData, 0, 1, "x"), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "HEADERS within a block", rfc: "§6.2", send: opened(frameHeaders, flagEndHeaders|flagEndStream, 3, fieldBlock(pseudo("GET", "/")...)), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "a PING within a block", rfc: "§6.2", send: opened(framePing, 0, 0, "12345678"), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "RST_STREAM within a block", rfc: "§6.2", send: opened(frameReset, 0, 1, 8), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "an unknown frame within a block", rfc: "§5.5", send: opened(frameUnknown, 0, 1), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "CONTINUATION of another stream", rfc: "§6.10", send: opened(frameContinuation, flagEndHeaders, 3), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "CONTINUATION on stream 0", rfc: "§6.10", send: opened(frameContinuation, flagEndHeaders, 0), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "CONTINUATION after the end of a block", rfc: "§6.10", send: func(c *wireClient) string {
			return c.post(1, "/hold") + frame(frameContinuation, flagEndHeaders, 1)
		}, demands: "GOAWAY PROTOCOL_ERROR", reaches: "cut"},
	})
}

func TestViolationsOfPriorityResetPushPingAndGoAway(t *testing.T) {
	testViolations(t, []violation{
		{name: "PRIORITY on stream 0", rfc: "§6.3", send: sends(frame(framePriority, 0, 0, 0, "\x10")), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "PRIORITY of 4 bytes", rfc: "§6.3", send: sends(frame(framePriority, 0, 1, 0)), demands: "RST_STREAM FRAME_SIZE_ERROR",
			answers: "GOAWAY FRAME_SIZE_ERROR"},
		{name: "RST_STREAM on stream 0", rfc: "§6.4", send: sends(frame(frameReset, 0, 0, 8)), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "RST_STREAM of 3 bytes", rfc: "§6.4", send: func(c *wireClient) string { return c.get(1, "/hold") + frame(frameReset, 0, 1, "abc") },
			demands: "GOAWAY FRAME_SIZE_ERROR", reaches: "perhaps"},
		{name: "RST_STREAM of 5 bytes", rfc: "§6.4", send: func(c *wireClient) string { return c.get(1, "/hold") + frame(frameReset, 0, 1, "abcde") },
			demands: "GOAWAY FRAME_SIZE_ERROR", reaches: "perhaps"},
		{name: "PUSH_PROMISE from a client", rfc: "§8.4", send: func(c *wireClient) string {
			return c.post(1, "/hold") + frame(framePush, flagEndHeaders, 1, 2, fieldBlock(pseudo("GET", "/")...))
		}, demands: "GOAWAY PROTOCOL_ERROR", reaches: "cut"},
		{name: "PUSH_PROMISE on stream 0", rfc: "§6.6", send: sends(frame(framePush, flagEndHeaders, 0, 2)), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "PUSH_PROMISE of 3 bytes", rfc: "§8.4", send: sends(frame(framePush, flagEndHeaders, 1, "abc")),
			demands: "GOAWAY PROTOCOL_ERROR or GOAWAY FRAME_SIZE_ERROR", answers: "closed", deviates: short},
		{name: "a PING of 7 bytes", rfc: "§6.7", send: sends(frame(framePing, 0, 0, "1234567")), demands: "GOAWAY FRAME_SIZE_ERROR"},
		{name: "a PING on a stream", rfc: "§6.7", send: sends(frame(framePing, 0, 1, "12345678")), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "an answer to no PING", rfc: "§6.7", send: sends(frame(framePing, flagAck, 0, "12345678")), demands: "ignored"},
		{name: "GOAWAY on a stream", rfc: "§6.8", send: sends(frame(frameGoAway, 0, 1, 0, 0)), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "GOAWAY of 7 bytes", rfc: "§6.8", send: sends(frame(frameGoAway, 0, 0, "1234567")), demands: "GOAWAY FRAME_SIZE_ERROR"},
		{name: "a request after GOAWAY", rfc: "§6.8", send: func(c *wireClient) string { return frame(frameGoAway, 0, 0, 0, 0) + c.get(1, "/") },
			demands: "200", answers: "GOAWAY NO_ERROR", deviates: "whoever says that it goes is let go; the last stream told is 0, so that the request may be sent again"},
	})
}

func TestViolationsOfSettings(t *testing.T) {
	settings := func(all ...string) func(*wireClient) string {
		return sends(frame(frameSettings, 0, 0, strings.Join(all, "")))
	}
	var many []string
	for id := range uint16(101) {
		many = append(many, setting(1000+id, 1))
	}
	const large = "no client sends so many"
	testViolations(t, []violation{
		{name: "an acknowledgement with a payload", rfc: "§6.5", send: sends(frame(frameSettings, flagAck, 0, setting(settingPush, 0))), demands: "GOAWAY FRAME_SIZE_ERROR"},
		{name: "two acknowledgements of one", rfc: "§6.5.3", send: sends(frame(frameSettings, flagAck, 0), frame(frameSettings, flagAck, 0)),
			demands: "ignored", answers: "GOAWAY PROTOCOL_ERROR", deviates: "the RFC has no word for it, and no client does it"},
		{name: "on a stream", rfc: "§6.5", send: sends(frame(frameSettings, 0, 1, setting(settingPush, 0))), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "of 5 bytes", rfc: "§6.5", send: sends(frame(frameSettings, 0, 0, "12345")), demands: "GOAWAY FRAME_SIZE_ERROR"},
		{name: "ENABLE_PUSH of 2", rfc: "§6.5.2", send: settings(setting(settingPush, 2)), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "INITIAL_WINDOW_SIZE above the maximum", rfc: "§6.5.2", send: settings(setting(settingWindow, 1<<31)), demands: "GOAWAY FLOW_CONTROL_ERROR"},
		{name: "MAX_FRAME_SIZE below the minimum", rfc: "§6.5.2", send: settings(setting(settingFrameSize, 1<<14-1)), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "MAX_FRAME_SIZE above the maximum", rfc: "§6.5.2", send: settings(setting(settingFrameSize, 1<<24)), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "ENABLE_CONNECT_PROTOCOL of 2", rfc: "8441 §3", send: settings(setting(settingConnect, 2)), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "NO_RFC7540_PRIORITIES of 2", rfc: "9218 §2.1", send: settings(setting(9, 2)), demands: "GOAWAY PROTOCOL_ERROR",
			answers: "ignored", deviates: "net/http does not know the setting, and heeds no priorities of RFC 7540"},
		{name: "an unknown one", rfc: "§6.5.2", send: settings(setting(0, 1), setting(0xffff, 1<<32-1)), demands: "ignored"},
		{name: "one twice", rfc: "§6.5.3", send: settings(setting(settingWindow, 1), setting(settingWindow, 65535)), demands: "ignored",
			answers: "GOAWAY PROTOCOL_ERROR", deviates: "the RFC has them processed in order; no client sends one twice"},
		{name: "101 of them", rfc: "§6.5", send: settings(many...), demands: "ignored", answers: "GOAWAY PROTOCOL_ERROR", deviates: large},
		{name: "the largest table and list", rfc: "§6.5.2", send: settings(setting(settingTableSize, 1<<32-1), setting(settingListSize, 1<<32-1)), demands: "ignored"},
		{name: "no list at all", rfc: "§6.5.2", send: settings(setting(settingTableSize, 0), setting(settingListSize, 0)), demands: "ignored"},
		{name: "a larger window than a stream may have", rfc: "§6.9.2", send: func(c *wireClient) string {
			return c.get(1, "/hold") + frame(frameWindow, 0, 1, 1<<31-1-65535) + frame(frameSettings, 0, 0, setting(settingWindow, 65536))
		}, demands: "GOAWAY FLOW_CONTROL_ERROR", reaches: "perhaps"},
	})
}

func TestViolationsOfFlowControl(t *testing.T) {
	held := func(frames ...string) func(*wireClient) string {
		return func(c *wireClient) string { return c.get(1, "/hold") + strings.Join(frames, "") }
	}
	piece := frame(frameData, 0, 1, strings.Repeat("x", 16384))
	testViolations(t, []violation{
		{name: "WINDOW_UPDATE of 0", rfc: "§6.9", send: sends(frame(frameWindow, 0, 0, 0)), demands: "GOAWAY PROTOCOL_ERROR"},
		{name: "WINDOW_UPDATE of 0 on a stream", rfc: "§6.9", send: held(frame(frameWindow, 0, 1, 0)), demands: "RST_STREAM PROTOCOL_ERROR", reaches: "perhaps"},
		{name: "WINDOW_UPDATE with the reserved bit", rfc: "§6.9", send: sends(frame(frameWindow, 0, 0, "\x80\x00\x00\x01")), demands: "ignored"},
		{name: "WINDOW_UPDATE of 3 bytes", rfc: "§6.9", send: sends(frame(frameWindow, 0, 0, "abc")), demands: "GOAWAY FRAME_SIZE_ERROR"},
		{name: "WINDOW_UPDATE beyond the maximum", rfc: "§6.9.1", send: sends(frame(frameWindow, 0, 0, 1<<31-1)), demands: "GOAWAY FLOW_CONTROL_ERROR"},
		{name: "WINDOW_UPDATE of a stream beyond the maximum", rfc: "§6.9.1", send: held(frame(frameWindow, 0, 1, 1<<31-1)),
			demands: "RST_STREAM FLOW_CONTROL_ERROR", reaches: "perhaps"},
		{name: "more DATA than the windows allow", rfc: "§6.9.1", send: func(c *wireClient) string {
			// More than the kernel's buffers on the way take, and less than the sidecar takes for a flood.
			return c.post(1, "/hold") + strings.Repeat(piece, 7<<20/16384)
		}, demands: "RST_STREAM FLOW_CONTROL_ERROR", reaches: "cut"},
	})
}
