package proxy

import (
	"fmt"
	"strings"
	"testing"
)

// slowWorld is a sidecar with a client that does harm by doing nothing, and
// another that is served meanwhile.
type slowWorld struct {
	*sidecar
	app   *backend
	slow  *wireClient
	other *wireClient
	t     *testing.T
	asked uint32
}

func startSlow(t *testing.T, settings string, entries ...string) *slowWorld {
	t.Helper()
	app, _ := abusedApp(t)
	s := startSidecar(t, app.url, append([]string{"MTLS_HTTP2_MAX_STREAMS=20"}, entries...)...)
	return &slowWorld{sidecar: s, app: app, slow: s.openWire(t, nil, settings), other: s.openWire(t, &testCA(t).client), t: t}
}

// served wants the other client served.
func (w *slowWorld) served() {
	w.t.Helper()
	w.asked += 2
	w.other.send(w.other.get(w.asked-1, "/"))
	if got := w.other.outcome(w.asked - 1); got != "200" {
		w.t.Errorf("another client's request: %s, want 200", got)
	}
}

// outcomes reads until so many streams have ended, and tells how many did how.
func (c *wireClient) outcomes(n int) map[string]int {
	c.t.Helper()
	ends, status := map[uint32]string{}, map[uint32]string{}
	for len(ends) < n {
		f, ok := c.next()
		if !ok {
			ends[0] = "the connection has ended"
			break
		}
		if f.kind == frameHeaders {
			status[f.stream] += c.status(f)
		}
		if _, ended := ends[f.stream]; ended || f.stream == 0 {
			continue
		}
		if f.kind == frameReset {
			ends[f.stream] = strings.TrimPrefix(status[f.stream]+", RST_STREAM "+h2code(f.payload), ", ")
		} else if (f.kind == frameHeaders || f.kind == frameData) && f.flags&flagEndStream != 0 {
			ends[f.stream] = status[f.stream]
		}
	}
	count := map[string]int{}
	for _, end := range ends {
		count[end]++
	}
	return count
}

// wantCut wants all of the streams, as many as are allowed, cut, whether an answer
// had begun or not.
func (w *slowWorld) wantCut() {
	w.t.Helper()
	const cut = "RST_STREAM INTERNAL_ERROR"
	if got := w.slow.outcomes(abuseStreams); got[cut]+got["200, "+cut] != abuseStreams {
		w.t.Errorf("the streams ended with %v, want each cut", got)
	}
}

func (w *slowWorld) wantCounted(event Event, least uint64) {
	w.t.Helper()
	waitFor(w.t, fmt.Sprintf("event %d is counted %d times", event, least), func() bool { return w.Count(event) >= least })
}

// A client whose windows are shut holds an application's connection and a buffer
// for each stream (CVE-2019-9517).
func TestAbuseByShutWindowsEndsInCutAnswers(t *testing.T) {
	w := startSlow(t, setting(settingWindow, 0), "MTLS_SEND_TIMEOUT=200ms")
	for i := range abuseStreams {
		w.slow.send(w.slow.get(odd(i), "/large"))
	}
	w.served()
	w.wantCut()
	w.wantCounted(SendTimeout, abuseStreams)
	w.served()
	w.slow.send(frame(frameSettings, 0, 0, setting(settingWindow, 65535)), w.slow.get(1001, "/"))
	if got := w.slow.outcome(1001); got != "200" {
		t.Errorf("the next request on the connection: %s, want 200 (and no second RST_STREAM of another)", got)
	}
}

func TestAbuseByWindowsOfAByteEndsInACutAnswer(t *testing.T) {
	w := startSlow(t, setting(settingWindow, 0), "MTLS_SEND_TIMEOUT=200ms")
	w.slow.send(w.slow.get(1, "/large"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for w.Count(SendTimeout) == 0 && w.slow.trickle(1) == nil {
		}
	}()
	if got, want := w.slow.outcome(1), "200, RST_STREAM INTERNAL_ERROR"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	w.wantCounted(SendTimeout, 1)
	<-done
	w.served()
}

// trickle opens a stream's window by a byte.
func (c *wireClient) trickle(stream uint32) error {
	_, err := c.Write([]byte(frame(frameWindow, 0, stream, 1)))
	return err
}

func TestAbuseByReadingNothingEndsTheConnection(t *testing.T) {
	w := startSlow(t, setting(settingWindow, 1<<31-1), "MTLS_SEND_TIMEOUT=200ms")
	w.slow.send(frame(frameWindow, 0, 0, 1<<31-1-65535))
	for i := range abuseStreams { // 80 MiB, more than the kernel keeps
		w.slow.send(w.slow.get(odd(i), "/large"))
	}
	w.served()
	waitFor(t, "the connection is gone", func() bool { return w.open() == 1 })
	w.wantCounted(SendTimeout, 1)
	w.served()
}

func TestAbuseByBodiesThatDoNotComeEndsTheirStreams(t *testing.T) {
	w := startSlow(t, "", "MTLS_BODY_TIMEOUT=200ms")
	for i := range abuseStreams {
		w.slow.send(w.slow.post(odd(i), "/", "content-length", "1000"))
		if i%2 == 1 {
			w.slow.send(frame(frameData, 0, odd(i), "the beginning"))
		}
	}
	w.served()
	w.wantCut()
	w.wantCounted(BodyTimeout, abuseStreams)
	w.served()
}

func TestAbuseByMoreStreamsThanAllowedIsRefused(t *testing.T) {
	for _, test := range []struct {
		name, acknowledged, want string
	}{
		{"before the client knows the limit", "", "RST_STREAM REFUSED_STREAM"},
		{"although it knows it", frame(frameSettings, flagAck, 0), "RST_STREAM PROTOCOL_ERROR"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := startSlow(t, "")
			w.slow.send(test.acknowledged)
			for i := range abuseStreams {
				w.slow.send(w.slow.get(odd(i), "/hold"))
			}
			w.slow.send(w.slow.get(1001, "/"))
			if got := w.slow.outcome(1001); got != test.want { // RFC 9113 §5.1.2 allows both
				t.Errorf("got %s, want %s", got, test.want)
			}
			w.wantCounted(H2StreamLimit, 1)
			w.served()
			w.slow.send(frame(frameReset, 0, 1, 8), w.slow.get(1003, "/"))
			if got := w.slow.outcome(1003); got != "200" {
				t.Errorf("once there is room: %s, want 200", got)
			}
		})
	}
}

func TestAbuseBySilenceEndsTheConnection(t *testing.T) {
	for _, test := range []struct{ name, said, want string }{
		{"after the preface", "", "GOAWAY NO_ERROR"},
		{"within a block", frame(frameHeaders, 0, 1, "\x82"), "GOAWAY NO_ERROR"},
		{"within a frame", frame(frameHeaders, 0, 1, "\x82")[:5], "GOAWAY NO_ERROR"},
		{"after a request", "request", "200, GOAWAY NO_ERROR"},
		{"within a block, with a request that is not answered", "hold", "504, GOAWAY NO_ERROR"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel() // net/http waits a second before it closes
			w := startSlow(t, "", "MTLS_IDLE_TIMEOUT=200ms", "MTLS_UPSTREAM_TIMEOUT=200ms")
			got := ""
			switch test.said {
			case "request":
				w.slow.send(w.slow.get(1, "/"))
				got = w.slow.outcome(1) + ", "
			case "hold":
				w.slow.send(w.slow.get(1, "/hold"), frame(frameHeaders, 0, 3, "\x82"))
				got = w.slow.outcome(1) + ", "
			default:
				w.slow.send(test.said)
			}
			if got += w.slow.outcome(0); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if f, ok := w.slow.next(); ok {
				t.Errorf("then a frame of type %d came, want the end", f.kind)
			}
		})
	}
}
