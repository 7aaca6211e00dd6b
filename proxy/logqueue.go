package proxy

import (
	"bytes"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// logQueue is where lines wait to be written, so that nobody who logs waits for
// whoever reads standard error, which is a pipe in a container. When it is full
// lines are lost, and counted. zap's BufferedWriteSyncer holds its lock while it
// writes: once the pipe is full, its Write waits, and with it every request that logs.
//
// The goroutine that writes lives as long as there is something to write.
type logQueue struct {
	out   io.Writer
	tell  func(lost uint64) []byte // the line that tells of lost ones
	write func()                   // writeOut, once: a goroutine that begins with it needs no memory

	mu      sync.Mutex
	pending []byte // lines
	spare   []byte // what pending was before
	held    int    // bytes of pending, and of what is being written
	lost    uint64 // since the last that was told
	writing bool
	waiting []chan struct{} // closed when all is written

	dropped atomic.Uint64 // lines, since the start
}

const (
	// maxLogQueue is what may wait, in bytes: some thousand lines.
	maxLogQueue = 1 << 20
	// keepLogBuffer is what is kept for the lines to come, in bytes.
	keepLogBuffer = 256 << 10
)

func newLogQueue(out io.Writer, tell func(lost uint64) []byte) *logQueue {
	q := &logQueue{out: out, tell: tell}
	q.write = q.writeOut
	return q
}

// Write takes one line. It never waits for out, and never fails.
func (q *logQueue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held+len(line) > maxLogQueue {
		q.lose(1)
		return len(line), nil
	}
	q.add(line)
	if !q.writing {
		q.writing = true
		go q.write()
	}
	return len(line), nil
}

func (q *logQueue) add(line []byte) {
	before := len(q.pending)
	q.pending = appendLegible(q.pending, line)
	q.held += len(q.pending) - before
}

func (q *logQueue) lose(lines uint64) {
	q.lost += lines
	q.dropped.Add(lines)
}

func (q *logQueue) writeOut() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.pending) > 0 {
		batch := q.pending
		q.pending, q.spare = q.spare[:0], nil
		q.mu.Unlock()
		_, err := q.out.Write(batch)
		q.mu.Lock()
		q.held -= len(batch)
		if err != nil {
			q.lose(uint64(bytes.Count(batch, []byte("\n"))))
		} else if q.lost > 0 {
			q.add(q.tell(q.lost)) // behind the lines that came before the lost ones
			q.lost = 0
		}
		if cap(batch) <= keepLogBuffer {
			q.spare = batch[:0]
		}
	}
	q.writing = false
	for _, done := range q.waiting {
		close(done)
	}
	q.waiting = nil
}

// flush waits until all is written, or for a time: nobody may be reading. It
// reports whether all is.
func (q *logQueue) flush(patience time.Duration) bool {
	q.mu.Lock()
	if !q.writing {
		q.mu.Unlock()
		return true
	}
	done := make(chan struct{})
	q.waiting = append(q.waiting, done)
	q.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// lastLines is how long the end of the program waits for the last lines.
const lastLines = 2 * time.Second

// Sync is flush, for zap.
func (q *logQueue) Sync() error {
	q.flush(lastLines)
	return nil
}

// appendLegible adds a line in which nothing breaks it, steers a terminal or turns
// what follows around: what is no visible character or space is written as in JSON,
// where it means the same. zap's encoders leave some of it as it is (DEL, U+009B, U+202E),
// and the console's message whatever it holds.
func appendLegible(dst, line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("\n"))
	start := 0
	for i := 0; i < len(line); {
		c := line[i]
		if c >= ' ' && c < 0x7f || c == '\t' { // between the console's columns
			i++
			continue
		}
		r, size := utf8.DecodeRune(line[i:])
		if c < utf8.RuneSelf || r == utf8.RuneError && size == 1 || !strconv.IsPrint(r) {
			dst = append(dst, line[start:i]...)
			dst = appendJSONEscape(dst, r)
			start = i + size
		}
		i += size
	}
	dst = append(dst, line[start:]...)
	return append(dst, '\n')
}

// appendJSONEscape writes a character as RFC 8259 §7 escapes any.
func appendJSONEscape(dst []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return appendJSONEscape(appendJSONEscape(dst, high), low)
	}
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', digits[r>>12&0xf], digits[r>>8&0xf], digits[r>>4&0xf], digits[r&0xf])
}
