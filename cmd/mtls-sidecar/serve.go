package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"go.uber.org/zap"

	"mtls-sidecar/proxy"
)

// serve runs the sidecar until SIGTERM or SIGINT, then lets requests in flight
// finish. A second signal cuts them. SIGHUP reads the files again.
func serve(environ []string) error {
	// First of all, so that a signal during the start is not lost. SIGHUPs that come
	// together are one, and none keeps a signal to stop waiting.
	ends, hangups := make(chan os.Signal, 2), make(chan os.Signal, 1)
	signal.Notify(ends, syscall.SIGTERM, syscall.SIGINT)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(ends)
	defer signal.Stop(hangups)

	config, err := proxy.Environment(environ)
	if err != nil {
		return err
	}
	log, err := proxy.NewLogger(config)
	if err != nil {
		return err
	}
	// net/http says some things about the application's HTTP/2 there.
	if restore, err := zap.RedirectStdLogAt(log, zap.DebugLevel); err == nil {
		defer restore()
	}
	server, err := prepareUnless(ends, config, log)
	if server == nil {
		return err
	}
	done := make(chan struct{})
	defer close(done)
	go reloadOn(hangups, server, done)

	listener, err := listenUnless(ends, server)
	if listener == nil {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		server.Shutdown(ended)
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case got := <-ends:
		log.Info("stopping", zap.String("signal", got.String()), zap.String("drain_timeout", config.DrainTimeout.String()))
	}
	drain, cancel := context.WithTimeout(context.Background(), config.DrainTimeout.Duration)
	defer cancel()
	go func() {
		<-ends
		cancel()
	}()
	cut := server.Shutdown(drain)
	log.Info("stopped", zap.Int("connections_cut", cut))
	return <-failed
}

// prepareUnless reads all files, which may take its time. No server and no error: a
// signal to stop came first.
func prepareUnless(ends <-chan os.Signal, config *proxy.Config, log *zap.Logger) (server *proxy.Server, err error) {
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

// listenUnless starts the server and binds its address. No listener and no error: a
// signal to stop came first.
func listenUnless(ends <-chan os.Signal, server *proxy.Server) (net.Listener, error) {
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

// reloadOn reloads for each SIGHUP. What goes wrong is in the log.
func reloadOn(hangups <-chan os.Signal, server *proxy.Server, done <-chan struct{}) {
	for {
		select {
		case <-hangups:
			_ = server.Reload()
		case <-done:
			return
		}
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
	if warning, err := proxy.CheckExposed(config); err != nil {
		return nil, err
	} else if warning != "" {
		log.Warn("the application is exposed", zap.String("detail", warning))
	}
	server, err := proxy.NewServer(config, material, log)
	if err != nil {
		return nil, fmt.Errorf("%w:\n%w", errFiles, err)
	}
	return server, nil
}
