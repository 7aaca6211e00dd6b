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
// finish. A second signal cuts them.
func serve(environ []string) error {
	// First of all, so that a signal during the start is not lost.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)

	config, err := proxy.Environment(environ)
	if err != nil {
		return err
	}
	log, err := proxy.NewLogger(config)
	if err != nil {
		return err
	}
	material, err := proxy.Load(config)
	if err != nil {
		return fmt.Errorf("%w:\n%w", errFiles, err)
	}
	for _, warning := range material.Warnings {
		log.Warn(warning)
	}
	if warning, err := proxy.CheckExposed(config); err != nil {
		return err
	} else if warning != "" {
		log.Warn("the application is exposed", zap.String("detail", warning))
	}
	server, err := proxy.NewServer(config, material, log)
	if err != nil {
		return err
	}
	listener, err := server.Listen()
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case got := <-signals:
		log.Info("stopping", zap.String("signal", got.String()), zap.String("drain_timeout", config.DrainTimeout.String()))
	}
	ctx, cancel := context.WithTimeout(context.Background(), config.DrainTimeout.Duration)
	defer cancel()
	go func() {
		<-signals
		cancel()
	}()
	cut := server.Shutdown(ctx)
	log.Info("stopped", zap.Int("connections_cut", cut))
	return <-failed
}
