package proxy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What must arrive at the application, worked out from the text of a case, and
// what must never arrive.

// expectedMessage is what the application must get.
type expectedMessage struct{ head, body string }

// expect works out what the application must get.
func (run *corpusRun) expect(t *testing.T, application string) {
	t.Helper()
	kept := false
	for i := range run.messages {
		if m := &run.messages[i]; m.outcome == "pass" {
			run.expected = append(run.expected, run.relayed(t, m, application))
			kept = !m.close
		} else {
			kept = kept && m.text == ""
		}
	}
	if kept && !run.shut {
		m := corpusMessage{text: corpusProbe, without: []string{"Connection"}}
		run.expected = append(run.expected, run.relayed(t, &m, application))
	}
}

// relayed is a request as it must arrive: what the client said, in its order
// and case, each field as RFC 9112 §5 writes it, and then what we say.
func (run *corpusRun) relayed(t *testing.T, m *corpusMessage, application string) expectedMessage {
	t.Helper()
	head, body, found := strings.Cut(strings.TrimPrefix(m.text, "\r\n"), "\r\n\r\n")
	if !found {
		t.Fatalf("%s: a request that passes has no end", run)
	}
	line, fields, _ := strings.Cut(head, "\r\n")
	line = line[:strings.LastIndexByte(line, ' ')] + " HTTP/1.1"
	if m.line != nil {
		line = *m.line
	}
	host, chunked, client := run.clientFields(t, m, fields)
	if m.fields != nil {
		client = *m.fields
	}
	if m.body != nil {
		body = *m.body
	}
	var b strings.Builder
	b.WriteString(line + "\r\n")
	if host == nil {
		b.WriteString("Host: " + application + "\r\n")
	}
	b.WriteString(client)
	if chunked {
		b.WriteString("Transfer-Encoding: chunked\r\n")
	}
	b.WriteString(m.hop)
	id := m.id
	if id == "" {
		id = "*"
	}
	b.WriteString("X-Request-Id: " + id + "\r\n")
	if host != nil {
		b.WriteString("X-Forwarded-Host: " + *host + "\r\n")
	}
	b.WriteString("X-Forwarded-For: " + m.forwarded + run.addr + "\r\n")
	b.WriteString(run.verdict())
	b.WriteString("X-Real-IP: " + run.addr + "\r\nX-Forwarded-Proto: https\r\n\r\n")
	return expectedMessage{b.String(), body}
}

// verdict are the lines that say who the client is.
func (run *corpusRun) verdict() string {
	if run.believed {
		return "VERIFIED: SUCCESS\r\nDN: CN=client,O=Acme\r\n"
	}
	return "VERIFIED: NONE\r\n"
}

// clientFields are the client's lines that pass, and what two of them say.
func (run *corpusRun) clientFields(t *testing.T, m *corpusMessage, fields string) (host *string, chunked bool, passed string) {
	t.Helper()
	missing := slices.Clone(m.without)
	var b strings.Builder
	for line := range strings.SplitSeq(fields, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		switch strings.ToLower(name) {
		case "host":
			host = &value
		case "transfer-encoding":
			chunked = true
			continue
		}
		if slices.Contains(m.without, name) {
			missing = slices.DeleteFunc(missing, func(s string) bool { return s == name })
		} else if name != "" {
			b.WriteString(name + ": " + value + "\r\n")
		}
	}
	if len(missing) > 0 {
		t.Errorf("%s: the request has no field %q that could be left out", run, missing)
	}
	return host, chunked, b.String()
}

// assign gives each run what arrived for it. What is nobody's is a request that
// lacks our lines, and the gravest fault of all.
func assign(t *testing.T, messages []*wireMessage, runs []*corpusRun) {
	t.Helper()
	byAddr := map[string]*corpusRun{}
	for _, run := range runs {
		byAddr[run.addr] = run
	}
	for _, m := range messages {
		var run *corpusRun
		if strings.HasSuffix(m.head, "\r\n\r\n") {
			if addrs := values(m.head, "X-Real-IP"); len(addrs) == 1 {
				run = byAddr[addrs[0]]
			}
		}
		if run == nil {
			t.Errorf("the application got a request that nobody may have sent: %q %q (%s)", m.head, m.body, m.fault)
			continue
		}
		run.requested = append(run.requested, m)
	}
}

// check compares what came with what was expected.
func (run *corpusRun) check(t *testing.T) {
	t.Helper()
	fault := func(format string, args ...any) {
		t.Errorf("%s (%s; cut at %v): %s", run, run.rule, run.cuts, fmt.Sprintf(format, args...))
	}
	if run.fault != nil {
		fault("the client: %v", run.fault)
	}
	whole := 0
	for _, m := range run.requested {
		if why := run.lies(m); why != "" {
			fault("%s:\n%s", why, m.head)
		}
		switch {
		case !m.whole && m.fault == "" && run.mayBreakOff():
		case !m.whole:
			fault("the application got half a request: %q %q (%s)", m.head, m.body, m.fault)
		case whole == len(run.expected):
			fault("the application got a request too many: %q", m.head)
		default:
			run.compare(t, run.expected[whole], m)
			whole++
		}
	}
	if whole < len(run.expected) {
		fault("the application got %d requests, want %d", whole, len(run.expected))
	}
}

// mayBreakOff reports whether the fault of a request may show only after a part
// of it has gone on.
func (run *corpusRun) mayBreakOff() bool {
	return slices.ContainsFunc(run.messages, func(m corpusMessage) bool {
		return m.outcome == "torn" || m.outcome == "refuse" && strings.Contains(m.text, "\r\n\r\n")
	})
}

var ownRequestID = regexp.MustCompile(`\r\nX-Request-Id: [0-9a-f]{32}\r\n`)

func (run *corpusRun) compare(t *testing.T, want expectedMessage, m *wireMessage) {
	t.Helper()
	head := m.head
	if strings.Contains(want.head, "\r\nX-Request-Id: *\r\n") {
		head = ownRequestID.ReplaceAllString(head, "\r\nX-Request-Id: *\r\n")
	}
	if head != want.head && (!run.overHTTP2 || keptHead(head) != keptHead(want.head)) {
		t.Errorf("%s (%s; cut at %v): the application got\n%q\nwant\n%q", run, run.rule, run.cuts, head, want.head)
	}
	got, body := m.body, want.body
	if (run.cuts != nil || run.overHTTP2) && strings.Contains(want.head, "\r\nTransfer-Encoding: chunked\r\n") {
		got, body = m.decoded, decodeChunks(t, want.body) // a chunk may go on in parts
	}
	if got != body {
		t.Errorf("%s (%s; cut at %v): the application got the body\n%q\nwant\n%q", run, run.rule, run.cuts, got, body)
	}
}

// lies says what in a head or trailer section a client could have forged.
func (run *corpusRun) lies(m *wireMessage) string {
	verdict := strings.ReplaceAll(run.verdict(), "\r\n", "\n")
	var ours strings.Builder
	claims := lines(m.head)
	if _, trailer, found := strings.Cut(m.decoded, "\r\n\r\n"); found && len(values(m.head, "Transfer-Encoding")) > 0 {
		claims = append(claims, strings.Split(trailer, "\r\n")...)
	}
	for _, line := range claims {
		name, _, _ := strings.Cut(line, ":")
		switch foldedName(name) {
		case "verified", "dn":
			ours.WriteString(line + "\n")
			continue
		}
		for _, word := range []string{"SUCCESS", "CN=admin", "forged"} {
			if strings.Contains(line, word) {
				return fmt.Sprintf("the forged line %q arrived", line)
			}
		}
	}
	if ours.String() != verdict {
		return fmt.Sprintf("the verdict is %q, want %q once", ours.String(), verdict)
	}
	return ""
}
