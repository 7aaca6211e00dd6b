package main

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/interop"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// outcome is one line of what the client tells.
type outcome struct {
	Case  string `json:"case"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`

	Step string `json:"step,omitempty"` // of a case that talks on the way

	// What a probe met: the call's status, and what the server says it was told.
	Code     codes.Code `json:"code"`
	Message  string     `json:"message,omitempty"`
	Verified []string   `json:"verified,omitempty"`
	DN       []string   `json:"dn,omitempty"`
	RealIP   []string   `json:"realIP,omitempty"`
}

// scenario is one case. What it adds to the outcome is not judged here.
type scenario func(context.Context, *session, *outcome) error

// tests are the cases that need nobody to talk to them.
func tests() map[string]scenario {
	all := map[string]scenario{
		"empty_unary":                 ofTestService(interop.DoEmptyUnaryCall),
		"large_unary":                 ofTestService(interop.DoLargeUnaryCall),
		"client_streaming":            ofTestService(interop.DoClientStreaming),
		"server_streaming":            ofTestService(interop.DoServerStreaming),
		"ping_pong":                   ofTestService(interop.DoPingPong),
		"empty_stream":                ofTestService(interop.DoEmptyStream),
		"cancel_after_begin":          ofTestService(interop.DoCancelAfterBegin),
		"cancel_after_first_response": ofTestService(interop.DoCancelAfterFirstResponse),
		"timeout_on_sleeping_server":  ofTestService(interop.DoTimeoutOnSleepingServer),
		"custom_metadata":             ofTestService(interop.DoCustomMetadata),
		"status_code_and_message":     ofTestService(interop.DoStatusCodeAndMessage),
		"special_status_message":      ofTestService(interop.DoSpecialStatusMessage),
		"unimplemented_method": func(ctx context.Context, c *session, _ *outcome) error {
			interop.DoUnimplementedMethod(ctx, c.conn)
			return nil
		},
		"unimplemented_service": func(ctx context.Context, c *session, _ *outcome) error {
			interop.DoUnimplementedService(ctx, testpb.NewUnimplementedServiceClient(c.conn))
			return nil
		},
	}
	for _, more := range []map[string]scenario{endings, metadatas, volumes, services} {
		maps.Copy(all, more)
	}
	return all
}

// attended are the cases that another program talks to or waits for, that are
// about its settings, or that tell what they meet and judge nothing.
func attended() map[string]scenario {
	all := map[string]scenario{"hold": hold, "ages": ages, "server_talks_alone": serverTalksAlone, "client_talks_alone": clientTalksAlone}
	maps.Copy(all, probes)
	return all
}

func unattended() []string { return slices.Sorted(maps.Keys(tests())) }

func ofTestService(do func(context.Context, testpb.TestServiceClient, ...grpc.CallOption)) scenario {
	return func(ctx context.Context, c *session, _ *outcome) error {
		do(ctx, c.test)
		return nil
	}
}

// attempt runs one case and tells of it.
func (c *session) attempt(name string) bool {
	all := tests()
	maps.Copy(all, attended())
	result := outcome{Case: name}
	if do, known := all[name]; known {
		if err := c.apart(do, &result); err != nil {
			result.Error = err.Error()
		}
	} else {
		result.Error = "there is no such case"
	}
	result.OK = result.Error == ""
	_ = c.out.Encode(result)
	return result.OK
}

// apart runs a case on a goroutine of its own, which the interoperability tests
// end when they fail. There is no deadline unless the case sets one.
func (c *session) apart(do scenario, result *outcome) error {
	ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(context.Background(), c.md.Copy()))
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		err := fmt.Errorf("given up")
		defer func() {
			if why := c.fatal.said.Swap(nil); why != nil {
				err = fmt.Errorf("%s", *why)
			}
			ended <- err
		}()
		err = do(ctx, c, result)
	}()
	return <-ended
}

// fatal is a log of which only the last words count. grpc would end the program
// after these; here the goroutine ends.
type fatal struct {
	said atomic.Pointer[string]
}

func (f *fatal) end(text string) {
	f.said.Store(&text)
	runtime.Goexit()
}

func (f *fatal) Fatal(args ...any)                 { f.end(fmt.Sprint(args...)) }
func (f *fatal) Fatalln(args ...any)               { f.end(fmt.Sprintln(args...)) }
func (f *fatal) Fatalf(format string, args ...any) { f.end(fmt.Sprintf(format, args...)) }
func (*fatal) Info(...any)                         {}
func (*fatal) Infoln(...any)                       {}
func (*fatal) Infof(string, ...any)                {}
func (*fatal) Warning(...any)                      {}
func (*fatal) Warningln(...any)                    {}
func (*fatal) Warningf(string, ...any)             {}
func (*fatal) Error(...any)                        {}
func (*fatal) Errorln(...any)                      {}
func (*fatal) Errorf(string, ...any)               {}
func (*fatal) V(int) bool                          { return false }

// wantStatus checks how a call ended.
func wantStatus(err error, code codes.Code, message string) error {
	if got := status.Convert(err); got.Code() != code || got.Message() != message {
		return fmt.Errorf("the call ended with %v %q, want %v %q", got.Code(), got.Message(), code, message)
	}
	return nil
}
