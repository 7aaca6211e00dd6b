package proxy

import (
	"bufio"
	"context"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// onlyLine waits for a line with a message and fails when there are more.
func (s *sidecar) onlyLine(t *testing.T, message string) map[string]any {
	t.Helper()
	waitFor(t, "the log line "+message, func() bool { return len(s.logged(message)) > 0 })
	if n := len(s.logged(message)); n != 1 {
		t.Errorf("%d lines %q, want 1: %v", n, message, s.logs.All())
	}
	return s.logged(message)[0].ContextMap()
}

func (s *sidecar) wantFields(t *testing.T, line map[string]any, want map[string]any) {
	t.Helper()
	for field, value := range want {
		if line[field] != value {
			t.Errorf("%s: got %v (%T), want %v", field, line[field], line[field], value)
		}
	}
}

func TestARequestsLineTellsWhoAskedForWhatAndHowItWent(t *testing.T) {
	app := startBackend(t, func(conn net.Conn, r *bufio.Reader, head string) bool {
		_, _ = io.CopyN(io.Discard, r, 5)
		_, err := io.WriteString(conn, "HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nyes")
		return err == nil
	})
	s := startSidecar(t, app.url, "MTLS_ACCESS_LOG=all", "MTLS_ROUTES=/docs=require /=optional")
	c := s.dial(t, issue(t, pki.Options{Subject: pkix.Name{CommonName: "writer"}, Serial: big.NewInt(0xabc)}))
	c.send("POST /docs/a%20b?secret=1 HTTP/1.1\r\nHost: h.example\r\nUser-Agent: test/1\r\nX-Request-Id: id-7\r\n" +
		"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nVERIFIED: SUCCESS\r\nverified: SUCCESS\r\nContent-Length: 5\r\n\r\nhello")
	if answer, _ := c.answer("POST"); answer.StatusCode != 201 {
		t.Fatalf("got %d", answer.StatusCode)
	}
	protocol, sent := "1.1", "traceparent"
	if c.h2 != nil {
		protocol, sent = "2", "Traceparent" // lower case on the wire, the application's spelling after it
	}
	if got := values(app.seen(t), sent); len(got) != 1 || got[0] != "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" {
		t.Errorf("traceparent reached the application as %q", got)
	}
	line := s.onlyLine(t, "request")
	state := c.ConnectionState()
	s.wantFields(t, line, map[string]any{
		"client.address": "127.0.0.1", "http.request.method": "POST", "url.path": "/docs/a%20b", "http.response.status_code": int64(201),
		"network.protocol.version": protocol, "server.address": "h.example", "user_agent.original": "test/1",
		"http.request.id": "id-7", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
		"verified": "SUCCESS", "tls.client.subject": "CN=writer", "tls.client.issuer": testCA(t).ca.Cert.Subject.String(), "tls.client.serial_number": "0ABC",
		"tls.protocol.version": "1.3", "tls.resumed": state.DidResume, "route.need": "require",
		"http.request.body.size": int64(5), "http.response.body.size": int64(3),
	})
	whole, waited := line["http.server.request.duration"].(float64), line["upstream.response.duration"].(float64)
	if waited <= 0 || whole < waited || whole > hang.Seconds() {
		t.Errorf("took %v s, of which the application %v", whole, waited)
	}
	if suite, _ := line["tls.cipher"].(string); !strings.HasPrefix(suite, "TLS_") {
		t.Errorf("cipher: %q", suite)
	}
	if got := fmt.Sprint(line["stripped_headers"]); got != "[verified]" {
		t.Errorf("stripped_headers: got %s, want [verified]", got)
	}
	s.logsNothingOf(t, "secret")
}

func TestWhoIsNotBelievedIsNotNamedInTheAccessLog(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	for _, row := range []struct {
		entries []string
		serial  bool
		verdict string
	}{
		{[]string{"MTLS_INVALID_CERT=failed"}, true, "FAILED:certificate has expired"},
		{[]string{"MTLS_INVALID_CERT=none"}, true, "NONE"},
		{nil, false, "NONE"},
		{[]string{"MTLS_ROUTES=/=off"}, true, "NONE"},
	} {
		s := startSidecar(t, app.url, append(row.entries, "MTLS_ACCESS_LOG=all")...)
		past := time.Now().Add(-time.Hour)
		certificate := issue(t, pki.Options{Subject: pkix.Name{CommonName: "impostor"}, NotBefore: past.AddDate(-1, 0, 0), NotAfter: past})
		if !row.serial {
			certificate = nil
		}
		c := s.dial(t, certificate)
		c.send(get("/"))
		if answer, _ := c.answer("GET"); answer.StatusCode != 200 {
			t.Fatalf("got %d", answer.StatusCode)
		}
		s.wantFields(t, s.onlyLine(t, "request"), map[string]any{"verified": row.verdict})
		s.logsNothingOf(t, "impostor")
	}
}

// settled waits until nothing is under way any more; no client may be left.
func (s *sidecar) settled(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	if s.Shutdown(ctx) > 0 {
		t.Error("something was still under way")
	}
}

// accessLines are the messages of the lines about requests.
func (s *sidecar) accessLines() []string {
	var all []string
	for _, entry := range s.logs.All() {
		if _, about := entry.ContextMap()["http.request.method"]; about {
			all = append(all, entry.Message)
		}
	}
	return all
}

func TestARequestHasOneLineAtMostAsMTLSAccessLogSays(t *testing.T) {
	const (
		broken = "reading the application's answer failed"
		short  = "the application's answer was cut short"
	)
	for _, row := range []struct {
		name, answer     string
		all, errors, off string // the message
	}{
		{"a good answer", okAnswer, "request", "", ""},
		{"the client's fault", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "request", "", ""},
		{"the application's fault", "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "request", "request", ""},
		{"no answer", "nonsense\r\n\r\n", broken, broken, broken},
		{"half an answer", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", short, short, short},
	} {
		for mode, want := range map[string]string{"all": row.all, "errors": row.errors, "off": row.off} {
			t.Run(row.name+"/"+mode, func(t *testing.T) {
				app := startBackend(t, func(conn net.Conn, _ *bufio.Reader, _ string) bool {
					_, _ = io.WriteString(conn, row.answer)
					return strings.Contains(row.answer, "Content-Length: 0") || row.answer == okAnswer
				})
				s := startSidecar(t, app.url, "MTLS_ACCESS_LOG="+mode)
				c := s.dial(t, &testCA(t).client)
				c.send(get("/"))
				_, _ = io.Copy(io.Discard, io.LimitReader(c.r, 12)) // the status line
				if want != "" {
					waitFor(t, "the line "+want, func() bool { return len(s.accessLines()) > 0 })
				}
				c.Close()
				s.settled(t)
				var wanted []string
				if want != "" {
					wanted = []string{want}
				}
				if got := s.accessLines(); !slices.Equal(got, wanted) {
					t.Errorf("got %q, want %q", got, wanted)
				}
				if want == short {
					s.wantFields(t, s.onlyLine(t, short), map[string]any{"error.type": "answer_truncated", "verified": "SUCCESS",
						"http.response.status_code": int64(200), "http.response.body.size": int64(4)})
				}
			})
		}
	}
}

func TestATunnelIsLoggedWhenItOpensAndWhenItCloses(t *testing.T) {
	const greeting, early = "greeting", "early" // which come with the heads
	app := startBackend(t, func(conn net.Conn, r *bufio.Reader, _ string) bool {
		_, _ = io.WriteString(conn, switched+greeting)
		echo(conn, r)
		return false
	})
	s := startSidecar(t, app.url, "MTLS_ACCESS_LOG=all")
	c := s.dial(t, &testCA(t).client)
	c.send(upgradeHead + early)
	c.wantSwitch()
	opened := s.onlyLine(t, "request")
	s.wantFields(t, opened, map[string]any{"http.response.status_code": int64(101), "url.path": "/chat", "verified": "SUCCESS"})
	_, _ = io.WriteString(c.Conn, "12345")
	if _, err := io.CopyN(io.Discard, c.r, 18); err != nil {
		t.Fatal(err)
	}
	_ = c.CloseWrite()
	closed := s.onlyLine(t, "tunnel closed")
	s.wantFields(t, closed, map[string]any{"http.request.id": opened["http.request.id"], "url.path": "/chat", "client.address": "127.0.0.1",
		"http.request.body.size": int64(5 + 5), "http.response.body.size": int64(8 + 5 + 5), "error.type": nil})
	if took, _ := closed["http.server.request.duration"].(float64); took <= 0 {
		t.Errorf("took %v s", closed["http.server.request.duration"])
	}
}

func TestWhatAClientSaysIsCutShortInTheLog(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_ACCESS_LOG=all")
	c := s.dial(t, nil)
	c.send(fmt.Sprintf("GET /%s HTTP/1.1\r\nHost: h\r\nUser-Agent: %s\r\n\r\n", strings.Repeat("p", 5000), strings.Repeat("u", 5000)))
	if answer, _ := c.answer("GET"); answer.StatusCode != 200 {
		t.Fatalf("got %d", answer.StatusCode)
	}
	line := s.onlyLine(t, "request")
	if path, agent := line["url.path"].(string), line["user_agent.original"].(string); len(path) != 1024 || len(agent) != 256 {
		t.Errorf("the path has %d bytes and the agent %d, want 1024 and 256", len(path), len(agent))
	}
}
