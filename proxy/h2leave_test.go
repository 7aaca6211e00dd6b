package proxy

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A client that uploads a folder sends of each file what the window lets it, before it
// sees that the file is too large: of use to nobody, and yet no attack.
func TestUploadsThatAreTooLargeAreNoFlood(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_MAX_BODY_BYTES=1KiB")
	c := s.openWire(t, nil)
	piece := strings.Repeat("x", maxReadFrame)
	const pieces = maxStreamUpload / maxReadFrame
	for i := range uint32(2 * floodSlack / maxStreamUpload) {
		stream := 2*i + 1
		upload := c.post(stream, "/", "content-length", "1000000")
		for range pieces {
			upload += frame(frameData, 0, stream, piece)
		}
		c.send(upload)
		if got := c.answered(stream); got != "413" {
			t.Fatalf("upload %d: the answer is %q, want 413", i, got)
		}
	}
	if n := s.Count(H2Flood); n != 0 {
		t.Errorf("%d connections were closed for a flood", n)
	}
	app.sawNothing(t)
}

// answered is the status of a stream's answer; nothing: the connection has ended.
func (c *wireClient) answered(stream uint32) string {
	c.t.Helper()
	for {
		f, ok := c.next()
		if !ok {
			return ""
		}
		if f.kind != frameHeaders {
			continue
		}
		if status := c.status(f); f.stream == stream {
			return status
		}
	}
}

func TestAConnectionIsOldByATenthEarlierAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const age = 10 * time.Hour
		config := &Config{}
		config.MaxConnectionAge.Duration = age
		now := time.Now()
		ages := map[time.Duration]bool{}
		const many = 1000
		for range many {
			c := newConn(&Server{config: config}, nil, "")
			for after, want := range map[time.Duration]bool{0: false, age - age/10: false, age + 1: true, 100 * age: true} {
				c.now = now.Add(after)
				if got := c.leaving(); got != want {
					t.Fatalf("after %v it is to leave: %v, want %v", after, got, want)
				}
			}
			ages[c.old.Sub(now)] = true
		}
		early := 0
		for old := range ages {
			if old < age-age/20 {
				early++
			}
		}
		// Half of them come to less than nine and a half hours: 400 to 600 of a thousand,
		// but for one run in a thousand million.
		if len(ages) < many*9/10 || early < 400 || early > 600 {
			t.Errorf("%d connections have %d ages, %d of them in the earlier half", many, len(ages), early)
		}
	})
}

func TestAConnectionWithoutAnAgeStays(t *testing.T) {
	c := newConn(&Server{config: &Config{}}, nil, "")
	c.now = time.Now().Add(1000 * time.Hour)
	if c.leaving() {
		t.Error("it is to leave")
	}
	c.parting = true
	if !c.leaving() {
		t.Error("it is not to leave though its client must come on another connection")
	}
}

func TestAnOldConnectionsClientIsToldToMakeAnother(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_MAX_CONNECTION_AGE=50ms")
	for range 2 {
		c := s.dial(t, nil)
		for told := false; !told; {
			c.send(simpleGet)
			told = c.wantAnswer("GET", 200, "ok").Close
		}
		if rest := c.wantEnd(); rest != "" {
			t.Errorf("after the last answer comes %q", rest)
		}
	}
	for _, age := range []string{"0", "1h"} {
		c := startSidecar(t, app.url, "MTLS_MAX_CONNECTION_AGE="+age).dial(t, nil)
		for range 5 {
			c.send(simpleGet)
			if c.wantAnswer("GET", 200, "ok").Close {
				t.Errorf("an age of %s ends a new connection", age)
			}
		}
	}
}

func TestWhatIsInFlightOnAnOldConnectionEndsWhole(t *testing.T) {
	release := make(chan struct{})
	app := startBackend(t, func(conn net.Conn, _ *bufio.Reader, head string) bool {
		if strings.HasPrefix(head, "GET /held ") {
			<-release
		}
		_, err := io.WriteString(conn, okAnswer)
		return err == nil
	})
	c := startSidecar(t, app.url, "MTLS_MAX_CONNECTION_AGE=50ms").openWire(t, nil)
	c.send(c.get(1, "/held"))
	app.seen(t)
	var goAway wireFrame
	last := uint32(1)
	for goAway.payload == nil {
		last += 2
		c.send(c.get(last, "/"))
		for f := (wireFrame{}); goAway.payload == nil && (f.stream != last || f.flags&flagEndStream == 0); {
			var ok bool
			if f, ok = c.next(); !ok {
				t.Fatalf("the connection ended: %v", c.ended)
			}
			switch f.kind {
			case frameHeaders:
				c.status(f)
			case frameGoAway:
				goAway = f
			}
		}
	}
	if up, code := binary.BigEndian.Uint32(goAway.payload), h2code(goAway.payload[4:8]); up != last || code != "NO_ERROR" {
		t.Errorf("GOAWAY after stream %d with %s, want %d and NO_ERROR", up, code, last)
	}
	close(release)
	if got := c.answered(1); got != "200" {
		t.Errorf("the answer in flight is %q, want 200", got)
	}
	for ok := true; ok; {
		_, ok = c.next()
	}
	if c.ended != io.EOF {
		t.Errorf("the connection ended with %v, want a clean end", c.ended)
	}
}
