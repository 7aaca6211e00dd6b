package http1_test

import (
	"errors"
	"strings"
	"testing"

	"mtls-sidecar/proxy/http1"
)

// parseRequest parses as much of raw as HeadEnd finds, else all of it: Parse
// has to refuse by itself what HeadEnd refuses.
func parseRequest(raw string) (*http1.Request, error) {
	return parseRequestWithin(raw, http1.Limits{})
}

func parseRequestWithin(raw string, lim http1.Limits) (*http1.Request, error) {
	var r http1.Request
	return &r, r.Parse(headOf(raw), lim)
}

func parseResponse(raw, method string) (*http1.Response, error) {
	var r http1.Response
	return &r, r.Parse(headOf(raw), []byte(method), http1.Limits{})
}

func headOf(raw string) []byte {
	n, err := http1.HeadEnd([]byte(raw), 0)
	if n == 0 || err != nil {
		n = len(raw)
	}
	return []byte(raw[:n])
}

// checkRefusal wants an *Error with this status whose text names the rule.
func checkRefusal(t *testing.T, err error, status int, says string) {
	t.Helper()
	var refusal *http1.Error
	if !errors.As(err, &refusal) {
		t.Errorf("got error %v, want a refusal with status %d", err, status)
		return
	}
	if refusal.Status != status {
		t.Errorf("got status %d (%s), want %d", refusal.Status, refusal.Text, status)
	}
	if !strings.Contains(refusal.Text, says) {
		t.Errorf("got text %q, want one that says %q", refusal.Text, says)
	}
}

// checkRow wants no error when status is 0, else a refusal.
func checkRow(t *testing.T, input string, err error, status int, says string) {
	t.Helper()
	if status == 0 {
		if err != nil {
			t.Errorf("%q is refused: %v", input, err)
		}
		return
	}
	t.Run(input, func(t *testing.T) {
		t.Helper()
		checkRefusal(t, err, status, says)
	})
}
