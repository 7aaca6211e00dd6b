package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"mtls-sidecar/proxy/admin"
)

// Admin is the admin port (MTLS_ADMIN_ADDR). It is open before there is a server,
// so that a probe is told what is waited for, and still after the server is
// drained.
type Admin struct {
	config  *Config
	drain   *Drain
	server  atomic.Pointer[Server]
	port    *admin.Server // nil: off
	served  chan struct{}
	address net.Addr
	opened  time.Time
	build   Build
}

// OpenAdmin binds MTLS_ADMIN_ADDR and answers there until Close.
func OpenAdmin(config *Config, logging *Logging, drain *Drain) (*Admin, error) {
	a := &Admin{config: config, drain: drain, served: make(chan struct{}), opened: time.Now(), build: ReadBuild()}
	if config.AdminAddr.Off() {
		close(a.served)
		return a, nil
	}
	network, address := ListenAddr(config.AdminAddr).network()
	listener, err := listen(network, address)
	if err != nil {
		return nil, fmt.Errorf("MTLS_ADMIN_ADDR=%q: %w; %s", config.AdminAddr, err, listenRemedy(network, err))
	}
	a.address = listener.Addr()
	log := logging.Logger
	a.port = admin.New(admin.Options{
		Log: log, Level: logging.Level,
		Metrics: http.HandlerFunc(a.serveMetrics),
		Started: a.started, Ready: a.ready,
		Drain:    func() bool { return drain.Begin(config.DrainDelay.Duration) },
		Draining: drain.Begun(), Drained: drain.Done(),
		Probe: a.probe, Paths: config.AdminUpstreamPaths,
		Status: a.status,
	})
	log.Info("admin port open", zap.String("addr", listenName(listener.Addr())))
	go func() {
		defer close(a.served)
		if err := a.port.Serve(listener); err != nil {
			log.Error("the admin port is not served any more", faultField(err))
		}
	}()
	return a, nil
}

// Attach tells of which server the port speaks.
func (a *Admin) Attach(s *Server) { a.server.Store(s) }

// Addr is where the port is; nil: it is off.
func (a *Admin) Addr() net.Addr { return a.address }

// lastAnswers is how long Close waits for answers that are under way: whoever has
// waited for the end of the drain is told of it.
const lastAnswers = 2 * time.Second

// Close ends the port.
func (a *Admin) Close() {
	if a.port != nil {
		ctx, cancel := context.WithTimeout(context.Background(), lastAnswers)
		defer cancel()
		a.port.Close(ctx)
	}
	<-a.served
}

func (a *Admin) serveMetrics(w http.ResponseWriter, r *http.Request) {
	s := a.server.Load()
	if s == nil {
		http.Error(w, "starting: there are no metrics yet", http.StatusServiceUnavailable)
		return
	}
	s.Metrics().ServeHTTP(w, r)
}

// Reasons why requests are not, or should not be, sent here.
var (
	errStarting  = errors.New("starting: files and revocation lists are being read")
	errNotYet    = errors.New("starting: not listening yet")
	errNoLists   = errors.New("starting: revocation lists are being fetched (MTLS_CRL), not listening yet")
	errDraining  = errors.New("draining: this sidecar is going out of service")
	errNotThere  = errors.New("the application accepts no connection (MTLS_READY_UPSTREAM=true)")
	errUnsafeApp = errors.New("the application listens outside loopback, and nothing is relayed to it (MTLS_UPSTREAM_EXPOSED=refuse)")
)

// started is /startupz: it never asks the application, which a native sidecar's
// startup probe holds back.
func (a *Admin) started() error {
	s := a.server.Load()
	switch {
	case s == nil:
		return errStarting
	case s.bound.Load() == nil && len(a.config.CRLURLs()) > 0:
		return errNoLists
	case s.bound.Load() == nil:
		return errNotYet
	default:
		return nil
	}
}

// ready is /readyz.
func (a *Admin) ready(ctx context.Context) error {
	select {
	case <-a.drain.Begun():
		return errDraining
	default:
	}
	if err := a.started(); err != nil {
		return err
	}
	if !a.config.ReadyUpstream {
		return nil
	}
	return a.server.Load().reachable(ctx)
}

// reachable asks whether the application accepts a connection, once a second at
// most: anybody may ask the admin port.
func (s *Server) reachable(ctx context.Context) error {
	s.probes.mu.Lock()
	defer s.probes.mu.Unlock()
	if time.Since(s.probes.at) < time.Second {
		return s.probes.found
	}
	dialer := net.Dialer{Timeout: s.config.UpstreamConnectTimeout.Duration}
	conn, err := dialer.DialContext(ctx, s.config.UpstreamURL.Network, s.config.UpstreamURL.Address)
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("%w: %w", errNotThere, err) // it was not given the time
	case err != nil:
		err = fmt.Errorf("%w: %w", errNotThere, err)
	default:
		conn.Close()
		if s.exposure.allow(s) != nil {
			err = errUnsafeApp
		}
	}
	s.probes.at, s.probes.found = time.Now(), err
	return err
}
