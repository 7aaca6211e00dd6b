package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// hold keeps a stream open and does what standard input says, a word a line:
//
//	ping    a message each way on the stream
//	call    another call, on whatever connection grpc has then
//	finish  the end of the stream from this side, and of the case
//	await   the end of the stream from the other side, and of the case
//
// It tells of each when it is done.
func hold(ctx context.Context, c *session, o *outcome) error {
	stream, err := c.test.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	if err := pingPong(stream); err != nil {
		return err
	}
	c.step(o.Case, "open", nil)
	for words := bufio.NewScanner(os.Stdin); words.Scan(); {
		switch word := words.Text(); word {
		case "ping":
			if err := pingPong(stream); err != nil {
				return err
			}
			c.step(o.Case, word, nil)
		case "call":
			_, err := c.test.EmptyCall(ctx, &testpb.Empty{})
			c.step(o.Case, word, err)
		case "finish":
			return finish(stream)
		case "await":
			_, err := stream.Recv()
			if err == io.EOF {
				err = nil
			}
			return o.met(err, nil)
		default:
			return fmt.Errorf("told to %q", word)
		}
	}
	return io.ErrUnexpectedEOF
}

// step tells that a part of a case is done, with the status it was given.
func (c *session) step(name, step string, err error) {
	s := status.Convert(err)
	_ = c.out.Encode(outcome{Case: name, OK: err == nil, Step: step, Code: s.Code(), Message: s.Message()})
}
