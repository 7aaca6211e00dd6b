// Command client runs gRPC cases against a server of this module, directly or
// through whatever stands before it: the interoperability tests of gRPC that need
// no more than a server, and our own for what these leave out.
//
//	client -addr host:port [-ca file] [-cert file -key file] [-md name=value]… [case…]
//
// It tells on standard output, one line of JSON each, what became of every case;
// without a case it runs all that need nobody to talk to them. Its exit code is 1
// when one failed.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/grpclog"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
)

// maxMessage is above the 16 MiB that are sent; grpc's own limit is 4 MiB.
const maxMessage = 64 << 20

func main() {
	var s setup
	flag.StringVar(&s.addr, "addr", "", "host:port of the server")
	flag.StringVar(&s.ca, "ca", "", "PEM file with the server's CA; without one, the server speaks without TLS")
	flag.StringVar(&s.cert, "cert", "", "PEM file with the client's certificate")
	flag.StringVar(&s.key, "key", "", "PEM file with its key")
	flag.Func("md", "metadata for every call, as name=value", func(text string) error {
		name, value, found := strings.Cut(text, "=")
		if !found {
			return errors.New("want name=value")
		}
		s.md = append(s.md, name, value)
		return nil
	})
	flag.Parse()
	failed, err := s.run(flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if failed > 0 {
		os.Exit(1)
	}
}

// setup is what the command line says.
type setup struct {
	addr, ca, cert, key string
	md                  []string // name, value, …
}

// session is one channel to the server.
type session struct {
	conn  *grpc.ClientConn
	test  testpb.TestServiceClient
	dials *atomic.Int32 // connections made so far
	out   *json.Encoder
	md    metadata.MD
	fatal *fatal
}

func (s setup) run(names []string) (failed int, err error) {
	if len(names) == 0 {
		names = unattended()
	}
	security, err := s.credentials()
	if err != nil {
		return 0, err
	}
	c := session{dials: new(atomic.Int32), out: json.NewEncoder(os.Stdout), md: metadata.Pairs(s.md...), fatal: &fatal{}}
	grpclog.SetLoggerV2(c.fatal)
	c.conn, err = grpc.NewClient("passthrough:///"+s.addr,
		grpc.WithTransportCredentials(security),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			c.dials.Add(1)
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}))
	if err != nil {
		return 0, err
	}
	defer c.conn.Close()
	c.test = testpb.NewTestServiceClient(c.conn)
	for _, name := range names {
		if !c.attempt(name) {
			failed++
		}
	}
	return failed, nil
}

// credentials presents the certificate whatever CAs the server names.
func (s setup) credentials() (credentials.TransportCredentials, error) {
	if s.ca == "" {
		return insecure.NewCredentials(), nil
	}
	text, err := os.ReadFile(s.ca)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	if !config.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: no certificate", s.ca)
	}
	if s.cert != "" {
		cert, err := tls.LoadX509KeyPair(s.cert, s.key)
		if err != nil {
			return nil, err
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	}
	return credentials.NewTLS(config), nil
}
