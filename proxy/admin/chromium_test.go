package admin

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Chromium looks at the page, told what to do over a pipe: the DevTools protocol,
// one JSON object after another, each followed by a zero byte.

// browser is a Chromium with one tab.
type browser struct {
	t      *testing.T
	in     io.Writer
	lines  chan message
	number int
	tab    string // session
	seen   []message
}

type message struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("TEST_REQUIRE") == "1" {
			t.Fatalf("TEST_REQUIRE=1, but chromium is not installed")
		}
		t.Skip("chromium is not installed")
	}
	home := t.TempDir()
	commands, in := pipe(t)
	out, events := pipe(t)
	cmd := exec.Command(path, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe",
		"--user-data-dir="+filepath.Join(home, "profile"), "about:blank")
	cmd.Env = append(os.Environ(), "HOME="+home)
	cmd.Dir = home
	cmd.ExtraFiles = []*os.File{commands, events} // its 3 and 4
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	commands.Close()
	events.Close()
	b := &browser{t: t, in: in, lines: make(chan message, 1024)}
	go b.read(out)
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("chromium: %s", stderr.Bytes())
		}
	})
	var target struct{ TargetID, SessionID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	b.tab = target.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func (b *browser) read(out io.Reader) {
	defer close(b.lines)
	reader := bufio.NewReader(out)
	for {
		line, err := reader.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(line[:len(line)-1], &m) == nil {
			b.lines <- m
		}
	}
}

// next is the next message, which is kept in seen when it is an event.
func (b *browser) next() message {
	b.t.Helper()
	select {
	case m, open := <-b.lines:
		if !open {
			b.t.Fatal("chromium has ended")
		}
		if m.Method != "" {
			b.seen = append(b.seen, m)
		}
		return m
	case <-time.After(60 * time.Second):
		b.t.Fatal("chromium says nothing")
	}
	return message{}
}

// call gives a command and waits for its result.
func (b *browser) call(method string, parameters, result any) {
	b.t.Helper()
	b.number++
	command := map[string]any{"id": b.number, "method": method}
	if parameters != nil {
		command["params"] = parameters
	}
	if b.tab != "" {
		command["sessionId"] = b.tab
	}
	text, err := json.Marshal(command)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.in.Write(append(text, 0)); err != nil {
		b.t.Fatal(err)
	}
	for {
		m := b.next()
		if m.ID != b.number {
			continue
		}
		if m.Error != nil {
			b.t.Fatalf("%s: %s", method, m.Error)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				b.t.Fatal(err)
			}
		}
		return
	}
}

// open loads a page and waits until it is there.
func (b *browser) open(url string) {
	b.t.Helper()
	b.seen = nil
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	for {
		if len(b.seen) > 0 && b.seen[len(b.seen)-1].Method == "Page.loadEventFired" {
			return
		}
		b.next()
	}
}

// view sets the size of the window, and whether the user likes it dark.
func (b *browser) view(width int, scheme string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// eval is the value of an expression in the page, as JSON.
func (b *browser) eval(expression string, value any) {
	b.t.Helper()
	var answer struct {
		Result struct{ Value json.RawMessage }
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &answer)
	if err := json.Unmarshal(answer.Result.Value, value); err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
}

// tallest is how much of a page is on a picture, in pixels.
const tallest = 4000

// picture writes the page to a file.
func (b *browser) picture(name string) {
	b.t.Helper()
	var layout struct{ CSSContentSize struct{ Width, Height int } }
	b.call("Page.getLayoutMetrics", nil, &layout)
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true, "clip": map[string]int{
		"x": 0, "y": 0, "width": layout.CSSContentSize.Width, "height": min(layout.CSSContentSize.Height, tallest), "scale": 1}}, &shot)
	image, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(name, image, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// requested are the URLs that were asked for, and complaints what the console got.
func (b *browser) requested() (urls, complaints []string) {
	for _, m := range b.seen {
		switch m.Method {
		case "Network.requestWillBeSent":
			var sent struct{ Request struct{ URL string } }
			if err := json.Unmarshal(m.Params, &sent); err != nil {
				b.t.Fatal(err)
			}
			if !strings.HasPrefix(sent.Request.URL, "data:") {
				urls = append(urls, sent.Request.URL)
			}
		case "Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Page.javascriptDialogOpening":
			complaints = append(complaints, fmt.Sprintf("%s %s", m.Method, m.Params))
		}
	}
	return urls, complaints
}

func TestChromiumShowsThePageAndNothingInItActs(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	pictures := t.TempDir()
	if dir := os.Getenv("TEST_PICTURES"); dir != "" {
		pictures = dir
	}
	for name, status := range map[string]*Status{"calm": calm(), "busy": busy(), "hostile": hostile()} {
		s := start(t, Options{Status: func() *Status { return status }})
		for _, look := range []look{{360, "light"}, {360, "dark"}, {1280, "light"}, {1280, "dark"}} {
			if name != "busy" && (look.width == 360) != (look.scheme == "dark") {
				continue // seen well enough
			}
			b.view(look.width, look.scheme)
			b.open(s.url + "/")
			b.picture(filepath.Join(pictures, fmt.Sprintf("%s-%d-%s.png", name, look.width, look.scheme)))
			b.examine(name, s.url+"/", look)
		}
	}
}

// look is how a page is looked at.
type look struct {
	width  int // pixels
	scheme string
}

// examine looks for what the page must not have, every part of it being opened.
func (b *browser) examine(name, url string, look look) {
	t := b.t
	t.Helper()
	var opened, wide, scripts, handlers int
	b.eval("[...document.querySelectorAll('details')].filter(d => d.open = true).length", &opened)
	b.eval("document.documentElement.scrollWidth", &wide)
	if wide > look.width {
		var widest string
		b.eval(`[...document.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > innerWidth).map(e => e.outerHTML.slice(0, 200)).slice(0, 3).join('\n')`, &widest)
		t.Errorf("%s: the page is %d px wide in a window of %d: %s", name, wide, look.width, widest)
	}
	b.eval("document.scripts.length", &scripts)
	b.eval("[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => a.name.startsWith('on') || a.name === 'style')).length", &handlers)
	if scripts != 0 || handlers != 0 {
		t.Errorf("%s: the page has %d scripts and %d handlers, want none", name, scripts, handlers)
	}
	var title, ground string
	b.eval("document.title", &title)
	if want := map[bool]string{true: "Not ready: ", false: "Serving"}[name == "hostile"]; !strings.HasPrefix(title, want) {
		t.Errorf("%s: title %q, want what the headline says", name, title)
	}
	b.eval("getComputedStyle(document.body).backgroundColor", &ground)
	if want := map[string]string{"light": "rgb(245, 246, 248)", "dark": "rgb(15, 18, 22)"}[look.scheme]; ground != want {
		t.Errorf("%s: background %s, want the style sheet's %s", name, ground, want)
	}
	urls, complaints := b.requested()
	if len(urls) != 1 || urls[0] != url {
		t.Errorf("%s: the browser asked for %q, want the page alone", name, urls)
	}
	for _, complaint := range complaints {
		t.Errorf("%s: the browser says %s", name, complaint)
	}
}
