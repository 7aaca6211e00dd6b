package main

import (
	"context"
	"fmt"
	"time"

	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// Streams on which only one side has something to say: pauses, a message after each.
const (
	pauses = 25
	pause  = 100 * time.Millisecond
)

// serverTalksAlone is a subscription: the client has said what it wants, and keeps
// its side open.
func serverTalksAlone(ctx context.Context, c *session, _ *outcome) error {
	stream, err := c.test.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	wanted := make([]*testpb.ResponseParameters, pauses)
	for i := range wanted {
		wanted[i] = &testpb.ResponseParameters{Size: 100, IntervalUs: int32(pause.Microseconds())}
	}
	if err := stream.Send(&testpb.StreamingOutputCallRequest{ResponseParameters: wanted}); err != nil {
		return err
	}
	for i := range wanted {
		if _, err := stream.Recv(); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
	}
	return finish(stream)
}

// clientTalksAlone is a feed, on which the server says nothing until its end.
func clientTalksAlone(ctx context.Context, c *session, _ *outcome) error {
	stream, err := c.test.StreamingInputCall(ctx)
	if err != nil {
		return err
	}
	beat := time.NewTicker(pause)
	defer beat.Stop()
	for i := range pauses {
		if err := stream.Send(&testpb.StreamingInputCallRequest{Payload: &testpb.Payload{Body: make([]byte, 100)}}); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		<-beat.C
	}
	answer, err := stream.CloseAndRecv()
	if err == nil && answer.GetAggregatedPayloadSize() != pauses*100 {
		err = fmt.Errorf("the server has heard %d bytes", answer.GetAggregatedPayloadSize())
	}
	return err
}
