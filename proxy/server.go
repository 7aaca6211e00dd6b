package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"mtls-sidecar/headers"
	"mtls-sidecar/proxy/trust"
	"mtls-sidecar/proxy/upstream"
)

// Server is one sidecar: a TLS listener in front of one application.
type Server struct {
	config   *Config
	log      *zap.Logger
	clock    func() time.Time // stands in for the wall clock in tests; nil: time.Now
	tls      atomic.Pointer[tls.Config]
	store    trust.Store
	chains   *trust.Chains
	stripper *headers.Stripper
	pool     *upstream.Pool
	h2c      *upstream.H2C // nil: the application speaks HTTP/1.1
	framer   *framer       // of HTTP/2
	late     *framer       // of connections that are only being made when a shutdown begins
	conns    registry
	memory   housekeeper
	events   events
	metrics  *metrics
	life     context.Context // until Shutdown cuts what is in flight
	end      context.CancelFunc
	accepted atomic.Uint64            // connections so far: spreads them over the upstream pool
	tunnels  atomic.Int64             // open ones
	draining atomic.Bool              // every answer asks for another connection
	bound    atomic.Pointer[net.Addr] // where it listens; nil: not yet
	probes   probes
	exposure exposure

	works, streamWorks sync.Pool    // of *work, for HTTP/1.1 and HTTP/2
	hugeLent           atomic.Int32 // huge buffers of answers

	belief   belief
	troubles troubles
	refusals refusals
	tickets  *ticketKeys
	ocsp     *trust.OCSP // nil: MTLS_OCSP=off
	sweeper  sweeper
	keepers  sync.WaitGroup     // see Start
	starting sync.Mutex         // held while they are begun
	asked    chan chan struct{} // reloads asked for
}

// NewServer makes a server of checked configuration and loaded files.
func NewServer(config *Config, material *Material, log *zap.Logger) (*Server, error) {
	stripper, err := headers.NewStripper(config.stripOptions())
	if err != nil {
		return nil, err
	}
	s := &Server{
		config:   config,
		log:      log,
		chains:   trust.NewChains(),
		stripper: stripper,
	}
	s.pool = upstream.NewPool(s.upstreamConfig())
	if config.UpstreamURL.H2C {
		s.h2c = s.newH2C()
	}
	if s.metrics, err = s.newMetrics(); err != nil {
		return nil, err
	}
	s.life, s.end = context.WithCancel(context.Background())
	s.works.New = func() any { return newWork(bufferSize, 2*bufferSize) }
	s.streamWorks.New = func() any { return newWork(streamIn, streamOut) }
	s.memory.deep = config.firstWait() + config.firstWait()/8
	s.framer, s.late = newFramer(s), newFramer(s)
	s.conns.limit = int(config.MaxConnections)
	s.tickets = newTicketKeys(config.SessionTimeout.Duration)
	s.asked = make(chan chan struct{})
	s.belief.begin(config.CRLURLs())
	if err := s.publish(material); err != nil {
		return nil, err
	}
	s.ocsp = s.newOCSP(s.answered)
	return s, nil
}

func (s *Server) upstreamConfig() upstream.Config {
	return upstream.Config{
		Network:        s.config.UpstreamURL.Network,
		Address:        s.config.UpstreamURL.Address,
		ConnectTimeout: s.config.UpstreamConnectTimeout.Duration,
		IdleTimeout:    s.config.UpstreamIdleTimeout.Duration,
	}
}

// wall is the time that certificates are judged by: now, unless a test says
// otherwise.
func (s *Server) wall(now time.Time) time.Time {
	if s.clock != nil {
		return s.clock()
	}
	return now
}

// Serve accepts until the listener is closed, which Shutdown does. It returns
// nil then.
func (s *Server) Serve(listener net.Listener) error {
	ended := make(chan struct{})
	defer close(ended)
	if !s.conns.serving(listener, ended) {
		return nil
	}
	s.log.Info("listening", zap.String("addr", listenName(listener.Addr())),
		zap.String("upstream", s.config.UpstreamURL.String()),
		zap.String("verify_client", string(s.config.VerifyClient)))
	var pause time.Duration
	for {
		socket, err := listener.Accept()
		switch {
		case err == nil:
			pause = 0
			s.take(socket)
		case errors.Is(err, net.ErrClosed):
			return nil
		default:
			// Out of file descriptors, mostly: accepting again at once would
			// burn a processor until some are free.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.log.Error("accepting a connection failed", faultField(err), zap.Duration("retry_in", pause))
			time.Sleep(pause)
		}
	}
}

// dial connects to the application, having looked at where it listens.
func (s *Server) dial() (*upstream.Conn, error) {
	up, err := s.pool.Dial(s.life)
	if err != nil {
		return nil, err
	}
	if err := s.exposure.allow(s); err != nil {
		up.Close()
		return nil, err
	}
	return up, nil
}

// await waits for the connections to end, or for ctx. Those over HTTP/2 are told of
// the end, which net/http does for all at once, not before each of them has had its
// first request, or the time for it.
func (s *Server) await(ctx context.Context) {
	begin := time.Now()
	again := time.NewTicker(goAwayEvery)
	defer again.Stop()
	for {
		select {
		case <-s.conns.empty:
			return
		case <-ctx.Done():
			return
		case now := <-again.C:
			late := now.Sub(begin) > 2*handshakeGrace
			if late || !s.conns.unasked() {
				s.framer.goAway()
			}
			if late {
				s.late.goAway()
			}
		}
	}
}

// Shutdown closes the listener and the idle connections, lets requests in
// flight finish until ctx is done, then cuts them. It returns how many it cut.
func (s *Server) Shutdown(ctx context.Context) int {
	s.conns.stopAccepting(s.take)
	s.conns.drain()
	s.await(ctx)
	s.starting.Lock() // a Start that comes later begins nothing
	s.end()
	s.starting.Unlock()
	tunnels := s.tunnels.Load()
	cut := s.conns.cut()
	if cut > 0 {
		s.log.Warn("cut what was still in flight", zap.Int("requests", cut-int(tunnels)), zap.Int64("tunnels", tunnels))
	}
	<-s.conns.empty
	s.framer.stop()
	s.late.stop()
	s.keepers.Wait()
	if s.ocsp != nil {
		s.ocsp.Close()
	}
	s.pool.Close()
	if s.h2c != nil {
		s.h2c.Close()
	}
	s.memory.stop()
	s.exposure.looks.Wait()
	s.tellLeftOut(time.Now(), 0)
	return cut
}
