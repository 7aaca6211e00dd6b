package main_test

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// nodeScript starts a script of testdata/backends that needs no module.
func nodeScript(t *testing.T, name string, args ...string) *process {
	t.Helper()
	script := filepath.Join("..", "..", "testdata", "backends", name)
	return start(t, name, exec.Command(need(t, "node"), append([]string{script}, args...)...))
}

// takes checks that the Node client got through the steps.
func (f *front) takes(t *testing.T, steps ...string) {
	t.Helper()
	p := nodeScript(t, "http2-client.mjs", append([]string{f.url(""), f.dir}, steps...)...)
	for _, step := range steps {
		p.expect(t, `{"step":"`+step+`"}`)
	}
	if code := p.wait(t); code != 0 {
		t.Errorf("the client's exit: %d\n%s", code, p.tail(40))
	}
}

func TestNodeSpeaksHTTP2(t *testing.T) {
	eachFront(t, nil, func(t *testing.T, f *front, s *site) {
		steps := []string{"bodies", "together", "early", "events", "bare", "cookies", "slow", "cancelled", "resumed", "protocols"}
		if !f.nginx { // which passes neither
			steps = append(steps, "trailers", "hints")
		}
		f.takes(t, steps...)
		s.expect(t, "gone events of node")
		s.expect(t, "gone thinking of node")
	})
}

func TestNodeIsToldThatThereIsNoHTTP2(t *testing.T) {
	eachFront(t, settings{"MTLS_HTTP2": "false"}, func(t *testing.T, f *front, _ *site) {
		f.takes(t, "without")
	})
}
