package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding/gzip"
	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// volumes are cases about much at once, and about compression.
var volumes = map[string]scenario{
	"huge_messages":    func(ctx context.Context, c *session, _ *outcome) error { return c.echo(ctx, 16<<20) },
	"odd_messages":     oddMessages,
	"concurrent_large": concurrentLarge,
	"many_streams":     manyStreams,
	"compressed_unary": func(ctx context.Context, c *session, _ *outcome) error {
		return c.echo(ctx, 300000, grpc.UseCompressor(gzip.Name))
	},
	"compressed_streaming":  compressedStreaming,
	"slow_reader_of_a_lot":  slowReader,
	"half_closed_and_waits": halfClosed,
}

// echo sends random bytes and wants them back.
func (c *session) echo(ctx context.Context, size int, options ...grpc.CallOption) error {
	body := make([]byte, size)
	_, _ = rand.Read(body) // never fails
	answer := new(testpb.SimpleResponse)
	if err := c.conn.Invoke(ctx, "/sidecar.Witness/Echo", &testpb.SimpleRequest{Payload: &testpb.Payload{Body: body}}, answer, options...); err != nil {
		return err
	}
	if got := answer.GetPayload().GetBody(); !bytes.Equal(got, body) {
		return fmt.Errorf("sent %d bytes, and got %d others back", size, len(got))
	}
	return nil
}

// oddMessages are those around the sizes of frames and of flow-control windows.
func oddMessages(ctx context.Context, c *session, _ *outcome) error {
	for _, edge := range []int{0, 1, 16384, 65535, 1 << 20} {
		for _, size := range []int{edge - 11, edge - 6, edge, edge + 1} { // 5 bytes are the message's prefix, 6 or more protobuf's
			if err := c.echo(ctx, max(0, size)); err != nil {
				return fmt.Errorf("%d bytes: %w", size, err)
			}
		}
	}
	return nil
}

// atOnce runs n of them side by side.
func atOnce(n int, do func(int) error) error {
	ended := make(chan error, n)
	for i := range n {
		go func() { ended <- do(i) }()
	}
	var all error
	for range n {
		all = errors.Join(all, <-ended)
	}
	return all
}

func concurrentLarge(ctx context.Context, c *session, _ *outcome) error {
	return atOnce(16, func(int) error { return c.echo(ctx, 1<<20) })
}

// manyStreams has all of them open before one ends.
func manyStreams(ctx context.Context, c *session, _ *outcome) error {
	const many = 100
	before := c.dials.Load()
	open, all := make(chan struct{}, many), make(chan struct{})
	go func() {
		for range many {
			<-open
		}
		close(all)
	}()
	err := atOnce(many, func(int) error {
		stream, err := c.test.FullDuplexCall(ctx)
		if err == nil {
			err = pingPong(stream)
		}
		open <- struct{}{}
		if err != nil {
			return err
		}
		<-all
		return errors.Join(pingPong(stream), finish(stream))
	})
	if dials := c.dials.Load(); err == nil && dials > max(1, before) {
		err = fmt.Errorf("%d connections were made, want one for all streams", dials)
	}
	return err
}

// duplex is a stream of the TestService, open both ways.
type duplex = grpc.BidiStreamingClient[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]

// pingPong sends a message and waits for its answer.
func pingPong(stream duplex) error {
	err := stream.Send(&testpb.StreamingOutputCallRequest{
		ResponseParameters: []*testpb.ResponseParameters{{Size: 100}},
		Payload:            &testpb.Payload{Body: make([]byte, 100)},
	})
	if err != nil && err != io.EOF { // which says that Recv knows more
		return fmt.Errorf("sending a ping: %w", err)
	}
	answer, err := stream.Recv()
	if err != nil {
		return fmt.Errorf("waiting for a pong: %w", err)
	}
	if n := len(answer.GetPayload().GetBody()); n != 100 {
		return fmt.Errorf("a pong of %d bytes, want 100", n)
	}
	return nil
}

// finish ends a stream from the client's side and waits for its status.
func finish(stream duplex) error {
	if err := stream.CloseSend(); err != nil {
		return err
	}
	if _, err := stream.Recv(); err != io.EOF {
		return fmt.Errorf("the stream ended with %w, want its end", err)
	}
	return nil
}

func compressedStreaming(ctx context.Context, c *session, _ *outcome) error {
	stream, err := c.test.FullDuplexCall(ctx, grpc.UseCompressor(gzip.Name))
	if err != nil {
		return err
	}
	for range 10 {
		if err := pingPong(stream); err != nil {
			return err
		}
	}
	return finish(stream)
}

// slowReader lets the server fill every window before it reads.
func slowReader(ctx context.Context, c *session, _ *outcome) error {
	sizes := make([]*testpb.ResponseParameters, 64)
	for i := range sizes {
		sizes[i] = &testpb.ResponseParameters{Size: 256 << 10}
	}
	stream, err := c.test.StreamingOutputCall(ctx, &testpb.StreamingOutputCallRequest{ResponseParameters: sizes})
	if err != nil {
		return err
	}
	// While nobody reads that stream, others on the connection go on.
	for range 50 {
		if _, err := c.test.EmptyCall(ctx, &testpb.Empty{}); err != nil {
			return fmt.Errorf("beside a stream that nobody reads: %w", err)
		}
	}
	for range sizes {
		answer, err := stream.Recv()
		if err != nil {
			return err
		}
		if n := len(answer.GetPayload().GetBody()); n != 256<<10 {
			return fmt.Errorf("a message of %d bytes, want 256 KiB", n)
		}
	}
	if _, err := stream.Recv(); err != io.EOF {
		return fmt.Errorf("the stream ended with %w, want its end", err)
	}
	return nil
}

// halfClosed ends the client's side first; the answers begin after that.
func halfClosed(ctx context.Context, c *session, _ *outcome) error {
	stream, err := c.test.HalfDuplexCall(ctx)
	if err != nil {
		return err
	}
	for range 20 {
		if err := stream.Send(&testpb.StreamingOutputCallRequest{ResponseParameters: []*testpb.ResponseParameters{{Size: 1000}}}); err != nil {
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for range 20 {
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
	if _, err := stream.Recv(); err != io.EOF {
		return fmt.Errorf("the stream ended with %w, want its end", err)
	}
	return nil
}
