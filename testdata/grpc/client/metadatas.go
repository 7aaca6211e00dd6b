package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
)

// metadatas are cases about metadata, which comes back in headers and trailers.
var metadatas = map[string]scenario{
	"metadata_binary": echoed(metadata.MD{
		"echo-one-bin":  {"\x00\x01\xfe\xff\r\n"},
		"echo-more-bin": {"a", "\x00", "b,c"},
		"echo-none-bin": {""},
	}),
	"metadata_text": echoed(metadata.MD{
		"echo-text":       {`a, b; c="d" \ ~!#$%&'*+-.^_|` + "`"},
		"echo-text-again": {"one", "two", "one"},
	}),
	"metadata_names": echoed(metadata.MD{"echo-a_b.c-1": {"kept"}}),
	"metadata_large": echoed(metadata.MD{"echo-large": {strings.Repeat("0123456789abcdef", 640)}}), // 10 KiB
}

func echoed(md metadata.MD) scenario {
	return func(ctx context.Context, c *session, _ *outcome) error {
		given, _ := metadata.FromOutgoingContext(ctx)
		ctx = metadata.NewOutgoingContext(ctx, metadata.Join(given, md))
		var header, trailer metadata.MD
		if _, err := c.test.EmptyCall(ctx, &testpb.Empty{}, grpc.Header(&header), grpc.Trailer(&trailer)); err != nil {
			return err
		}
		for name, want := range md {
			if got := header.Get(name); !slices.Equal(got, want) {
				return fmt.Errorf("the header %s came back as %.100q, want %.100q", name, got, want)
			}
			if got := trailer.Get(name); !slices.Equal(got, want) {
				return fmt.Errorf("the trailer %s came back as %.100q, want %.100q", name, got, want)
			}
		}
		return nil
	}
}
