package main_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"testing"
)

func TestServerSentEventsOfNodeFlowOneByOne(t *testing.T) {
	app := startBackend(t, "sse")
	s, certificate := mintedFiles(t)
	car := startSidecar(t, s.with(settings{"MTLS_UPSTREAM_URL": app.upstream()}))
	c := client{cert: &certificate, version: tls.VersionTLS13}
	events, err := c.dial(car.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	if _, err := io.WriteString(events, "GET /events HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(events.in, nil) // the head comes before any event
	if err != nil || answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("got %v (%v)", answer, err)
	}
	asking, err := c.dial(car.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer asking.Close()
	lines := bufio.NewReader(answer.Body)
	for i := range 50 {
		target := fmt.Sprintf("/event/%d", i)
		if answer, _, err := asking.ask("POST " + target + " HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"); err != nil || answer.StatusCode != 204 {
			t.Fatalf("asking for an event: %v", err)
		}
		// Nothing else is sent until this one is here.
		for _, want := range []string{"data: " + target + "\n", "\n"} {
			if line, err := lines.ReadString('\n'); err != nil || line != want {
				t.Fatalf("event %d: got %q (%v), want %q", i, line, err, want)
			}
		}
	}
	events.Close()
	if saw := app.next(t); saw.URL != "the stream has ended" {
		t.Errorf("after its client had gone the application told %+v", saw)
	}
}
