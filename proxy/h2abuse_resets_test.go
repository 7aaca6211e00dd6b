package proxy

import (
	"encoding/binary"
	"testing"
)

// Streams that are cancelled, one after the other: net/http bounds how many
// wait, and not how many come.

// cancels has one stream asked for and reset after each other, those between
// answered, until so many were reset or the connection has ended.
func (w *slowWorld) cancels(path string, times, between int, until func(c *wireClient)) (asked int) {
	w.t.Helper()
	id := 0
	for range times {
		w.slow.send(w.slow.get(odd(id), path))
		waitFor(w.t, "the request is there, or the connection has ended", func() bool { return len(w.app.requests) > 0 || w.open() == 0 })
		if w.open() == 0 {
			return asked
		}
		<-w.app.requests
		asked++
		if until != nil {
			until(w.slow)
		}
		w.slow.send(frame(frameReset, 0, odd(id), 8))
		id++
		for range between {
			w.slow.send(w.slow.get(odd(id), "/"))
			if got := w.slow.outcome(odd(id)); got != "200" {
				w.t.Fatalf("after %d resets: %s, want 200", asked, got)
			}
			w.app.seen(w.t)
			id++
		}
	}
	return asked
}

func TestAbuseByResetsOneByOneEndsTheConnection(t *testing.T) {
	w := startSlow(t, "")
	w.other.Close()
	waitFor(t, "the other client has gone", func() bool { return w.open() == 1 })
	asked := w.cancels("/hold", 1000, 0, nil)
	// The reset that is one too many may be noticed when the next requests are there.
	if asked <= fewResets || asked > fewResets+1+abuseStreams {
		t.Errorf("the application was asked %d times, want the connection ended after %d resets", asked, fewResets+1)
	}
	w.wantCounted(H2Resets, 1)
}

func TestAbuseIsNotWhatAClientDoesThatTakesMostOfItsAnswers(t *testing.T) {
	w := startSlow(t, "")
	if asked := w.cancels("/hold", fewResets+50, 2, nil); asked != fewResets+50 {
		t.Errorf("the connection ended after %d resets among twice as many answers", asked)
	}
}

// Subscriptions of gRPC, event streams and players end so.
func TestAbuseIsNotWhatAClientDoesThatCancelsAnswersItHasBegunToRead(t *testing.T) {
	w := startSlow(t, "")
	begun := func(c *wireClient) { c.until(frameHeaders, flagEndHeaders) }
	if asked := w.cancels("/large", fewResets+50, 0, begun); asked != fewResets+50 {
		t.Errorf("the connection ended after %d resets of answers that had begun", asked)
	}
}

// What a client may send at all is told in the first frame (RFC 9113 §6.5.2).
func TestAbuseIsBoundedByTheSettingsThatAreTold(t *testing.T) {
	w := startSlow(t, "")
	told := map[uint16]uint32{}
	for p := w.slow.until(frameSettings, 0).payload; len(p) >= 6; p = p[6:] {
		told[binary.BigEndian.Uint16(p)] = binary.BigEndian.Uint32(p[2:])
	}
	for id, want := range map[uint16]uint32{
		settingStreams:   abuseStreams,
		settingFrameSize: 16384,     // the least that the RFC allows, and what net/http keeps for each connection
		settingTableSize: 4096,      // what a client begins with
		settingWindow:    128 << 10, // of a body, while the application does not take it
		settingConnect:   0,         // extended CONNECT is not to be tried
	} {
		if told[id] != want {
			t.Errorf("setting %d is %d, want %d", id, told[id], want)
		}
	}
}
