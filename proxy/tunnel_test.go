package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

const (
	upgradeHead = "GET /chat HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	switched = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)

// switching accepts an upgrade and hands the connection over.
func switching(serve func(conn net.Conn, r *bufio.Reader)) exchangeFunc {
	return func(conn net.Conn, r *bufio.Reader, head string) bool {
		if !strings.Contains(head, "\r\nUpgrade: ") {
			_, err := io.WriteString(conn, okAnswer)
			return err == nil
		}
		_, _ = io.WriteString(conn, switched)
		serve(conn, r)
		return false
	}
}

// echo sends back what comes, to the end, and then ends too.
func echo(conn net.Conn, r *bufio.Reader) { _, _ = io.Copy(onlyWriter{conn}, r) }

type onlyWriter struct{ io.Writer }

// upgraded opens a tunnel.
func (s *sidecar) upgraded(t *testing.T) *client {
	t.Helper()
	c := s.dial(t, &testCA(t).client)
	c.send(upgradeHead)
	c.wantSwitch()
	return c
}

// wantSwitch reads a 101 for websocket.
func (c *client) wantSwitch() *http.Response {
	c.t.Helper()
	answer, err := http.ReadResponse(c.r, &http.Request{Method: "GET"})
	if err != nil || answer.StatusCode != 101 || answer.Header.Get("Upgrade") != "websocket" || answer.Header.Get("Connection") != "Upgrade" {
		c.t.Fatalf("got %v (%v), want 101 for websocket", answer, err)
	}
	return answer
}

func TestATunnelCarriesTheIdentityOnItsRequestAndBytesBothWays(t *testing.T) {
	app := startBackend(t, switching(echo))
	s := startSidecar(t, app.url)
	c := s.dial(t, &testCA(t).client)
	c.send(strings.Replace(upgradeHead, "\r\n\r\n", "\r\nVERIFIED: NONE\r\nDN: CN=root\r\n\r\n", 1))
	if answer := c.wantSwitch(); answer.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("the application's fields are missing: %v", answer.Header)
	}
	head := app.seen(t)
	for name, want := range map[string]string{
		"VERIFIED": "SUCCESS", "DN": "CN=client,O=Acme", "Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "X-Real-IP": "127.0.0.1",
	} {
		if got := values(head, name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: the application got %q, want just %q", name, got, want)
		}
	}
	const size = 3 << 20
	sent, err := io.ReadAll(randomBytes(3, size))
	if err != nil {
		t.Fatal(err)
	}
	c.sendAside(string(sent))
	got := make([]byte, size)
	if _, err := io.ReadFull(c.r, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("the echo differs from what was sent (%v)", err)
	}
	if n := s.tunnels.Load(); n != 1 {
		t.Errorf("%d tunnels are counted, want 1", n)
	}
	c.Close()
	waitFor(t, "the tunnel is gone", func() bool { return s.tunnels.Load() == 0 && s.open() == 0 })
	if n := s.pool.Idle(); n != 0 {
		t.Errorf("%d connections were kept after a tunnel", n)
	}
}

func TestBytesAfterTheHeadWaitForTheSwitch(t *testing.T) {
	for what, early := range map[string]string{"few": "early", "many": strings.Repeat("early", 8<<10), "a request": smuggled} {
		got := make(chan string, 1)
		app := startBackend(t, func(conn net.Conn, r *bufio.Reader, _ string) bool {
			_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			if b, err := r.Peek(1); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: before its 101 the application got %q (%v)", what, b, err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(hang))
			_, _ = io.WriteString(conn, switched+"hello")
			b := make([]byte, len(early))
			_, _ = io.ReadFull(r, b)
			got <- string(b)
			return false
		})
		c := startSidecar(t, app.url).dial(t, nil)
		c.send(upgradeHead, early)
		c.wantSwitch()
		if b := await(t, "what was sent early", got); b != early {
			t.Errorf("%s: the application got %d bytes %.40q", what, len(b), b)
		}
		if rest, _ := c.rest(); rest != "hello" {
			t.Errorf("%s: what the application sent with its 101 came as %q", what, rest)
		}
	}
}

func TestWithoutTheSwitchWhatFollowsIsTheNextRequest(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	c := startSidecar(t, app.url).dial(t, nil)
	c.send(upgradeHead, simpleGet, "\x81\x85\x00\x00\x00\x00hello\r\n\r\n")
	c.wantAnswer("GET", 200, "ok")
	c.wantAnswer("GET", 200, "ok")
	c.wantRefusal("GET", 400)
	app.seen(t)
	if got := values(app.seen(t), "VERIFIED"); len(got) != 1 || got[0] != "NONE" {
		t.Errorf("the second request arrived with VERIFIED %q", got)
	}
	app.sawNothing(t)
}

func TestEitherSideOfATunnelMayEndFirst(t *testing.T) {
	t.Run("the client", func(t *testing.T) {
		app := startBackend(t, switching(func(conn net.Conn, r *bufio.Reader) {
			all, err := io.ReadAll(r)
			_, _ = fmt.Fprintf(conn, "%s, %v, and more", all, err)
		}))
		c := startSidecar(t, app.url).upgraded(t)
		c.send("last words")
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got := c.wantEnd(); got != "last words, <nil>, and more" {
			t.Errorf("after its end the client got %q", got)
		}
	})
	t.Run("the application", func(t *testing.T) {
		got := make(chan string, 1)
		app := startBackend(t, switching(func(conn net.Conn, r *bufio.Reader) {
			_, _ = io.WriteString(conn, "last words")
			_ = conn.(*net.TCPConn).CloseWrite()
			all, err := io.ReadAll(r)
			got <- fmt.Sprintf("%s, %v", all, err)
		}))
		c := startSidecar(t, app.url).upgraded(t)
		if got := c.wantEnd(); got != "last words" {
			t.Errorf("the client got %q", got)
		}
		c.send("and more")
		c.Close()
		if got := await(t, "the application's end", got); got != "and more, <nil>" {
			t.Errorf("after its end the application got %q", got)
		}
	})
}

func TestATornTunnelEndsOnBothSides(t *testing.T) {
	t.Run("the application resets", func(t *testing.T) {
		app := startBackend(t, switching(func(conn net.Conn, r *bufio.Reader) {
			_, _ = r.ReadByte()
			_ = conn.(*net.TCPConn).SetLinger(0)
		}))
		s := startSidecar(t, app.url)
		c := s.upgraded(t)
		c.send("x")
		c.wantCut()
		waitFor(t, "the tunnel is gone", func() bool { return s.tunnels.Load() == 0 && s.open() == 0 })
	})
	for how, leave := range departures {
		t.Run("the client: "+how, func(t *testing.T) {
			ended := make(chan struct{})
			app := startBackend(t, switching(func(conn net.Conn, r *bufio.Reader) {
				_, _ = io.Copy(io.Discard, r)
				close(ended)
			}))
			s := startSidecar(t, app.url)
			c := s.upgraded(t)
			leave(c)
			await(t, "the application sees the end", ended)
			c.tail.Close()
			waitFor(t, "the tunnel is gone", func() bool { return s.tunnels.Load() == 0 && s.open() == 0 })
		})
	}
}

func TestATunnelInWhichNothingHappensEnds(t *testing.T) {
	ended := make(chan struct{})
	app := startBackend(t, switching(func(_ net.Conn, r *bufio.Reader) {
		_, _ = io.Copy(io.Discard, r)
		close(ended)
	}))
	s := startSidecar(t, app.url, "MTLS_TUNNEL_IDLE_TIMEOUT=50ms", "MTLS_IDLE_TIMEOUT=1h", "MTLS_HEADER_TIMEOUT=1h")
	c := s.upgraded(t)
	await(t, "the application sees the end", ended)
	if rest, _ := c.rest(); rest != "" {
		t.Errorf("the client got %q", rest)
	}
	waitFor(t, "the tunnel is gone", func() bool { return s.tunnels.Load() == 0 })
}

// Traffic in one direction keeps the other open, and no other timeout counts.
func TestATunnelInWhichOneSideSpeaksStays(t *testing.T) {
	const idle = 2 * time.Second // a machine under load may keep the speaker from speaking for a while
	for speaker, name := range []string{"application", "client"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := startBackend(t, switching(func(conn net.Conn, r *bufio.Reader) {
				if speaker == 0 {
					drip(conn, 2*idle)
				} else {
					_, _ = io.Copy(io.Discard, r)
				}
				_, _ = io.WriteString(conn, "done")
			}))
			s := startSidecar(t, app.url, "MTLS_TUNNEL_IDLE_TIMEOUT="+idle.String(), "MTLS_UPSTREAM_TIMEOUT=50ms",
				"MTLS_IDLE_TIMEOUT=50ms", "MTLS_HEADER_TIMEOUT=50ms", "MTLS_BODY_TIMEOUT=50ms")
			c := s.upgraded(t)
			if speaker == 1 {
				drip(c.Conn, 2*idle)
				_ = c.CloseWrite()
			}
			if got := c.wantEnd(); !strings.HasSuffix(got, "done") {
				t.Errorf("the tunnel ended after %d bytes", len(got))
			}
		})
	}
}

// drip writes a byte now and then.
func drip(w io.Writer, during time.Duration) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for start := time.Now(); time.Since(start) < during; <-tick.C {
		if _, err := w.Write([]byte(".")); err != nil {
			return
		}
	}
}

func TestAShutdownClosesTunnelsAndCountsThem(t *testing.T) {
	ended := make(chan struct{}, 2)
	app := startBackend(t, switching(func(_ net.Conn, r *bufio.Reader) {
		_, _ = io.Copy(io.Discard, r)
		ended <- struct{}{}
	}))
	s := startSidecar(t, app.url)
	first, second := s.upgraded(t), s.upgraded(t)
	ctx, cancel := context.WithCancel(context.Background())
	count := shutDown(ctx, s)
	waitDraining(t, s)
	first.send("still open")
	cancel()
	if n := await(t, "the sidecar has stopped", count); n != 2 {
		t.Errorf("%d were cut, want 2", n)
	}
	for _, c := range []*client{first, second} {
		_, _ = c.rest()
		await(t, "the application sees the end", ended)
	}
	if logged := s.logged("cut what was still in flight"); len(logged) != 1 || logged[0].ContextMap()["tunnels"] != int64(2) {
		t.Errorf("logged %v, want one line that counts 2 tunnels", logged)
	}
}
