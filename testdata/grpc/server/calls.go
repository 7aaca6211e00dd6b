package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// TagRPC is part of stats.Handler.
func (t *teller) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC tells of the beginning of each call, also of one that no service has.
func (t *teller) HandleRPC(_ context.Context, s stats.RPCStats) {
	if in, ok := s.(*stats.InHeader); ok {
		t.tell(told{Event: "begin", Method: in.FullMethod, Metadata: in.Header, Compression: in.Compression})
	}
}

// TagConn is part of stats.Handler.
func (t *teller) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn is part of stats.Handler.
func (t *teller) HandleConn(context.Context, stats.ConnStats) {}

func (t *teller) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	header, trailer, err := wishes(ctx)
	if err != nil {
		return nil, err
	}
	err = errors.Join(grpc.SetHeader(ctx, header), grpc.SetTrailer(ctx, trailer))
	if err != nil {
		return nil, err
	}
	answer, err := handler(ctx, request)
	t.end(ctx, info.FullMethod, err)
	return answer, err
}

func (t *teller) stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	header, trailer, err := wishes(stream.Context())
	if err != nil {
		return err
	}
	if err := stream.SetHeader(header); err != nil {
		return err
	}
	stream.SetTrailer(trailer)
	err = handler(server, stream)
	t.end(stream.Context(), info.FullMethod, err)
	return err
}

func (t *teller) end(ctx context.Context, method string, err error) {
	line := told{Event: "end", Method: method, Code: status.Code(err).String()}
	if ended := ctx.Err(); ended != nil {
		line.Context = ended.Error()
	}
	t.tell(line)
}

// wishes are what a client may ask of any call by metadata:
//
//	x-refuse: 7 and why    the call fails with this status, in a trailers-only answer
//	x-tell: 1              the answer's headers tell who the client is said to be, and its deadline
//	echo-…                 comes back, in the headers and in the trailers
func wishes(ctx context.Context) (header, trailer metadata.MD, err error) {
	md, _ := metadata.FromIncomingContext(ctx)
	if refuse := md.Get("x-refuse"); refuse != nil {
		number, why, _ := strings.Cut(refuse[0], " ")
		code, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			return nil, nil, err
		}
		return nil, nil, status.Error(codes.Code(code), why)
	}
	header, trailer = metadata.MD{}, metadata.MD{}
	if md.Get("x-tell") != nil {
		for name, of := range map[string]string{"told-verified": "verified", "told-dn": "dn", "told-real-ip": "x-real-ip"} {
			header[name] = md.Get(of)
		}
		header.Set("told-deadline", "none")
		if deadline, ok := ctx.Deadline(); ok {
			header.Set("told-deadline", time.Until(deadline).String())
		}
	}
	for name, values := range md {
		if strings.HasPrefix(name, "echo-") {
			header[name], trailer[name] = values, values
		}
	}
	return header, trailer, nil
}
