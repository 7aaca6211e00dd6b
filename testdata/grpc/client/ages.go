package main

import (
	"context"
	"errors"
	"fmt"

	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// connections is how many a channel must have gone through for ages to be over.
const connections = 4

// ages goes on calling, with streams open all the while, until the server side
// has ended connection after connection. Not one call may notice.
func ages(ctx context.Context, c *session, _ *outcome) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	old := func() bool { return c.dials.Load() >= connections || ctx.Err() != nil }
	return atOnce(8, func(i int) error {
		err := c.calls(ctx, old)
		if i%2 == 1 {
			err = c.talks(ctx, old)
		}
		if err != nil {
			cancel()
		}
		return err
	})
}

func (c *session) calls(ctx context.Context, enough func() bool) error {
	for n := 0; !enough(); n++ {
		if _, err := c.test.EmptyCall(ctx, &testpb.Empty{}); err != nil {
			return fmt.Errorf("call %d: %w", n, err)
		}
	}
	return nil
}

// talks keeps one stream open from the first connection to the last.
func (c *session) talks(ctx context.Context, enough func() bool) error {
	stream, err := c.test.FullDuplexCall(ctx)
	if err != nil {
		return fmt.Errorf("opening a stream: %w", err)
	}
	for n := 0; !enough(); n++ {
		if err := pingPong(stream); err != nil {
			return fmt.Errorf("message %d of a stream: %w", n, err)
		}
	}
	return errors.Join(pingPong(stream), finish(stream))
}
