package main_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// late is how long after a change the balancer learns of it.
const late = 2 * time.Second

// switchboard is what stands before the pods of a service. It passes each connection
// on to one of those that it knows of, in turn, and to no other if that one refuses.
type switchboard struct {
	addr string

	mu    sync.Mutex
	known []string
	turn  int
}

func startSwitchboard(t *testing.T, known ...string) *switchboard {
	t.Helper()
	b := &switchboard{known: known}
	b.addr = balances(t, func(conn net.Conn) { b.pass(t.Context(), conn) })
	return b
}

func (b *switchboard) next() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn++
	return b.known[b.turn%len(b.known)]
}

// pass relays one connection, the way it ends included, until the test ends.
func (b *switchboard) pass(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	to, err := net.Dial("tcp", b.next())
	if err != nil {
		return
	}
	defer to.Close()
	defer context.AfterFunc(ctx, func() {
		conn.Close()
		to.Close()
	})()
	splice(conn, to)
}

// now has the balancer know of these alone.
func (b *switchboard) now(known ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known = known
}

// learns has the balancer hear of a change, late. What it returns is closed then.
func (b *switchboard) learns(joined, left string) (learned chan struct{}) {
	learned = make(chan struct{})
	time.AfterFunc(late, func() {
		defer close(learned)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.known = slices.DeleteFunc(append([]string{joined}, b.known...), func(addr string) bool { return addr == left })
	})
	return learned
}

// load is clients at work, each request of which has a name of its own. Nobody asks
// again when a request fails; of HTTP/2 those are made again that GOAWAY names as not
// looked at (RFC 9113 §6.8), which clients do by themselves.
type load struct {
	front // the balancer
	stop  chan struct{}
	busy  sync.WaitGroup
	again atomic.Int64 // requests that GOAWAY sent elsewhere

	mu       sync.Mutex
	answered map[string]bool
	failures []string
}

// pause is between two requests of a worker.
const pause = 15 * time.Millisecond

func startLoad(t *testing.T, v *vault, b *switchboard) *load {
	l := &load{front: front{vault: v, addr: b.addr}, stop: make(chan struct{}), answered: map[string]bool{}}
	certificate := v.certificate("client")
	for worker := range 6 { // connections of HTTP/1.1
		keep := &keptClient{client: client{cert: &certificate, version: tls.VersionTLS13}, addr: b.addr}
		l.work(fmt.Sprintf("http1-%d", worker), keep.ask)
	}
	for worker := range 2 { // connections of one request each
		keep := &keptClient{client: client{cert: &certificate, version: tls.VersionTLS13}, addr: b.addr}
		l.work(fmt.Sprintf("once-%d", worker), func(method, target, body string) (string, error) {
			said, err := keep.ask(method, target, body)
			keep.close()
			return said, err
		})
	}
	for worker := range 2 { // connections of HTTP/2
		c := l.goClient(t, "client")
		for stream := range 4 {
			l.work(fmt.Sprintf("http2-%d-%d", worker, stream), func(method, target, body string) (string, error) { return l.askHTTP2(c, method, target, body) })
		}
	}
	return l
}

// work makes one request after the other until the load is stopped.
func (l *load) work(name string, ask func(method, target, body string) (string, error)) {
	l.busy.Go(func() {
		pace := time.NewTicker(pause)
		defer pace.Stop()
		for n := 0; ; n++ {
			select {
			case <-l.stop:
				return
			case <-pace.C:
			}
			id, method, body := fmt.Sprintf("%s-%d", name, n), "GET", ""
			if n%2 == 0 {
				method, body = "POST", strings.Repeat("x", n%5000+1)
			}
			want := fmt.Sprintf("answered %s with %d bytes", id, len(body))
			got, err := ask(method, "/answered?id="+id, body)
			l.note(id, got == want && err == nil, fmt.Sprintf("%s %s: got %.100q (%v)", method, id, got, err))
		}
	})
}

func (l *load) note(id string, ok bool, failure string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered[id] = ok
	if !ok {
		l.failures = append(l.failures, failure)
	}
}

// end stops the load and returns how many requests were made, and how many failed.
func (l *load) end() (made, failed int) {
	close(l.stop)
	l.busy.Wait()
	return len(l.answered), len(l.failures)
}

// keptClient keeps its connection for as long as it may, and makes no request twice.
type keptClient struct {
	client
	addr string
	conn *connection
}

func (k *keptClient) ask(method, target, body string) (said string, err error) {
	if k.conn == nil {
		if k.conn, err = k.dial(k.addr); err != nil {
			return "", fmt.Errorf("connecting: %w", err)
		}
	}
	_ = k.conn.SetDeadline(time.Now().Add(hang))
	answer, said, err := k.conn.ask(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", method, target, len(body), body))
	if err != nil || answer.Close {
		k.close()
	}
	if err == nil && answer.StatusCode != 200 {
		err = fmt.Errorf("status %d", answer.StatusCode)
	}
	return said, err
}

func (k *keptClient) close() {
	if k.conn != nil {
		k.conn.Close()
		k.conn = nil
	}
}

func (l *load) askHTTP2(c *goClient, method, target, body string) (string, error) {
	request, err := http.NewRequest(method, c.base+target, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	if again := request.GetBody; again != nil {
		request.GetBody = func() (io.ReadCloser, error) {
			l.again.Add(1)
			return again()
		}
	}
	got, err := c.try(request)
	if err != nil {
		return "", err
	}
	if got.StatusCode != 200 || got.ProtoMajor != 2 {
		err = fmt.Errorf("status %d of %s", got.StatusCode, got.Proto)
	}
	return string(got.body), err
}

// countedOnce checks that each request which was answered is one that exactly one
// application has had, and had once.
func (l *load) countedOnce(t *testing.T, pods ...*pod) {
	t.Helper()
	counts := map[string]int{}
	for _, p := range pods {
		app := p.app
		<-app.done
		app.mu.Lock()
		for _, line := range app.lines {
			if id, ok := strings.CutPrefix(line.text, "answered "); ok {
				id, _, _ = strings.Cut(id, " ")
				counts[id]++
			}
		}
		app.mu.Unlock()
	}
	var wrong bytes.Buffer
	for id, ok := range l.answered {
		if ok && counts[id] != 1 {
			fmt.Fprintf(&wrong, "%s: %d times\n", id, counts[id])
		}
	}
	if wrong.Len() > 0 {
		t.Errorf("requests that were answered, and how often applications had them:\n%.2000s", wrong.Bytes())
	}
}
