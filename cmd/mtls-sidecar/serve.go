package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"go.uber.org/zap"

	"mtls-sidecar/proxy"
)

// serve runs the sidecar until SIGTERM or SIGINT, or until it is drained by the
// command of that name and told to end; requests in flight finish. SIGHUP reads the
// files again.
func serve(environ []string) error {
	stop := catchStop() // first of all, so that a signal during the start is not lost
	defer stop.release()
	hangups := make(chan os.Signal, 1) // those that come together are one
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Ignore(syscall.SIGHUP) // not to be ended by one in the last instant
	// Go ends a program that writes to a standard error whose reader has gone. Lines are
	// lost then, and counted, but no requests.
	signal.Ignore(syscall.SIGPIPE)

	config, err := proxy.Environment(environ)
	if err != nil {
		return err
	}
	logging := proxy.NewLogger(config)
	defer logging.Close()
	log := logging.Logger
	// net/http says some things about the application's HTTP/2 there.
	if restore, err := zap.RedirectStdLogAt(log, zap.DebugLevel); err == nil {
		defer restore()
	}
	config.LogSettings(log)
	limitMemory(log)
	stop.steer(log, config.DrainDelay.Duration)
	desk, err := proxy.OpenAdmin(config, logging, stop.drain)
	if err != nil {
		return err
	}
	defer desk.Close()
	server, err := prepareUnless(stop.drain.Begun(), config, log)
	if server == nil {
		return stop.before(err)
	}
	server.CountLost(logging.Dropped)
	desk.Attach(server)
	r := &running{server: server, stop: stop, log: log, manager: newNotifier(os.Getenv), done: make(chan struct{})}
	defer close(r.done)
	go r.reloadOn(hangups)
	listener, err := listenUnless(stop.drain.Begun(), server)
	if listener == nil {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		server.Shutdown(ended)
		return stop.before(err)
	}
	return r.serve(listener)
}

// running is a sidecar that has started.
type running struct {
	server  *proxy.Server
	stop    *stop
	log     *zap.Logger
	manager *notifier // nil: nobody wants to know
	serving atomic.Bool
	done    chan struct{}
}

// serve serves until the sidecar is drained, and ends once it has been told to: who
// has it drained before the application stops tells it later.
func (r *running) serve(listener net.Listener) error {
	serving, failed := context.WithCancelCause(context.Background())
	defer failed(nil)
	served := make(chan error, 1)
	go func() {
		err := r.server.Serve(listener)
		if err != nil {
			failed(err)
		}
		served <- err
	}()
	r.serving.Store(true)
	r.manager.ready("serving")
	go r.manager.watch(r.done)
	go r.tellManager()
	cut := r.server.Drain(serving, r.stop.drain)
	if err := <-served; err != nil {
		return err
	}
	<-r.stop.asked
	r.log.Info("stopped", zap.Int("connections_cut", cut))
	return nil
}

// state is what the service manager is told while READY=1 is repeated after a reload.
func (r *running) state() string {
	select {
	case <-r.stop.drain.Begun():
		return "draining"
	default:
		return "serving"
	}
}

// tellManager tells the service manager of the end. A drain is none before the
// process has been told to stop: the manager would kill it, and start it again.
func (r *running) tellManager() {
	select {
	case <-r.stop.drain.Begun():
		r.manager.status("draining")
	case <-r.done:
		return
	}
	select {
	case <-r.stop.asked:
		r.manager.stopping("draining")
	case <-r.done:
	}
}

// reloadOn reloads for each SIGHUP. What goes wrong is in the log.
func (r *running) reloadOn(hangups <-chan os.Signal) {
	for {
		select {
		case <-hangups:
			if !r.serving.Load() { // nor is it ready
				_ = r.server.Reload()
				continue
			}
			r.manager.reloading()
			_ = r.server.Reload()
			r.manager.ready(r.state())
		case <-r.done:
			return
		}
	}
}

// prepareUnless reads all files, which may take its time. No server and no error: it is
// to stop already.
func prepareUnless(ends <-chan struct{}, config *proxy.Config, log *zap.Logger) (server *proxy.Server, err error) {
	prepared := make(chan struct{})
	var made *proxy.Server
	var fault error
	go func() {
		defer close(prepared)
		made, fault = prepare(config, log)
	}()
	select {
	case <-prepared:
		return made, fault
	case <-ends:
		return nil, nil
	}
}

// listenUnless starts the server and binds its address. No listener and no error: it
// is to stop already.
func listenUnless(ends <-chan struct{}, server *proxy.Server) (net.Listener, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	starting := make(chan error, 1)
	go func() { starting <- server.Start(ctx) }()
	select {
	case err := <-starting:
		if err != nil {
			return nil, err
		}
		return server.Listen()
	case <-ends:
		return nil, nil
	}
}

// prepare reads all files and makes the server.
func prepare(config *proxy.Config, log *zap.Logger) (*proxy.Server, error) {
	material, err := proxy.Load(config)
	if err != nil {
		return nil, fmt.Errorf("%w:\n%w", errFiles, err)
	}
	for _, warning := range material.Warnings {
		log.Warn(warning)
	}
	if _, err := proxy.CheckExposed(config); err != nil { // a warning is Start's to log
		return nil, err
	}
	server, err := proxy.NewServer(config, material, log)
	if err != nil {
		return nil, fmt.Errorf("%w:\n%w", errFiles, err)
	}
	return server, nil
}
