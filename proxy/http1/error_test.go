package http1_test

import (
	"errors"
	"testing"

	"mtls-sidecar/proxy/http1"
)

func TestErrorIsTheSameRuleWhoeverBrokeIt(t *testing.T) {
	_, err := parseResponse("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "GET")
	if !errors.Is(err, http1.ErrCoding) || errors.Is(err, http1.ErrVersion) {
		t.Errorf("got %v, want ErrCoding alone", err)
	}
	checkRefusal(t, err, 502, http1.ErrCoding.Error())
	if errors.Is(err, http1.ErrFull) {
		t.Error("a refusal is not ErrFull")
	}
}
