package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
)

// slowReader is a pipe whose reader does nothing until it is woken.
type slowReader struct {
	begun chan struct{} // gets a value for each write
	wake  chan struct{} // closed: it reads whatever comes

	mu  sync.Mutex
	all bytes.Buffer
	err error // of every write
}

func newSlowReader() *slowReader {
	return &slowReader{begun: make(chan struct{}, 1<<10), wake: make(chan struct{})}
}

func (r *slowReader) Write(p []byte) (int, error) {
	r.begun <- struct{}{}
	<-r.wake
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return 0, r.err
	}
	return r.all.Write(p)
}

func (r *slowReader) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Split(strings.TrimSuffix(r.all.String(), "\n"), "\n")
}

func TestNobodyWaitsForWhoeverReadsTheLog(t *testing.T) {
	reader := newSlowReader()
	logging := newLogging(environment(t), reader)
	const lines, each = 3000, 1000 // three times as much as may wait
	for i := range lines {
		logging.Logger.Info("line", zap.Int("n", i), zap.String("fill", strings.Repeat("x", each)))
	}
	<-reader.begun // and it is stuck there
	dropped := logging.Dropped()
	if room := uint64(maxLogQueue / each); dropped < lines-room || dropped >= lines {
		t.Errorf("dropped %d lines of %d, want all but about %d", dropped, lines, room)
	}
	if logging.queue.flush(time.Nanosecond) {
		t.Error("flush says that all is written, and nothing is")
	}
	close(reader.wake)
	logging.Close()
	got := reader.lines()
	last := got[len(got)-1]
	var notice struct {
		Level string
		Lost  uint64 `json:"lines_lost"`
	}
	if err := json.Unmarshal([]byte(last), &notice); err != nil || notice.Lost != dropped || notice.Level != "warn" {
		t.Errorf("the last line tells of %d lost ones at %s (%v), want %d: %s", notice.Lost, notice.Level, err, dropped, last)
	}
	if kept := uint64(len(got) - 1); kept != lines-dropped {
		t.Errorf("%d lines were written and %d dropped, of %d", kept, dropped, lines)
	}
	for i, line := range got[:len(got)-1] {
		if !strings.Contains(line, fmt.Sprintf(`"n":%d,`, i)) {
			t.Fatalf("line %d is %.80s", i, line)
		}
	}
	logging.Logger.Info("and on it goes")
	logging.Close()
	if got := reader.lines(); !strings.Contains(got[len(got)-1], "and on it goes") {
		t.Errorf("after the loss: %s", got[len(got)-1])
	}
}

func TestALogThatCannotBeWrittenIsLostAndCounted(t *testing.T) {
	reader := newSlowReader()
	reader.err = errors.New("no space left on device")
	close(reader.wake)
	logging := newLogging(environment(t), reader)
	for range 3 {
		logging.Logger.Info("line")
		logging.Close()
	}
	if got := logging.Dropped(); got != 3 {
		t.Errorf("dropped: got %d, want 3", got)
	}
	reader.mu.Lock()
	reader.err = nil
	reader.mu.Unlock()
	logging.Logger.Info("there is space again")
	logging.Close()
	if got := reader.lines(); len(got) != 2 || !strings.Contains(got[1], `"lines_lost":3`) {
		t.Errorf("got %q", got)
	}
}

func TestLinesOfManyStayWhole(t *testing.T) {
	reader := newSlowReader()
	close(reader.wake)
	logging := newLogging(environment(t), reader)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 100 {
				logging.Logger.Info("line", zap.Int("n", i))
			}
		})
	}
	all.Wait()
	logging.Close()
	got := reader.lines()
	if len(got) != 800 {
		t.Errorf("%d lines, want 800", len(got))
	}
	for _, line := range got {
		if !json.Valid([]byte(line)) {
			t.Fatalf("not whole: %s", line)
		}
	}
}

// steering are texts that a terminal, or whoever reads a log, takes for more than text.
var steering = []string{
	"\x1b[2J\x1b[1;1H",                 // ECMA-48: clears the screen
	"\u009b31m", "\u009d0;title\u009c", // the same from C1 (ECMA-48 §5.3)
	"a\r\nlevel=error forged", "a\nb", "\r", "\v\f\b\a\x00", // other lines, or over this one
	"\x7f\x7f",                 // DEL
	"\u2028\u2029\u0085",       // line ends to some
	"\u202e\u2066\u200f",       // Unicode Bidirectional Algorithm: what follows runs backwards
	"\xff\xc3\x28\xed\xa0\x80", // no UTF-8
	"\U000e0041\ufeff\u200b",   // invisible: tag, byte order mark, zero width space
	`"}{"level":"error","msg":"forged`,
}

func TestNothingInALineSteersATerminalOrForgesAnother(t *testing.T) {
	for _, format := range []string{"json", "console"} {
		for _, text := range steering {
			reader := newSlowReader()
			close(reader.wake)
			logging := newLogging(environment(t, "MTLS_LOG_FORMAT="+format), reader)
			logging.Logger.Warn("of "+text, zap.String("user_agent.original", text), zap.ByteString("url.path", []byte(text)), zap.Strings("faults", []string{text}))
			logging.Close()
			got := reader.all.String()
			if strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, "\n") {
				t.Errorf("%s: %q is more than a line: %q", format, text, got)
			}
			for _, r := range strings.TrimSuffix(got, "\n") {
				if r < ' ' && r != '\t' || r >= 0x7f {
					t.Errorf("%s: %q puts %U into %q", format, text, r, got)
				}
			}
			if format == "console" {
				continue
			}
			var entry struct {
				Level, Msg string
				Agent      string `json:"user_agent.original"`
			}
			err := json.Unmarshal([]byte(got), &entry)
			if want := strings.ToValidUTF8(text, "\ufffd"); err != nil || entry.Level != "warn" ||
				strings.ReplaceAll(entry.Agent, "\ufffd", "") != strings.ReplaceAll(want, "\ufffd", "") {
				t.Errorf("%q is read as %q (%v): %s", text, entry.Agent, err, got)
			}
		}
	}
}

func TestVisibleTextOfAnyScriptStaysAsItIs(t *testing.T) {
	const text = "Ünïcødé 証明書 🔑 and plain\ttext"
	if got := string(appendLegible(nil, []byte(text+"\n"))); got != text+"\n" {
		t.Errorf("got %q", got)
	}
}
