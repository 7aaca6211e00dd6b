package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// unsayable tells why HTTP/2 has no words for a case; empty: it has.
func (c *corpusCase) unsayable() string {
	if len(c.messages) != 1 || c.shut {
		return "what follows a request, or its end before its end"
	}
	m := &c.messages[0]
	head, body, whole := strings.Cut(m.text, "\r\n\r\n")
	if !whole || m.outcome != "pass" && m.outcome != "refuse" {
		return "half a message"
	}
	line, fields, _ := strings.Cut(head, "\r\n")
	words := strings.Split(line, " ")
	if len(words) != 3 || words[2] != "HTTP/1.1" || strings.ContainsAny(line, "\r\n") {
		return "the form of the request line, and versions"
	}
	if strings.EqualFold(words[0], "CONNECT") && m.outcome == "refuse" && words[1][0] != '/' {
		return "a CONNECT with a path" // RFC 9113 §8.5 has none
	}
	if _, err := url.ParseRequestURI(words[1]); err != nil && m.outcome == "pass" {
		return "a path that net/url does not parse" // net/http's framer resets its stream
	}
	if strings.Contains(words[1], "://") || m.outcome == "pass" && words[1][0] != '/' && words[1] != "*" {
		return "targets in absolute form"
	}
	seen := map[string]int{}
	length := 0
	for field := range strings.SplitSeq(fields, "\r\n") {
		name, value, found := strings.Cut(field, ":")
		if field == "" {
			continue
		}
		if !found || strings.ContainsAny(field, "\r\n") || strings.ContainsAny(name[:min(1, len(name))], " \t") {
			return "lines"
		}
		name, value = strings.ToLower(name), strings.Trim(value, " \t")
		seen[name]++
		switch {
		case name == "transfer-encoding" && value == "chunked" && m.outcome == "pass":
		case hopByHop(name), name == "te", name == "expect":
			return "fields of the connection"
		case name == "content-length":
			length, _ = strconv.Atoi(value)
		}
	}
	switch {
	case seen["host"] > 1:
		return "several Hosts"
	case seen["transfer-encoding"] > 0 && !strings.HasSuffix(body, "\r\n0\r\n\r\n") && body != "0\r\n\r\n":
		return "trailers that were not announced, and the form of chunks"
	case seen["transfer-encoding"] == 0 && seen["content-length"] < 2 && len(body) != max(length, 0) && m.outcome == "pass":
		return "a body of another length"
	}
	return ""
}

// TestHostileRequestsOverHTTP2 sends those requests of the corpus that HTTP/2 has words
// for. What is to arrive is the same; what is refused is refused with the same status, or the
// stream or the connection is ended by net/http's framer (RFC 9113 §8.1.1), and never arrives whole.
func TestHostileRequestsOverHTTP2(t *testing.T) {
	loopback(t)
	reasons := map[string]int{}
	var runs []*corpusRun
	for _, c := range readCorpus(t, "requests") {
		why := c.unsayable()
		if reasons[why]++; why != "" {
			continue
		}
		run := &corpusRun{corpusCase: c, index: len(runs), believed: len(runs)%2 == 1, overHTTP2: true}
		run.addr = fmt.Sprintf("127.65.%d.%d", run.index>>8, run.index&0xff)
		runs = append(runs, run)
	}
	if len(runs) < 250 {
		t.Errorf("%d cases are sent over HTTP/2, want at least 250; the others by reason: %v", len(runs), reasons)
	}
	var app *recordingApp
	t.Run("send", func(t *testing.T) {
		app = startRecordingApp(t)
		s := startSidecar(t, app.url)
		for _, run := range runs {
			run.expect(t, strings.TrimPrefix(app.url, "http://"))
			run.fault = run.playH2(t, s)
		}
	})
	assign(t, app.messages, runs)
	for _, run := range runs {
		run.check(t)
	}
}

// playH2 is the client's side of a run.
func (run *corpusRun) playH2(t *testing.T, s *sidecar) error {
	config := clientConfig(nil)
	if run.believed {
		config = clientConfig(&testCA(t).client)
	}
	config.NextProtos = []string{"h2"}
	c, err := s.reach(t, config, &net.TCPAddr{IP: net.ParseIP(run.addr)})
	if err != nil {
		return err
	}
	defer c.Close()
	m := run.messages[0]
	if head, _, _ := strings.Cut(m.text, "\r\n\r\n"); m.outcome == "refuse" && !strings.Contains(strings.ToLower(head), "\r\ncontent-length:") {
		m.text = head + "\r\n\r\n" // nothing says how long a body is
	}
	if _, err := c.Write([]byte(m.text)); err != nil && m.outcome == "pass" {
		return err
	}
	if m.outcome == "refuse" {
		answer, err := http.ReadResponse(c.r, &http.Request{Method: requestedMethod(m.text)})
		if err == nil && answer.StatusCode != m.status {
			return fmt.Errorf("refused with %d, want %d", answer.StatusCode, m.status)
		}
		return nil
	}
	line, _, _ := strings.Cut(run.expected[0].head, "\r\n")
	m.close = false
	if err := wantEcho(c.r, m, line); err != nil {
		return err
	}
	if !slices.ContainsFunc(run.expected, func(e expectedMessage) bool { return strings.HasPrefix(e.head, "GET /probe ") }) {
		return nil
	}
	_, err = c.Write([]byte(corpusProbe))
	return errors.Join(err, wantEcho(c.r, corpusMessage{text: corpusProbe, close: true}, "GET /probe HTTP/1.1"))
}
