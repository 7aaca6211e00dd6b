// Command server is a gRPC application in cleartext HTTP/2, as it stands behind
// the sidecar: the TestService of gRPC's interoperability tests, health checking,
// reflection, and a service of our own for what these leave out.
//
// It tells on standard output, one line of JSON each, where it listens and what
// becomes of every call.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"sync"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // clients may compress with it
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/interop"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
)

// maxMessage is above the 16 MiB that the client sends; grpc's own limit is 4 MiB.
const maxMessage = 64 << 20

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "where to listen")
	age := flag.Duration("max-connection-age", 0, "send GOAWAY on connections as old as this; 0 is never")
	streams := flag.Uint("max-streams", 0, "calls that one connection may have in flight; 0 is no limit")
	flag.Parse()
	limits := []grpc.ServerOption{grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: *age})}
	if *streams > 0 {
		limits = append(limits, grpc.MaxConcurrentStreams(uint32(*streams)))
	}
	if err := serve(*addr, limits...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(addr string, limits ...grpc.ServerOption) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	t := &teller{out: json.NewEncoder(os.Stdout)}
	server := grpc.NewServer(append(limits,
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.StatsHandler(t),
		grpc.UnaryInterceptor(t.unary),
		grpc.StreamInterceptor(t.stream),
	)...)
	testpb.RegisterTestServiceServer(server, interop.NewTestServer())
	healthpb.RegisterHealthServer(server, health.NewServer())
	server.RegisterService(&witness, nil)
	reflection.Register(server)
	t.tell(told{Listening: listener.Addr().String()})
	return server.Serve(listener)
}

// told is one line of what the server tells.
type told struct {
	Listening string `json:"listening,omitempty"`

	Event       string              `json:"event,omitempty"` // begin or end
	Method      string              `json:"method,omitempty"`
	Metadata    map[string][]string `json:"metadata,omitempty"`    // begin: all that came with the call
	Compression string              `json:"compression,omitempty"` // begin: of the messages that the client sends
	Code        string              `json:"code,omitempty"`        // end: the status that the call was given
	Context     string              `json:"context,omitempty"`     // end: why its context had ended before, if it had
}

// teller writes what calls do.
type teller struct {
	mu  sync.Mutex
	out *json.Encoder
}

func (t *teller) tell(line told) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.out.Encode(line) // nobody listens any more
}
