package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"go.uber.org/zap"

	"mtls-sidecar/proxy"
)

// serve runs the sidecar until SIGTERM or SIGINT, then lets requests in flight
// finish. A second signal cuts them. SIGHUP reads the files again.
func serve(environ []string) error {
	// First of all, so that a signal during the start is not lost.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)

	config, err := proxy.Environment(environ)
	if err != nil {
		return err
	}
	log, err := proxy.NewLogger(config)
	if err != nil {
		return err
	}
	server, err := prepare(config, log)
	if err != nil {
		return err
	}
	stopped := stop{signals: signals, reload: server.Reload}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	starting := make(chan error, 1)
	go func() { starting <- server.Start(ctx) }()
	if got, err := stopped.wait(starting); got != nil || err != nil {
		cancel()
		server.Shutdown(ctx)
		return err
	}
	listener, err := server.Listen()
	if err != nil {
		cancel()
		server.Shutdown(ctx)
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	got, err := stopped.wait(failed)
	if got == nil {
		return err
	}
	log.Info("stopping", zap.String("signal", got.String()), zap.String("drain_timeout", config.DrainTimeout.String()))
	drain, cancelDrain := context.WithTimeout(context.Background(), config.DrainTimeout.Duration)
	defer cancelDrain()
	go func() {
		if again, _ := stopped.wait(nil); again != nil {
			cancelDrain()
		}
	}()
	cut := server.Shutdown(drain)
	log.Info("stopped", zap.Int("connections_cut", cut))
	return <-failed
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

// stop waits for what ends the program. SIGHUP does not: it reloads.
type stop struct {
	signals <-chan os.Signal
	reload  func() error
}

// wait returns what comes first, an end or a signal to stop.
func (s stop) wait(end <-chan error) (os.Signal, error) {
	for {
		select {
		case err := <-end:
			return nil, err
		case got := <-s.signals:
			if got != syscall.SIGHUP {
				return got, nil
			}
			_ = s.reload() // what goes wrong is in the log
		}
	}
}
