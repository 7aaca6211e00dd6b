package proxy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// partServer is as much of a server as an exchange needs that asks no
// application.
func partServer(config *Config) (*Server, *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.DebugLevel)
	return &Server{config: config, log: zap.New(core)}, logs
}

// partStreams is an HTTP/2 connection without a framer, open in the registry.
func partStreams(t *testing.T) (*streams, *observer.ObservedLogs) {
	t.Helper()
	server, logs := partServer(&Config{})
	here, there := net.Pipe()
	t.Cleanup(func() { there.Close() })
	c := newConn(server, here, "192.0.2.1")
	s := &streams{conn: c, open: map[*stream]struct{}{}}
	c.streams.Store(s)
	server.conns.add(c)
	return s, logs
}

func (s *streams) registered() bool {
	r := &s.conn.server.conns
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.conns[s.conn]
	return ok
}

// begin takes in a stream.
func (s *streams) begin(t *testing.T) *stream {
	t.Helper()
	one := &stream{streams: s}
	one.exchange.server, one.exchange.conn, one.exchange.stream = s.conn.server, s.conn, one
	if !s.add(one) {
		t.Fatal("a stream was not taken in")
	}
	return one
}

func TestAStreamThatIsCutHasNotReachedTheSendTimeout(t *testing.T) {
	s, _ := partStreams(t)
	one := s.begin(t)
	one.writeAlarm.Reach(time.Now(), time.Minute)
	one.severed.Store(true)
	_ = one.sent(os.ErrDeadlineExceeded)
	if got := s.conn.server.Count(SendTimeout); got != 0 {
		t.Errorf("a cut that ends a write is counted as MTLS_SEND_TIMEOUT %d times", got)
	}
	one.severed.Store(false)
	_ = one.sent(os.ErrDeadlineExceeded)
	if got := s.conn.server.Count(SendTimeout); got != 1 {
		t.Errorf("a write that takes too long is counted %d times, want 1", got)
	}
}

func TestAClientMayCancelHalfOfItsRequestsAnd200InAnyCase(t *testing.T) {
	for _, test := range []struct {
		cancelled, total int
		abused           bool
	}{
		{1, 1, false}, {200, 200, false}, {201, 201, true}, {201, 401, true}, {201, 402, false}, {1000, 2000, false}, {1001, 2001, true},
	} {
		t.Run(fmt.Sprintf("%d of %d", test.cancelled, test.total), func(t *testing.T) {
			s, logs := partStreams(t)
			for range test.total - test.cancelled {
				s.remove(s.begin(t), false)
			}
			for i := range test.cancelled {
				if s.conn.state.Load() == severed {
					t.Fatalf("the connection was cut after %d were cancelled", i)
				}
				s.remove(s.begin(t), true)
			}
			want := uint64(0)
			if test.abused {
				want = 1
			}
			told := logs.FilterField(zap.String("error.type", "http2_resets")).Len()
			if cut, counted := s.conn.state.Load() == severed, s.conn.server.Count(H2Resets); cut != test.abused || counted != want || told != int(want) {
				t.Errorf("cut: %v, counted %d times, told %d times; want %v, %d", cut, counted, told, test.abused, want)
			}
		})
	}
}

// Of a connection that is cut, the requests in flight end as well.
func TestTheEndOfACutConnectionsRequestsIsNotCountedAgain(t *testing.T) {
	s, logs := partStreams(t)
	inFlight := make([]*stream, 250)
	for i := range inFlight {
		inFlight[i] = s.begin(t)
		request, err := http.NewRequest("GET", "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		inFlight[i].request, inFlight[i].writer = request, &fakeWriter{}
	}
	for i, one := range inFlight {
		s.remove(one, i <= fewResets || i%2 == 0)
	}
	if counted, told := s.conn.server.Count(H2Resets), logs.FilterField(zap.String("error.type", "http2_resets")).Len(); counted != 1 || told != 1 {
		t.Errorf("the connection was counted %d times and told of %d times, want once", counted, told)
	}
}

// A client that goes takes its requests with it. net/http ends them before it says
// that the connection is over, which may take a while.
func TestRequestsThatEndWithTheirConnectionAreNotCancelledOneByOne(t *testing.T) {
	s, _ := partStreams(t)
	inFlight := make([]*stream, fewResets+1)
	for i := range inFlight {
		inFlight[i] = s.begin(t)
	}
	s.conn.socket.Close()
	if n, err := s.conn.wire.Read(make([]byte, 1)); err == nil {
		t.Fatalf("read %d bytes of a closed socket", n)
	}
	for _, one := range inFlight {
		s.remove(one, true)
	}
	if n := s.conn.server.Count(H2Resets); n != 0 || s.conn.state.Load() == severed {
		t.Errorf("the connection was counted %d times as one whose client cancels", n)
	}
}

// fakeWriter is net/http's side of a stream, and remembers what was asked of it.
type fakeWriter struct {
	streamWriter // nil: nothing else may be called
	mu           sync.Mutex
	header       http.Header
	read, write  time.Time
}

func (w *fakeWriter) Header() http.Header { return w.header }

func (w *fakeWriter) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.read = t
	return nil
}

func (w *fakeWriter) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.write = t
	return nil
}

func TestOnlyARequestCancelledBeforeItsAnswerCountsAsCancelled(t *testing.T) {
	for name, test := range map[string]struct {
		gone, begun, severed bool
		waited               time.Duration
		want                 uint32
	}{
		"cancelled":                       {gone: true, want: 1},
		"given up after a second":         {gone: true, waited: soon},
		"answered":                        {begun: true},
		"cancelled in its answer":         {gone: true, begun: true},
		"cut by us":                       {gone: true, severed: true},
		"ended without an answer by us":   {},
		"cut by us when it had an answer": {gone: true, begun: true, severed: true},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := partStreams(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			request, err := http.NewRequestWithContext(ctx, "GET", "/", nil)
			if err != nil {
				t.Fatal(err)
			}
			one := s.begin(t)
			one.request, one.begun, one.writer = request, test.begun, &fakeWriter{}
			one.severed.Store(test.severed)
			one.since = time.Now().Add(-test.waited)
			if test.gone {
				cancel()
			}
			one.finishStream()
			if s.reset != test.want || len(s.open) != 0 {
				t.Errorf("%d count as cancelled and %d are open, want %d and 0", s.reset, len(s.open), test.want)
			}
		})
	}
}

func TestEachStreamHasAnIdentifierAndAPlaceInThePoolOfItsOwn(t *testing.T) {
	s, _ := partStreams(t)
	other, _ := partStreams(t)
	ids, hints := map[string]bool{}, map[uint32]bool{}
	const each = 1000
	for range each {
		one := s.begin(t)
		hints[one.hint] = true
		for _, one := range []*stream{one, other.begin(t)} {
			id := string(one.ids.appendNext(nil))
			if ids[id] || !validRequestID([]byte(id)) {
				t.Fatalf("the identifier %q is another's, or none", id)
			}
			ids[id] = true
		}
	}
	if len(hints) != each {
		t.Errorf("%d streams begin at %d places of the pool", each, len(hints))
	}
}

func TestAConnectionIsOverWhenItsFramerAndItsLastStreamAre(t *testing.T) {
	closed := func(s *streams, _ []*stream) { s.state(http.StateClosed) }
	ends := func(i int) func(*streams, []*stream) {
		return func(s *streams, all []*stream) { s.remove(all[i], false) }
	}
	for name, steps := range map[string][]func(*streams, []*stream){
		"the framer first":      {closed, ends(0), ends(1)},
		"the framer last":       {ends(1), ends(0), closed},
		"the framer in between": {ends(1), closed, ends(0)},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := partStreams(t)
			s.state(http.StateNew)
			s.state(http.StateActive)
			all := []*stream{s.begin(t), s.begin(t)}
			for i, step := range steps {
				if !s.registered() {
					t.Fatalf("after %d of %d steps the connection has left the registry", i, len(steps))
				}
				step(s, all)
			}
			if s.registered() {
				t.Error("the connection is still in the registry")
			}
			if s.add(&stream{}) {
				t.Error("a stream was taken in after the end")
			}
		})
	}
}

func TestAConnectionLeavesTheRegistryHoweverItsEndsFallTogether(t *testing.T) {
	for range 300 {
		s, _ := partStreams(t)
		s.conn.server.conns.drain()
		var ending sync.WaitGroup
		for range 3 {
			one := s.begin(t)
			ending.Go(func() { s.remove(one, false) })
		}
		ending.Go(func() { s.state(http.StateClosed) })
		ending.Wait()
		if s.registered() {
			t.Fatal("the connection is still in the registry")
		}
		await(t, "the registry is empty", s.conn.server.conns.empty)
	}
}

func TestNoStreamIsTakenInOnceTheConnectionIsCut(t *testing.T) {
	s, _ := partStreams(t)
	s.conn.state.Store(busy)
	s.conn.sever()
	if s.add(&stream{}) {
		t.Error("a stream was taken in that nobody would cut any more")
	}
}
