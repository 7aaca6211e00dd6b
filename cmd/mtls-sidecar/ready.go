package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"mtls-sidecar/proxy"
)

// readyTimeout bounds the question, which may have to wait for the application:
// MTLS_READY_UPSTREAM.
const readyTimeout = 5 * time.Second

// ready asks the sidecar that runs here whether requests should be sent to it. It is
// for whoever runs a command to learn that, as Compose's healthcheck does; the image
// has no other program that could ask. Where it is not ready, the error says why.
func ready(environ []string, stdout io.Writer) error {
	config, err := proxy.Environment(environ)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	state, err := proxy.AskReady(ctx, config)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, state)
	return err
}
