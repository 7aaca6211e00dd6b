package proxy

import (
	"testing"
	"testing/synctest"
	"time"
)

// Sizes on the wire: a frame has a head of 9 bytes (RFC 9113 §4.1), WINDOW_UPDATE a
// payload of 4 (§6.9), PING of 8 (§6.7). A TLS 1.3 record adds 5 bytes of head, 1 of
// type and 16 of tag (RFC 8446 §5.2).
const (
	frameBytes  = 9
	windowBytes = frameBytes + 4 + recordBytes
	pingBytes   = frameBytes + 8 + recordBytes
	recordBytes = 22
	dataBytes   = 16 << 10 // in a full DATA frame, as every client begins (§4.2)
)

// traffic is some time of a connection's life.
type traffic struct {
	times  int
	frames []int         // from the client, in records of their own
	useful int           // bytes of requests or answers, seen before these
	every  time.Duration // passes before it
}

// flooding has traffic come in and reports how many bytes had come when the client
// was found to flood; ok: not once.
func (s *streams) flooding(some []traffic) (after int, ok bool) {
	for _, t := range some {
		for range t.times {
			if t.every > 0 {
				<-time.After(t.every)
			}
			s.useful.Add(int64(t.useful))
			for _, frame := range t.frames {
				if after += frame; s.floods(frame) {
					return after, false
				}
			}
		}
	}
	return after, true
}

func TestWhoUsesAConnectionIsNeverTakenForAFlood(t *testing.T) {
	const gib = 1 << 30 / dataBytes // full frames in 1 GiB
	upload := traffic{times: gib, frames: []int{frameBytes + dataBytes + recordBytes}, useful: dataBytes}
	ahead := upload // what net/http holds for an application that is slow to take it
	ahead.times, ahead.useful = maxStreamUpload/dataBytes, 0
	for name, some := range map[string][]traffic{
		"a download of 1 GiB at once, with a window update for the stream and the connection each 16 KiB": {{gib, []int{windowBytes, windowBytes}, dataBytes, 0}},
		"the same in an hour":                                        {{gib, []int{windowBytes, windowBytes}, dataBytes, time.Hour / gib}},
		"a window update each 4 KiB":                                 {{4 * gib, []int{windowBytes, windowBytes}, dataBytes / 4, 0}},
		"keepalive pings of gRPC, each 10 seconds for a day":         {{24 * 360, []int{pingBytes}, 0, 10 * time.Second}},
		"a client that answers a ping of ours each second for a day": {{24 * 3600, []int{pingBytes, pingBytes}, 0, time.Second}},
		"an upload of 1 GiB at once":                                 {upload},
		"an upload that is read behind":                              {ahead, upload},
		"a stream of empty gRPC messages":                            {{1 << 20, []int{frameBytes + 5 + recordBytes}, 5, 0}}, // 5 bytes: its length-prefix
		"small requests":                                             {{1 << 20, []int{frameBytes + 30 + recordBytes}, 100, 0}},
		"a day of pings, and then uploads and downloads": {
			{24 * 360, []int{pingBytes}, 0, 10 * time.Second}, upload, {gib, []int{windowBytes, windowBytes}, dataBytes, 0}},
		"minutes of downloads with pauses": {
			{gib, []int{windowBytes, windowBytes}, dataBytes, 0}, {1, nil, 0, 2 * floodSpan}, {gib, []int{windowBytes, windowBytes}, dataBytes, 0},
			{1, nil, 0, 2 * floodSpan}, {gib, []int{windowBytes, windowBytes}, dataBytes, 0}},
		"less than the slack each minute, for a day": {{24 * 60, []int{floodSlack / 2}, 0, floodSpan + time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &streams{span: time.Now()}
				if after, ok := s.flooding(some); !ok {
					t.Errorf("taken for a flood after %d bytes", after)
				}
			})
		})
	}
}

// An application that is slow, or a client that is still being judged: bodies wait in
// the windows of their streams.
func TestUploadsThatWaitForTheApplicationAreNoFlood(t *testing.T) {
	s, _ := partStreams(t)
	s.span = time.Now()
	for range 250 { // MTLS_HTTP2_MAX_STREAMS
		s.begin(t)
		if after, ok := s.flooding([]traffic{{maxStreamUpload / dataBytes, []int{frameBytes + dataBytes + recordBytes}, 0, 0}}); !ok {
			t.Fatalf("with %d uploads, taken for a flood after %d bytes of the last", len(s.open), after)
		}
	}
	if after, ok := s.flooding([]traffic{{1 << 20, []int{dataBytes}, 0, 0}}); ok || after > floodSlack+dataBytes {
		t.Errorf("%d bytes of nothing beyond them: a flood: %v; want one within %d", after, !ok, floodSlack)
	}
}

func TestFramesThatCarryNothingAreAFlood(t *testing.T) {
	const many = 2 * floodSlack // more than is needed, of any
	for name, test := range map[string]struct {
		some   []traffic
		within int
	}{
		"empty DATA frames in records of their own": {[]traffic{{many, []int{frameBytes + recordBytes}, 0, 0}}, floodSlack + dataBytes},
		"empty DATA frames in full records":         {[]traffic{{many, []int{dataBytes}, 0, 0}}, floodSlack + dataBytes},
		"pings, a thousand each millisecond":        {[]traffic{{many, []int{1000 * pingBytes}, 0, time.Millisecond}}, floodSlack + 1000*pingBytes},
		"a request now and then": {[]traffic{{many, []int{dataBytes}, 100, 0}},
			floodSlack + dataBytes + (floodSlack/dataBytes+2)*100*floodShare*2},
		"after a day of silence, which gives no room for more than one span": {[]traffic{
			{1, []int{floodSlack - 1}, 0, 0}, {1, nil, 0, 24 * time.Hour}, {many, []int{dataBytes}, 0, 0}}, 2*floodSlack + 2*dataBytes},
		"a download long ago excuses nothing": {[]traffic{
			{1, []int{1}, 1 << 40, 0}, {1, nil, 0, 2 * floodSpan}, {many, []int{dataBytes}, 0, 0}}, 2*floodSlack + 2*dataBytes},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &streams{span: time.Now()}
				if after, ok := s.flooding(test.some); ok || after > test.within {
					t.Errorf("after %d bytes not a flood: %v; want it to be one within %d", after, ok, test.within)
				}
			})
		})
	}
}
