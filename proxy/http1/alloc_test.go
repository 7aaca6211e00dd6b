//go:build !race

package http1_test

import (
	"bytes"
	"testing"

	"mtls-sidecar/proxy/http1"
)

func TestOrdinaryMessagesAreReadWithoutAllocation(t *testing.T) {
	var (
		request  http1.Request
		response http1.Response
		reader   http1.Reader
		body     http1.Body
		source   bytes.Reader

		limits  = http1.Limits{Head: 32 << 10, Target: 8 << 10, Fields: 100}
		get     = []byte("GET")
		browser = []byte(browserHead)
		node    = []byte(nodeHead)
		refused = []byte("GET /x HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n")
		chunked = []byte("5;x=y\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n")
		buf     = make([]byte, 16)
		out     = make([]byte, 0, http1.MaxChunkHead)
		cookie  = []byte("Cookie")
	)
	for name, run := range map[string]func() error{
		"a request": func() error {
			n, err := http1.HeadEnd(browser, 0)
			if err != nil {
				return err
			}
			if err = request.Parse(browser[:n], limits); request.Nominated(cookie) {
				t.Error("Cookie is not nominated")
			}
			return err
		},
		"an answer": func() error { return response.Parse(node, get, limits) },
		"a refusal": func() error {
			if request.Parse(refused, limits) == nil {
				t.Error("white space before a colon is accepted")
			}
			return nil
		},
		"a chunked body": func() error {
			source.Reset(chunked)
			reader.Reset(&source, buf)
			body.Reset(&reader, http1.Chunked, 0)
			for !body.Done() {
				piece, err := body.Next()
				if err != nil {
					break
				}
				out = http1.AppendChunkHead(out[:0], len(piece))
			}
			return nil
		},
	} {
		got := testing.AllocsPerRun(100, func() {
			if err := run(); err != nil {
				t.Error(err)
			}
		})
		if got != 0 {
			t.Errorf("%s takes %v allocations, want none", name, got)
		}
	}
}
