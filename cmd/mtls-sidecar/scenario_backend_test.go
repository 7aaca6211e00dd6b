package main_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// backend is one of the Node applications of testdata/backends, running. It
// tells of every request that reached it.
type backend struct {
	*process
	port int
	read int // index of the first line not yet looked at
}

// told is one line of what a back end tells.
type told struct {
	Listening int // the port; 0 in the lines about requests

	Method, URL string
	HTTPVersion string
	RawHeaders  []string // name, value, name, value …, as they came
	BodyBytes   int
	BodySHA256  string
}

// startBackend runs testdata/backends/NAME.js and waits until it listens.
func startBackend(t *testing.T, name string) *backend {
	t.Helper()
	cmd := exec.Command(need(t, "node"), filepath.Join(backends(t), name+".js"))
	b := &backend{process: start(t, name+".js", cmd)}
	b.port = b.next(t).Listening
	if b.port == 0 {
		t.Fatalf("%s.js told of something before it listened", name)
	}
	return b
}

// upstream is the setting that points the sidecar at this application.
func (b *backend) upstream() string { return fmt.Sprintf("http://127.0.0.1:%d", b.port) }

// next waits for what the application tells next.
func (b *backend) next(t *testing.T) told {
	t.Helper()
	l, read, err := b.find(b.read, func(l line) bool { return !l.stderr })
	if err != nil {
		t.Fatalf("waiting for %s to tell of a request: %v\n%s", b.name, err, b.tail(40))
	}
	b.read = read
	var saw told
	if err := json.Unmarshal([]byte(l.text), &saw); err != nil {
		t.Fatalf("%s wrote %q: %v", b.name, l.text, err)
	}
	return saw
}

// fold reads a field name as a careless application does: in any case, with
// any punctuation.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		default:
			return '-'
		}
	}, name)
}

// values returns the values of every field whose folded name is this one.
func (s told) values(folded string) []string {
	var values []string
	for i := 0; i+1 < len(s.RawHeaders); i += 2 {
		if fold(s.RawHeaders[i]) == folded {
			values = append(values, s.RawHeaders[i+1])
		}
	}
	return values
}

// identity checks that the application was told this verdict and this subject,
// once each and in no other spelling; an empty dn stands for none at all.
func (s told) identity(t *testing.T, verified, dn string) {
	t.Helper()
	if got := s.values("verified"); len(got) != 1 || got[0] != verified {
		t.Errorf("%s %s: the application saw VERIFIED %q, want just %q", s.Method, s.URL, got, verified)
	}
	got := s.values("dn")
	if dn == "" && len(got) != 0 {
		t.Errorf("%s %s: the application saw DN %q, want none", s.Method, s.URL, got)
	}
	if dn != "" && (len(got) != 1 || got[0] != dn) {
		t.Errorf("%s %s: the application saw DN %q, want just %q", s.Method, s.URL, got, dn)
	}
}
