package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// endings are cases about deadlines, and about calls that end before their time.
var endings = map[string]scenario{
	"deadline_told":         deadlineTold,
	"deadline_absent":       deadlineAbsent,
	"deadline_passes":       deadlinePasses,
	"server_ends_stream":    serverEndsStream,
	"server_ends_upload":    serverEndsUpload,
	"trailers_only":         trailersOnly,
	"client_cancels_upload": clientCancelsUpload,
}

// unusual is a message that grpc-message must encode (PROTOCOL-HTTP2.md, Status-Message).
const unusual = "no: 100% of \"it\", äöü, 日本, 🔒,\ttab and\nline"

func toldDeadline(ctx context.Context, c *session) (string, error) {
	var header metadata.MD
	_, err := c.test.EmptyCall(metadata.AppendToOutgoingContext(ctx, "x-tell", "1"), &testpb.Empty{}, grpc.Header(&header))
	return strings.Join(header.Get("told-deadline"), " and "), err
}

func deadlineTold(ctx context.Context, c *session, _ *outcome) error {
	ctx, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	told, err := toldDeadline(ctx, c)
	if err != nil {
		return err
	}
	// Nobody adds to it on the way; a quarter of it cannot get lost in a minute.
	if left, err := time.ParseDuration(told); err != nil || left > time.Hour || left < 45*time.Minute {
		return fmt.Errorf("the server was told the deadline %q, want an hour", told)
	}
	return nil
}

func deadlineAbsent(ctx context.Context, c *session, _ *outcome) error {
	told, err := toldDeadline(ctx, c)
	if err == nil && told != "none" {
		err = fmt.Errorf("the server was told the deadline %q, want none", told)
	}
	return err
}

// deadlinePasses has the server wait for the end of its context.
func deadlinePasses(ctx context.Context, c *session, _ *outcome) error {
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	err := c.conn.Invoke(ctx, "/sidecar.Witness/Wait", &testpb.SimpleRequest{}, new(testpb.SimpleResponse))
	if status.Code(err) != codes.DeadlineExceeded {
		return fmt.Errorf("the call ended with %w, want %v", err, codes.DeadlineExceeded)
	}
	return nil
}

// serverEndsStream has the server end a stream that the client keeps open: a
// status, then RST_STREAM.
func serverEndsStream(ctx context.Context, c *session, _ *outcome) error {
	stream, err := c.test.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	if err := pingPong(stream); err != nil {
		return err
	}
	err = stream.Send(&testpb.StreamingOutputCallRequest{ResponseStatus: &testpb.EchoStatus{Code: int32(codes.Aborted), Message: unusual}})
	if err != nil {
		return fmt.Errorf("asking for a status: %w", err)
	}
	_, err = stream.Recv()
	return wantStatus(err, codes.Aborted, unusual)
}

// serverEndsUpload has the server refuse at once what the client goes on sending.
func serverEndsUpload(ctx context.Context, c *session, _ *outcome) error {
	stream, err := c.test.StreamingInputCall(metadata.AppendToOutgoingContext(ctx, "x-refuse", "8 too much of it"))
	if err != nil {
		return err
	}
	piece := &testpb.StreamingInputCallRequest{Payload: &testpb.Payload{Body: make([]byte, 64<<10)}}
	for err == nil {
		err = stream.Send(piece)
	}
	if err != io.EOF {
		return fmt.Errorf("sending ended with %w, want io.EOF", err)
	}
	_, err = stream.CloseAndRecv()
	return wantStatus(err, codes.ResourceExhausted, "too much of it")
}

// trailersOnly is an answer of one HEADERS frame.
func trailersOnly(ctx context.Context, c *session, _ *outcome) error {
	var header, trailer metadata.MD
	_, err := c.test.EmptyCall(metadata.AppendToOutgoingContext(ctx, "x-refuse", "9 not in this state"), &testpb.Empty{}, grpc.Header(&header), grpc.Trailer(&trailer))
	if err := wantStatus(err, codes.FailedPrecondition, "not in this state"); err != nil {
		return err
	}
	if len(header) > 0 {
		return fmt.Errorf("the answer has the headers %v, so that it is not of trailers only", header)
	}
	return nil
}

// clientCancelsUpload cancels in the middle of a message stream.
func clientCancelsUpload(ctx context.Context, c *session, _ *outcome) error {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := c.test.StreamingInputCall(ctx)
	if err != nil {
		cancel()
		return err
	}
	piece := &testpb.StreamingInputCallRequest{Payload: &testpb.Payload{Body: make([]byte, 64<<10)}}
	for range 32 {
		err = errors.Join(err, stream.Send(piece))
	}
	cancel()
	if err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	_, err = stream.CloseAndRecv()
	if status.Code(err) != codes.Canceled {
		return fmt.Errorf("the call ended with %w, want %v", err, codes.Canceled)
	}
	return nil
}
