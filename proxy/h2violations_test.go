package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
)

// violation is something that a client must not send, or may send and nobody
// expects. What it demands is what the RFC says, in the words of
// wireClient.outcome or "ignored"; alternatives are joined by "or". Where we
// answer otherwise, the row says what and why that does no harm. An RFC number
// stands before the section where it is not 9113.
type violation struct {
	name, rfc string
	send      func(c *wireClient) string // returns the frames that go last
	demands   string
	answers   string // which of the alternatives, or what deviates; empty: what is demanded
	deviates  string // why it may
	reaches   string // the application: "" never, "once", "perhaps" (a race that both may win), "cut" (perhaps, and never whole)
	arrives   string // a line that the application's head must have
	raw       bool   // nothing has been sent before
	on        uint32 // the stream that is looked at; 0: stream 1
}

// malformed is a stream error, or an answer of 400 before it: RFC 9113 §8.1.1.
const malformed = "RST_STREAM PROTOCOL_ERROR or 400"

// conforms reports whether an answer is one that is demanded. A stream error may
// be treated as a connection error (RFC 9113 §5.4.1).
func conforms(answer, demands string) bool {
	for demand := range strings.SplitSeq(demands, " or ") {
		code, stream := strings.CutPrefix(demand, "RST_STREAM ")
		if answer == demand || stream && answer == "GOAWAY "+code {
			return true
		}
	}
	return false
}

// spoof is what a client says of itself in the application's words.
const spoof = "SPOOFED"

// reached is a request as the application got it.
type reached struct {
	head, trailer string
	whole         bool
}

// reachedApp are requests by the rows that sent them.
type reachedApp struct {
	mu  sync.Mutex
	row map[string][]reached
}

// wireApp keeps what it gets. On /hold it never answers, and reads no body.
func wireApp(t testing.TB) (*backend, *reachedApp) {
	seen := &reachedApp{row: map[string][]reached{}}
	return startBackend(t, func(conn net.Conn, r *bufio.Reader, head string) bool {
		hold := strings.Contains(head, " /hold ")
		whole, trailer := !strings.Contains(head, "\r\nTransfer-Encoding:"), []string(nil)
		if !hold {
			var err error
			_, trailer, err = appBody(r, head)
			whole = err == nil
		}
		tag := strings.Join(values(head, "X-Row"), ",")
		seen.mu.Lock()
		seen.row[tag] = append(seen.row[tag], reached{head, strings.Join(trailer, "\n"), whole})
		seen.mu.Unlock()
		if hold {
			_ = mute(conn, r, head)
			return false
		}
		_, answered := io.WriteString(conn, okAnswer)
		return whole && answered == nil
	}), seen
}

// testViolations commits each row on a connection of its own.
func testViolations(t *testing.T, rows []violation) {
	t.Parallel() // net/http waits a second before it closes what it has given up
	app, seen := wireApp(t)
	s := startSidecar(t, app.url)
	certificate := &testCA(t).client
	var clients []*wireClient
	for i, row := range rows {
		c := s.dialWire(t, certificate)
		clients = append(clients, c)
		t.Run(row.name, func(t *testing.T) {
			c.t = t
			row.test(t, c, fmt.Sprint(i))
			fresh := s.openWire(t, certificate)
			fresh.tag = "fresh"
			fresh.send(fresh.get(1, "/"))
			if got := fresh.outcome(1); got != "200" {
				t.Errorf("a fresh connection afterwards: %s, want 200", got)
			}
			fresh.Close()
		})
	}
	for _, c := range clients {
		c.t = t
		c.end()
	}
	waitFor(t, "every connection has ended", func() bool { return s.open() == 0 })
	seen.check(t, rows)
}

func (row violation) test(t *testing.T, c *wireClient, tag string) {
	if c.tag = tag; !row.raw {
		c.send(h2preface, frame(frameSettings, 0, 0))
	}
	want := row.answers
	if want == "" {
		want = row.demands
	}
	if conforms(want, row.demands) != (row.deviates == "") {
		t.Errorf("the row demands %q of us, we answer %q, and the deviation it names is %q", row.demands, want, row.deviates)
	}
	stream := max(row.on, 1)
	c.send(row.send(c))
	if want == "ignored" {
		stream, c.tag = 1001, "probe"
		c.send(c.get(stream, "/"))
	}
	got := c.outcome(stream)
	if want == "ignored" && got == "200" {
		got = want
	}
	if got != want {
		t.Errorf("RFC %s demands %q; got %q, want %q", row.rfc, row.demands, got, want)
	}
}

// end reads until the sidecar has closed a connection that it has given up, and
// closes one that it has not.
func (c *wireClient) end() {
	c.t.Helper()
	if c.failed {
		for ok := true; ok; {
			_, ok = c.next()
		}
	}
	c.Close()
}

// check compares what the application got with what the rows say.
func (seen *reachedApp) check(t *testing.T, rows []violation) {
	t.Helper()
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if stray := seen.row[""]; len(stray) > 0 {
		t.Errorf("the application saw a request of no row:\n%s", stray[0].head)
	}
	for tag, got := range seen.row {
		for _, a := range got {
			if verdict := verdicts(a.head); !slices.Equal(verdict, []string{"SUCCESS"}) {
				t.Errorf("row %s: VERIFIED is %q, want exactly one SUCCESS", tag, verdict)
			}
			if strings.Contains(a.head+a.trailer, spoof) {
				t.Errorf("row %s: what the client says of itself arrived:\n%s%s", tag, a.head, a.trailer)
			}
		}
	}
	for i, row := range rows {
		got := seen.row[fmt.Sprint(i)]
		whole := slices.ContainsFunc(got, func(a reached) bool { return a.whole })
		switch {
		case row.reaches == "" && len(got) > 0,
			row.reaches == "once" && (len(got) != 1 || !whole),
			row.reaches == "perhaps" && len(got) > 1,
			row.reaches == "cut" && (len(got) > 1 || whole):
			t.Errorf("%s: the application saw %d requests (a whole one: %t), want %q\n%v", row.name, len(got), whole, row.reaches, got)
		}
		if row.arrives != "" && (len(got) != 1 || !slices.Contains(lines(got[0].head), row.arrives)) {
			t.Errorf("%s: the application's head lacks %q:\n%v", row.name, row.arrives, got)
		}
	}
}
