package upstream

import (
	"io"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

func TestTheApplicationsWindowIsHeeded(t *testing.T) {
	app := startFramerApp(t)
	result := do(t, newTestH2C(t, app.address), Request{Head: head("POST", "/", "Content-Length: 25"), Body: strings.NewReader("0123456789abcdefghijklmno")})
	c := app.greeted(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
	stream := c.request().stream
	got := ""
	for _, window := range []uint32{10, 10, 5} {
		for n := uint32(0); n < window; {
			data := c.until("DATA", func(f http2.Frame) bool { return f.Header().Type == http2.FrameData }).(*http2.DataFrame)
			n += uint32(len(data.Data()))
			got += string(data.Data())
			if n > window {
				t.Errorf("%d bytes into a window of %d", n, window)
			}
		}
		c.check(c.WriteWindowUpdate(stream, 10))
	}
	if got != "0123456789abcdefghijklmno" {
		t.Errorf("got %q", got)
	}
	c.headers(stream, true, ":status: 200")
	if d := wait(t, result); d.err != nil {
		t.Error(d.err)
	}
}

// What a slow reader costs is bounded, and others on the connection go on.
func TestAnAnswerIsNotAheadOfItsReaderByMoreThanTheWindow(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address)
	slow := do(t, h, Request{Head: get("/slow")})
	c := app.raw()
	c.readPreface()
	frame := c.until("SETTINGS", func(f http2.Frame) bool { return f.Header().Type == http2.FrameSettings })
	window, _ := frame.(*http2.SettingsFrame).Value(http2.SettingInitialWindowSize)
	if push, ok := frame.(*http2.SettingsFrame).Value(http2.SettingEnablePush); !ok || push != 0 || window != streamWindow {
		t.Errorf("the window is %d (want %d), push is %d", window, streamWindow, push)
	}
	c.check(c.WriteSettings())
	c.check(c.WriteSettingsAck())
	stream := c.request().stream
	c.headers(stream, false, ":status: 200")
	a := wait(t, slow).answer
	piece := strings.Repeat("x", 16<<10)
	for range window / uint32(len(piece)) {
		c.data(stream, false, piece)
	}
	wantUsable(t, h, c) // with the window of the other full
	got := make([]byte, 8<<10)
	if _, err := io.ReadFull(a, got); err != nil {
		t.Fatal(err)
	}
	c.until("WINDOW_UPDATE", func(f http2.Frame) bool {
		return f.Header().Type == http2.FrameWindowUpdate && f.Header().StreamID == stream
	})
	c.data(stream, true, "end")
	if rest := read(t, a); len(rest) != int(window)-len(got)+3 {
		t.Errorf("%d bytes were left", len(rest))
	}
}

// A buffer is kept for each body on its way, as large as the frames that the
// application allows.
func TestLargerFramesThanEverybodyTakesAreNotMade(t *testing.T) {
	app := startFramerApp(t)
	sizes := &sized{left: 1 << 20}
	result := do(t, newTestH2C(t, app.address), Request{Head: head("POST", "/", "Content-Length: 1048576"), Body: sizes})
	c := app.greeted(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 21}, http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 20})
	c.check(c.WriteWindowUpdate(0, 1<<21))
	stream := c.request().stream
	content, _, _ := c.body()
	c.headers(stream, true, ":status: 200")
	if d := wait(t, result); d.err != nil || len(content) != 1<<20 || sizes.largest > 16<<10 {
		t.Errorf("got %d bytes with a buffer of %d (%v)", len(content), sizes.largest, d.err)
	}
}

// sized fills every buffer, and remembers the largest.
type sized struct{ left, largest int }

func (s *sized) Read(p []byte) (int, error) {
	s.largest = max(s.largest, len(p))
	n := min(len(p), s.left)
	s.left -= n
	return n, nil
}
