package main

import (
	"context"

	"google.golang.org/grpc"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// witness is what the interoperability tests leave out. Its messages are theirs.
var witness = grpc.ServiceDesc{
	ServiceName: "sidecar.Witness",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{
		{MethodName: "Echo", Handler: handles("Echo", echo)},
		{MethodName: "Wait", Handler: handles("Wait", wait)},
	},
}

// echo answers with the payload that came.
func echo(_ context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	return &testpb.SimpleResponse{Payload: in.GetPayload()}, nil
}

// wait answers when the client has gone or its deadline has passed, and not before.
func wait(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	<-ctx.Done()
	return nil, status.FromContextError(ctx.Err()).Err()
}

// handles makes a method of a function, as generated code does.
func handles(name string, method func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error)) grpc.MethodHandler {
	return func(server any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		in := new(testpb.SimpleRequest)
		if err := decode(in); err != nil {
			return nil, err
		}
		info := &grpc.UnaryServerInfo{Server: server, FullMethod: "/sidecar.Witness/" + name}
		return interceptor(ctx, in, info, func(ctx context.Context, request any) (any, error) {
			return method(ctx, request.(*testpb.SimpleRequest))
		})
	}
}
