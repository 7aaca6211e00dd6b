package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"mtls-sidecar/proxy"
)

// drainTimeout bounds the question to the running sidecar, which answers at once.
const drainTimeout = 5 * time.Second

// drain begins to take the sidecar out of service that runs in the same pod, and
// returns at once: it is for the container's preStop hook.
func drain(environ []string, stdout io.Writer) error {
	config, err := proxy.Environment(environ)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	state, err := proxy.AskDrain(ctx, config)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, state)
	return nil
}
