package proxy

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
)

// discarding is what abusedApp does.
func discarding(held *atomic.Int64, large string) exchangeFunc {
	return func(conn net.Conn, r *bufio.Reader, head string) bool {
		answer := okAnswer
		switch {
		case strings.Contains(head, " /hold "):
			held.Add(1)
			return mute(conn, r, head)
		case strings.Contains(head, " /large "):
			answer = large
		}
		if _, _, err := appBody(r, head); err != nil {
			return false
		}
		_, err := io.WriteString(conn, answer)
		return err == nil
	}
}

// flooded is enough of frames of so many bytes for what the sidecar puts up with.
func flooded(bytes int) int { return 2 * floodSlack / bytes }

func TestAbuseByFramesIsBoundedAndLeavesTheOthersServed(t *testing.T) {
	big := strings.Repeat("x", 16000)
	var settings strings.Builder
	for id := range uint16(100) {
		settings.WriteString(setting(1000+id, 1))
	}
	same := func(frame string) func(*wireClient, int) string {
		return func(*wireClient, int) string { return frame }
	}
	posting := func(c *wireClient) { c.send(c.post(1, "/")) }
	held := func(c *wireClient) { c.send(c.get(1, "/hold")) }
	flood := []Event{H2Flood}
	for _, a := range []abuse{
		{name: "unknown frames", unit: same(frame(frameUnknown, 0, 0, big)), times: flooded(16000), event: flood},
		{name: "settings of 100 values", unit: same(frame(frameSettings, 0, 0, settings.String())), times: flooded(600), event: flood},
		{name: "settings, unread", unit: same(frame(frameSettings, 0, 0, settings.String())), times: flooded(600), deaf: true, event: flood},
		{name: "pings, unread", unit: same(frame(framePing, 0, 0, "12345678")), times: flooded(17), deaf: true},
		{name: "DATA of padding alone", open: posting, unit: same(frame(frameData, flagPadded, 1, "\xff", strings.Repeat("\x00", 255))), times: flooded(265), event: flood},
		{name: "empty DATA", open: posting, unit: same(frame(frameData, 0, 1)), times: 50000, goes: true},
		{name: "DATA on a closed stream", open: func(c *wireClient) { c.send(c.get(1, "/")) }, unit: same(frame(frameData, 0, 1, big)), times: flooded(16000), event: flood},
		{name: "empty CONTINUATION", open: func(c *wireClient) { c.send(frame(frameHeaders, 0, 1)) }, unit: same(frame(frameContinuation, 0, 1)), times: flooded(9), event: flood},
		{name: "CONTINUATION of table sizes", open: func(c *wireClient) { c.send(frame(frameHeaders, 0, 1)) },
			unit: same(frame(frameContinuation, 0, 1, strings.Repeat("\x20", 16000))), times: flooded(16000), event: flood},
		{name: "CONTINUATION of fields", open: func(c *wireClient) { c.send(frame(frameHeaders, 0, 1, fieldBlock(pseudo("GET", "/")...))) },
			unit: same(frame(frameContinuation, 0, 1, fieldBlock("x", big))), times: flooded(16000), said: "PROTOCOL_ERROR"}, // CVE-2023-45288
		{name: "priority churn", unit: func(_ *wireClient, i int) string { return frame(framePriority, 0, odd(i), 0, "\x10") }, times: 20000, goes: true},
		{name: "windows by one byte", unit: same(frame(frameWindow, 0, 0, 1)), times: 20000, goes: true},
		{name: "windows up and down", open: held, unit: func(_ *wireClient, i int) string {
			return frame(frameSettings, 0, 0, setting(settingWindow, uint32(i%2*65535)))
		}, times: 20000, goes: true},
		{name: "resets of a closed stream", open: func(c *wireClient) { c.send(c.get(1, "/")) }, unit: same(frame(frameReset, 0, 1, 8)), times: 20000, goes: true},
		{name: "GOAWAY", open: held, unit: same(frame(frameGoAway, 0, 0, 0, 0, big)), times: flooded(16000), event: flood},
	} {
		t.Run(a.name, a.test)
	}
}

func TestAbuseByRequestsIsBoundedAndLeavesTheOthersServed(t *testing.T) {
	long := strings.Repeat("x", 1000)
	bomb := fieldBlock(pseudo("GET", "/")...) + strings.Repeat("\xbe", 10000)
	flood, resets := []Event{H2Flood}, []Event{H2Resets}
	// net/http closes, and counts nothing, where 10,000 of its own resets are waiting.
	faults := []Event{H2Resets, H2ProtocolError}
	for _, a := range []abuse{
		{name: "rapid reset (CVE-2023-44487)", unit: func(c *wireClient, i int) string {
			return c.get(odd(i), "/hold") + frame(frameReset, 0, odd(i), 8)
		}, times: 100000, event: resets},
		{name: "rapid reset, unread", unit: func(c *wireClient, i int) string {
			return c.get(odd(i), "/hold") + frame(frameReset, 0, odd(i), 8)
		}, times: 100000, deaf: true, event: resets},
		{name: "having us reset by WINDOW_UPDATE of 0 (CVE-2025-8671)", unit: func(c *wireClient, i int) string {
			return c.get(odd(i), "/hold") + frame(frameWindow, 0, odd(i), 0)
		}, times: 100000, event: faults},
		{name: "having us reset by too large a window", unit: func(c *wireClient, i int) string {
			return c.get(odd(i), "/hold") + frame(frameWindow, 0, odd(i), 1<<31-1)
		}, times: 100000, event: faults},
		{name: "having us reset by DATA after END_STREAM", unit: func(c *wireClient, i int) string {
			return c.get(odd(i), "/hold") + frame(frameData, 0, odd(i))
		}, times: 100000}, // net/http calls it by the name of what honest clients do: see countFault
		{name: "having us reset by PRIORITY on itself", unit: func(c *wireClient, i int) string {
			return c.get(odd(i), "/hold") + frame(framePriority, 0, odd(i), int(odd(i)), "\x10")
		}, times: 100000, event: faults},
		{name: "requests without a path", unit: func(c *wireClient, i int) string {
			return c.headers(odd(i), flagEndStream, ":method", "GET", "x", long)
		}, times: flooded(700), event: flood},
		{name: "names of no length", unit: func(c *wireClient, i int) string { return c.get(odd(i), "/", "", long) }, times: flooded(700), event: flood},
		{name: "references to one large field", open: func(c *wireClient) {
			c.send(frame(frameHeaders, flagEndHeaders|flagEndStream, 1, fieldBlock(pseudo("GET", "/")...)+"\x40\x01a\x7f\x81\x1e"+strings.Repeat("v", 3968)))
		}, unit: func(c *wireClient, i int) string {
			return frame(frameHeaders, flagEndHeaders|flagEndStream, odd(i)+2, bomb)
		}, times: flooded(10000), event: flood},
	} {
		t.Run(a.name, a.test)
	}
}
