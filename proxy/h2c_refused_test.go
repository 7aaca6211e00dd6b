package proxy

import (
	"testing"

	"golang.org/x/net/http2"
)

// net/http interrupts the reading of a body that a refused stream has no use for.
// There is nothing to ask once more with then, and the client is not to blame.
func TestH2CARefusedStreamWhoseBodyHasNotBegunIsA502(t *testing.T) {
	overBoth(t, func(t *testing.T, carrier mode) {
		url, _ := startH2CFrames(t, func(app *h2cFrames, stream uint32, _ int32) {
			_ = app.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
		})
		s := startSidecar(t, url)
		c := s.dialOver(t, carrier)
		c.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
		if answer, _ := c.answer("POST"); answer.StatusCode != 502 {
			t.Errorf("got %d, want 502", answer.StatusCode)
		}
		if n := s.Count(BodyTimeout); n != 0 {
			t.Errorf("the client's body timed out %d times, want never", n)
		}
	})
}
