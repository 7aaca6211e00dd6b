package admin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Options are what the port tells, and whom it asks. Whatever is nil is left out:
// its path answers 404, a state that nobody tells of counts as fine.
type Options struct {
	Log   *zap.Logger
	Level zap.AtomicLevel // changed by PUT /log-level; the zero one has no such path

	Metrics http.Handler

	// Started is nil once configuration, certificates and CA are loaded and the
	// listener is bound; else it says what is missing. It never asks the application.
	Started func() error
	// Ready is asked once started and not draining.
	Ready func(context.Context) error

	// Drain begins a drain and returns at once; false: one had begun before.
	Drain func() (began bool)
	// Draining is closed when a drain begins, Drained when it is over, listeners
	// being closed by then.
	Draining, Drained <-chan struct{}

	// Probe asks the application for one of Paths, without a body and without
	// anything that came with the request. It follows no redirect.
	Probe func(ctx context.Context, method, path string) (*http.Response, error)
	Paths []string // see CheckPath

	// Status is filled in afresh each time; what it gives is not altered.
	Status func() *Status
}

// Limits of the port. What it answers is small, and so is what it is asked.
const (
	maxHeadBytes = 16 << 10
	maxBodyBytes = 1 << 10
	maxConns     = 256
	maxConnsEach = 64       // of one address
	socketBuffer = 32 << 10 // either way, of which the kernel makes twice as much: socket(7)

	headTimeout   = 5 * time.Second
	readTimeout   = 10 * time.Second // head and body
	writeTimeout  = 30 * time.Second // where nothing has to be waited for
	idleTimeout   = 2 * time.Minute  // longer than Prometheus waits between two scrapes
	drainPatience = 5 * time.Second
	probeTimeout  = 30 * time.Second // the kubelet's own is shorter
)

// Server is the admin port.
type Server struct {
	options   Options
	endpoints map[string]endpoint
	known     string // the paths, for those who ask for another
	style     sheet
	http      http.Server
	crowd     crowd
	bound     atomic.Pointer[net.Addr]
	closing   chan struct{}
	close     sync.Once

	// after tells when a time is over, until stopped. Tests have their own.
	after func(time.Duration) (over <-chan time.Time, stop func() bool)
}

// New makes a server; Serve runs it.
func New(options Options) *Server {
	if options.Log == nil {
		options.Log = zap.NewNop()
	}
	s := &Server{options: options, closing: make(chan struct{}), style: newSheet(), after: timer}
	s.crowd.most, s.crowd.each = maxConns, maxConnsEach
	s.endpoints, s.known = s.table()
	s.http = http.Server{
		Handler:                      http.HandlerFunc(s.serve),
		DisableGeneralOptionsHandler: true,
		MaxHeaderBytes:               maxHeadBytes,
		ReadHeaderTimeout:            headTimeout,
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		ConnState:                    s.crowd.observe,
	}
	// net/http tells there of clients that send nonsense: nothing to wake anybody for.
	if lines, err := zap.NewStdLogAt(options.Log, zap.DebugLevel); err == nil {
		s.http.ErrorLog = lines
	}
	s.http.RegisterOnShutdown(s.crowd.leave)
	return s
}

func timer(d time.Duration) (<-chan time.Time, func() bool) {
	t := time.NewTimer(d)
	return t.C, t.Stop
}

// Serve answers on a listener, which it closes, until Close. It returns nil after
// Close, else why the listener failed.
func (s *Server) Serve(listener net.Listener) error {
	addr := listener.Addr()
	s.bound.Store(&addr)
	if err := s.http.Serve(guestroom{listener}); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// guestroom accepts the connections of the port.
//
// It has net/http accept again after a moment, whatever went wrong. By itself that
// gives up for what accept(2) says to try again after (EPROTO, ENOBUFS and others),
// and without an answer to its probes the kubelet restarts the container.
type guestroom struct{ net.Listener }

func (g guestroom) Accept() (net.Conn, error) {
	conn, err := g.Listener.Accept()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		err = passing{err}
	}
	// What the kernel holds for whoever does not read, megabytes each if it is not told
	// otherwise, counts as the container's memory (memory.stat, sock).
	if tcp, is := conn.(*net.TCPConn); is {
		_ = tcp.SetWriteBuffer(socketBuffer)
		_ = tcp.SetReadBuffer(socketBuffer)
	}
	return conn, err
}

// passing is a net.Error that net/http tries again after.
type passing struct{ error }

func (passing) Timeout() bool   { return false }
func (passing) Temporary() bool { return true }

// Close stops accepting and lets answers under way go out until ctx ends; then it
// cuts them, and returns ctx's error. Whoever waits for the end of a drain that is
// not over is told so.
func (s *Server) Close(ctx context.Context) error {
	s.close.Do(func() { close(s.closing) })
	err := s.http.Shutdown(ctx)
	if err != nil {
		s.http.Close()
	}
	return err
}
