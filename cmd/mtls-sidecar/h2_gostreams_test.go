package main_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestGoGetsAnEarlyAnswerWhileItStillUploads(t *testing.T) {
	eachFront(t, nil, func(t *testing.T, f *front, _ *site) {
		c := f.goClient(t, "client")
		for _, status := range []int{413, 401} {
			body, upload := io.Pipe()
			started := make(chan error, 1)
			go func() {
				_, err := upload.Write(pattern(64 << 10)) // and no more comes, nor an end
				started <- err
			}()
			got := c.ask(t, "POST", "/early/"+strconv.Itoa(status), body)
			if got.StatusCode != status || strings.TrimSpace(string(got.body)) != "enough" {
				t.Errorf("got %d %q, want %d and what the application says", got.StatusCode, got.body, status)
			}
			upload.Close()
			<-started
			if after := c.ask(t, "POST", "/echo", strings.NewReader("next")); string(after.body) != "next" || after.saw() != saw("client") {
				t.Errorf("after the early %d: got %d %q, %q", status, after.StatusCode, after.body, after.saw())
			}
		}
		if got := c.dialled.Load(); got != 1 {
			t.Errorf("it took %d connections, want 1", got)
		}
	})
}

func TestGoReadsServerSentEventsOverHTTP2AsTheyCome(t *testing.T) {
	eachFront(t, nil, func(t *testing.T, f *front, s *site) {
		c := f.goClient(t, "client")
		stream := c.open(t, "/events?name=go")
		lines := bufio.NewReader(stream.Body)
		expectEvent(t, lines, 0)
		for n := 1; n <= 20; n++ {
			// The next one is asked for on the same connection when this one is here.
			if got := c.ask(t, "POST", "/event?name=go", nil); got.StatusCode != 204 || !got.reused {
				t.Fatalf("asking for an event: got %d, on the same connection: %v", got.StatusCode, got.reused)
			}
			expectEvent(t, lines, n)
		}
		stream.Body.Close() // RST_STREAM CANCEL
		s.expect(t, "gone go")
	})
}

// expectEvent reads the nth event of the application.
func expectEvent(t *testing.T, lines *bufio.Reader, n int) {
	t.Helper()
	for _, want := range []string{fmt.Sprintf("data: event %d\n", n), "\n"} {
		if line, err := lines.ReadString('\n'); err != nil || line != want {
			t.Fatalf("event %d: got %q (%v), want %q", n, line, err, want)
		}
	}
}

func TestGoExchangesTrailersOverHTTP2(t *testing.T) {
	// nginx passes trailers neither way.
	s := startSite(t)
	c := startSidecarFront(t, s.addr, nil).goClient(t, "client")
	for _, n := range []int{0, 1, 64 << 10} {
		request := c.request(t, "POST", "/trailers", unsized{bytes.NewReader(pattern(n))})
		request.Trailer = http.Header{"X-Sum": {"sum of " + strconv.Itoa(n)}, "Verified": {"SUCCESS"}, "Dn": {"CN=admin"}}
		got := c.send(t, request)
		if !bytes.Equal(got.body, pattern(n)) || got.saw() != saw("client") {
			t.Errorf("got %d bytes, %q", len(got.body), got.saw())
		}
		if sum, late := got.Trailer["X-Sum"], got.Trailer["X-Late"]; !slices.Equal(sum, []string{"sum of " + strconv.Itoa(n)}) || !slices.Equal(late, []string{"at the end"}) {
			t.Errorf("the trailer says %q and %q", sum, late)
		}
	}
}

func TestGoGetsAnswersWithoutABodyOverHTTP2(t *testing.T) {
	eachFront(t, nil, func(t *testing.T, f *front, _ *site) {
		c := f.goClient(t, "client")
		for _, test := range []struct {
			method, path string
			status       int
			length       int64
		}{
			{"HEAD", "/", 200, 5},
			{"HEAD", "/bytes?n=100000", 200, -1},
			{"HEAD", "/status/404", 404, -1},
			{"GET", "/status/204", 204, 0},
			{"DELETE", "/status/204", 204, 0},
			{"GET", "/status/304", 304, -1},
			{"HEAD", "/status/304", 304, -1},
			{"OPTIONS", "/status/204", 204, 0},
		} {
			got := c.ask(t, test.method, test.path, nil)
			if got.StatusCode != test.status || len(got.body) != 0 || got.saw() != saw("client") {
				t.Errorf("%s %s: got %d, %d bytes, %q, want %d", test.method, test.path, got.StatusCode, len(got.body), got.saw(), test.status)
			}
			if test.length >= 0 && got.ContentLength != test.length {
				t.Errorf("%s %s: the length is told as %d, want %d", test.method, test.path, got.ContentLength, test.length)
			}
			if got.StatusCode != 200 && got.Header.Get("ETag") != `"7"` {
				t.Errorf("%s %s: ETag is %q", test.method, test.path, got.Header.Get("ETag"))
			}
		}
		if f.nginx {
			return // before 1.29 it knows nothing of 103
		}
		got := c.ask(t, "GET", "/hints", nil)
		if len(got.hints) != 1 || got.hints[0].Get("Link") != "</style.css>; rel=preload; as=style" || string(got.body) != "hinted" {
			t.Errorf("got the hints %v and %q", got.hints, got.body)
		}
	})
}

func TestCookieCrumbsReachTheApplicationAsOneLine(t *testing.T) {
	// net/http cuts a Cookie line into one field for each pair (RFC 9113 §8.2.3).
	eachFront(t, nil, func(t *testing.T, f *front, _ *site) {
		c := f.goClient(t, "client")
		request := c.request(t, "GET", "/cookies", nil)
		request.Header.Set("Cookie", "a=1; b=2; session=x=y; last=")
		if got := string(c.send(t, request).body); got != `["a=1; b=2; session=x=y; last="]` {
			t.Errorf("the application saw the cookie lines %s", got)
		}
	})
}

func TestASlowReaderDoesNotHoldUpOtherStreams(t *testing.T) {
	const n = 16 << 20 // more than net/http's window of a stream
	eachFront(t, nil, func(t *testing.T, f *front, _ *site) {
		c := f.goClient(t, "client")
		slow := c.open(t, "/bytes?n="+strconv.Itoa(n))
		first := make([]byte, 1)
		if _, err := io.ReadFull(slow.Body, first); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if got := c.ask(t, "GET", "/bytes?n=100000", nil); !bytes.Equal(got.body, pattern(100_000)) || !got.reused {
				t.Fatalf("beside the slow one: got %d bytes, on the same connection: %v", len(got.body), got.reused)
			}
		}
		rest, err := io.ReadAll(slow.Body)
		if err != nil || !bytes.Equal(append(first, rest...), pattern(n)) {
			t.Errorf("the slow one got %d bytes (%v), want %d", 1+len(rest), err, n)
		}
	})
}

func TestARequestThatGoCancelsEndsForTheApplication(t *testing.T) {
	eachFront(t, nil, func(t *testing.T, f *front, s *site) {
		c := f.goClient(t, "client")
		for _, test := range []struct{ path, arrived, gone string }{
			{"/hold?name=answering", "holding answering", "gone answering"},
			{"/wait?name=thinking", "waiting thinking", "gone thinking"},
			{"/upload?name=sending", "uploading sending", "cut sending"},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			request := c.request(t, "POST", test.path, nil)
			if strings.HasPrefix(test.path, "/upload") {
				body, upload := io.Pipe()
				go func() { _, _ = upload.Write(pattern(100)) }()
				request.Body = body
			}
			failed := make(chan error, 1)
			go func() {
				_, err := c.try(request.WithContext(ctx))
				failed <- err
			}()
			s.expect(t, test.arrived)
			cancel() // RST_STREAM CANCEL
			if err := <-failed; !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %v", test.path, err)
			}
			s.expect(t, test.gone)
		}
		if !f.nginx { // which keeps a head back that no body follows
			held := c.open(t, "/hold?name=read")
			if held.StatusCode != 200 || held.Header.Get("X-Saw") != saw("client") {
				t.Errorf("the head before any body: got %d, %q", held.StatusCode, held.Header.Get("X-Saw"))
			}
			held.Body.Close()
			s.expect(t, "gone read")
		}
		if got := c.ask(t, "GET", "/", nil); string(got.body) != "hello" || c.dialled.Load() != 1 {
			t.Errorf("afterwards: got %q on connection %d, want the same connection to serve on", got.body, c.dialled.Load())
		}
	})
}

func TestSessionsAreResumedOverHTTP2(t *testing.T) {
	for name, version := range tlsVersions() {
		t.Run("TLS"+name, func(t *testing.T) {
			eachFront(t, nil, func(t *testing.T, f *front, _ *site) {
				sessions := tls.NewLRUClientSessionCache(1)
				for _, resumed := range []bool{false, true, true} {
					c := f.goClient(t, "client")
					c.config.MinVersion, c.config.MaxVersion, c.config.ClientSessionCache = version, version, sessions
					got := c.ask(t, "GET", "/", nil)
					if got.StatusCode != 200 || got.saw() != saw("client") || got.TLS.DidResume != resumed {
						t.Errorf("got %d, %q, resumed %v, want 200, %q, %v", got.StatusCode, got.saw(), got.TLS.DidResume, saw("client"), resumed)
					}
					c.CloseIdleConnections()
				}
			})
		})
	}
}
