package main

import (
	"context"
	"io"
	"strings"

	"google.golang.org/grpc"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// probes tell what a call meets and judge nothing.
var probes = map[string]scenario{
	"probe_unary":          probeUnary,
	"probe_stream":         probeStream,
	"probe_upload":         probeUpload,
	"probe_large_message":  probeLargeMessage,
	"probe_large_metadata": probeLargeMetadata,
}

// met puts the status of a call and what the server was told in the outcome.
func (o *outcome) met(err error, header metadata.MD) error {
	s := status.Convert(err)
	o.Code, o.Message = s.Code(), s.Message()
	o.Verified, o.DN, o.RealIP = header.Get("told-verified"), header.Get("told-dn"), header.Get("told-real-ip")
	return nil
}

func probeUnary(ctx context.Context, c *session, o *outcome) error {
	var header metadata.MD
	_, err := c.test.EmptyCall(metadata.AppendToOutgoingContext(ctx, "x-tell", "1"), &testpb.Empty{}, grpc.Header(&header))
	return o.met(err, header)
}

func probeStream(ctx context.Context, c *session, o *outcome) error {
	stream, err := c.test.FullDuplexCall(metadata.AppendToOutgoingContext(ctx, "x-tell", "1"))
	if err != nil {
		return o.met(err, nil)
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	_, ended := stream.Recv()
	if ended == io.EOF {
		ended = nil
	}
	header, err := stream.Header() // none in a trailers-only answer
	if err != nil && ended == nil {
		return err
	}
	return o.met(ended, header)
}

// probeUpload goes on sending until it is told to stop, or has sent 4 MiB.
func probeUpload(ctx context.Context, c *session, o *outcome) error {
	stream, err := c.test.StreamingInputCall(ctx)
	if err != nil {
		return o.met(err, nil)
	}
	piece := &testpb.StreamingInputCallRequest{Payload: &testpb.Payload{Body: make([]byte, 64<<10)}}
	for range 64 {
		if stream.Send(piece) != nil {
			break // the next call knows why
		}
	}
	_, err = stream.CloseAndRecv()
	return o.met(err, nil)
}

// probeLargeMessage sends 1 MiB at once.
func probeLargeMessage(ctx context.Context, c *session, o *outcome) error {
	return o.met(c.echo(ctx, 1<<20), nil)
}

// probeLargeMetadata sends 36 KiB of metadata in six fields: above the 32 KiB that
// the sidecar takes, but below what it has to announce (SETTINGS_MAX_HEADER_LIST_SIZE
// counts 32 bytes more a field), which grpc-go would not even send.
func probeLargeMetadata(ctx context.Context, c *session, o *outcome) error {
	for _, letter := range "abcdef" {
		ctx = metadata.AppendToOutgoingContext(ctx, "large-"+string(letter), strings.Repeat("0123456789abcdef", 384))
	}
	_, err := c.test.EmptyCall(ctx, &testpb.Empty{})
	return o.met(err, nil)
}
