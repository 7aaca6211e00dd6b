package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// hang is how long any single event may take before the test gives up on it.
// Nothing is expected to come near.
const hang = 60 * time.Second

// process is a running program whose output is kept line by line.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and its output is complete

	mu      sync.Mutex
	lines   []line
	changed chan struct{} // closed and replaced with every line
}

// line is one line of output.
type line struct {
	stderr bool
	text   string
}

// start runs cmd until the test ends; then it gets SIGTERM and must go.
func start(t *testing.T, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{name: name, cmd: cmd, done: make(chan struct{}), changed: make(chan struct{})}
	stdout, stderr := &lineWriter{p: p}, &lineWriter{p: p, stderr: true}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	go func() {
		_ = cmd.Wait() // the exit code is read from ProcessState
		stdout.flush()
		stderr.flush()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.stop(t)
		if t.Failed() {
			t.Logf("output of %s:\n%s", name, p.tail(60))
		}
	})
	return p
}

// stop ends the process with SIGTERM and returns its exit code.
func (p *process) stop(t *testing.T) int {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	return p.wait(t)
}

// wait returns the exit code once the process has ended by itself.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(hang):
		_ = p.cmd.Process.Kill()
		<-p.done
		t.Errorf("%s did not end within %v", p.name, hang)
	}
	return p.cmd.ProcessState.ExitCode()
}

// errEnded says that a process ended before it said what was waited for.
var errEnded = errors.New("the process ended")

// find waits for the first line from index on that match accepts, and returns
// it with the index behind it.
func (p *process) find(from int, match func(line) bool) (line, int, error) {
	guard := time.NewTimer(hang)
	defer guard.Stop()
	for {
		ended := false
		select {
		case <-p.done:
			ended = true
		default:
		}
		p.mu.Lock()
		for ; from < len(p.lines); from++ {
			if l := p.lines[from]; match(l) {
				p.mu.Unlock()
				return l, from + 1, nil
			}
		}
		changed := p.changed
		p.mu.Unlock()
		if ended {
			return line{}, from, errEnded
		}
		select {
		case <-changed:
		case <-p.done:
		case <-guard.C:
			return line{}, from, errors.New("it was not said in time")
		}
	}
}

// expect is find for lines that contain every one of the texts.
func (p *process) expect(t *testing.T, texts ...string) string {
	t.Helper()
	l, _, err := p.find(0, func(l line) bool {
		for _, text := range texts {
			if !strings.Contains(l.text, text) {
				return false
			}
		}
		return true
	})
	if err != nil {
		t.Fatalf("waiting for %s to say %q: %v\n%s", p.name, texts, err, p.tail(60))
	}
	return l.text
}

// count returns how many lines have been written so far.
func (p *process) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.lines)
}

// tail returns the last n lines of both streams together.
func (p *process) tail(n int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for _, l := range p.lines[max(0, len(p.lines)-n):] {
		b.WriteString(l.text + "\n")
	}
	return b.String()
}

// lineWriter cuts one stream of a process into lines.
type lineWriter struct {
	p      *process
	stderr bool
	rest   []byte
}

func (w *lineWriter) Write(data []byte) (int, error) {
	w.rest = append(w.rest, data...)
	for {
		i := bytes.IndexByte(w.rest, '\n')
		if i < 0 {
			return len(data), nil
		}
		w.add(string(w.rest[:i]))
		w.rest = w.rest[i+1:]
	}
}

func (w *lineWriter) flush() {
	if len(w.rest) > 0 {
		w.add(string(w.rest))
	}
}

func (w *lineWriter) add(text string) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	w.p.lines = append(w.p.lines, line{w.stderr, text})
	close(w.p.changed)
	w.p.changed = make(chan struct{})
}

// statusBytes reads a size from /proc/PID/status, in bytes.
func statusBytes(t *testing.T, p *process, field string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		missing(t, "the memory of a process cannot be read here: %v", err)
	}
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, field+":"); found {
			kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatalf("no %s in\n%s", field, status)
	return 0
}
