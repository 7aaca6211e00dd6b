package main

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
)

// services are cases about the services that tools and load balancers ask.
var services = map[string]scenario{
	"health_check":    healthCheck,
	"health_watch":    healthWatch,
	"reflection_list": reflectionList,
}

func healthCheck(ctx context.Context, c *session, _ *outcome) error {
	answer, err := healthpb.NewHealthClient(c.conn).Check(ctx, &healthpb.HealthCheckRequest{})
	if err == nil && answer.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		err = fmt.Errorf("the status is %v", answer.GetStatus())
	}
	return err
}

// healthWatch is a stream that stays open after its first message.
func healthWatch(ctx context.Context, c *session, _ *outcome) error {
	stream, err := healthpb.NewHealthClient(c.conn).Watch(ctx, &healthpb.HealthCheckRequest{Service: "unheard-of"})
	if err != nil {
		return err
	}
	answer, err := stream.Recv()
	if err == nil && answer.GetStatus() != healthpb.HealthCheckResponse_SERVICE_UNKNOWN {
		err = fmt.Errorf("the status is %v", answer.GetStatus())
	}
	return err
}

func reflectionList(ctx context.Context, c *session, _ *outcome) error {
	stream, err := reflectionpb.NewServerReflectionClient(c.conn).ServerReflectionInfo(ctx)
	if err != nil {
		return err
	}
	listed, err := reflected(stream, &reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}})
	if err != nil {
		return err
	}
	has := func(name string) bool {
		return slices.ContainsFunc(listed.GetListServicesResponse().GetService(), func(s *reflectionpb.ServiceResponse) bool { return s.GetName() == name })
	}
	if !has("grpc.testing.TestService") || !has("grpc.health.v1.Health") {
		return fmt.Errorf("the services are %v", listed)
	}
	described, err := reflected(stream, &reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "grpc.testing.TestService"}})
	if err == nil && len(described.GetFileDescriptorResponse().GetFileDescriptorProto()) == 0 {
		err = fmt.Errorf("nothing describes the TestService: %v", described)
	}
	return err
}

func reflected(stream grpc.BidiStreamingClient[reflectionpb.ServerReflectionRequest, reflectionpb.ServerReflectionResponse], question *reflectionpb.ServerReflectionRequest) (*reflectionpb.ServerReflectionResponse, error) {
	if err := stream.Send(question); err != nil {
		return nil, err
	}
	return stream.Recv()
}
