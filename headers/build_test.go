package headers

import (
	"os"
	"os/exec"
	"testing"
)

// Object identifier contents used by several tests.
const (
	oidCN      = "\x55\x04\x03"
	oidO       = "\x55\x04\x0a"
	oidOU      = "\x55\x04\x0b"
	oidC       = "\x55\x04\x06"
	oidUnknown = "\x2a\x03\x04\x05\x06" // 1.2.3.4.5.6
)

// tlv encodes one DER element.
func tlv(tag byte, content string) string {
	n := len(content)
	switch {
	case n < 0x80:
		return string([]byte{tag, byte(n)}) + content
	case n < 0x100:
		return string([]byte{tag, 0x81, byte(n)}) + content
	case n < 0x10000:
		return string([]byte{tag, 0x82, byte(n >> 8), byte(n)}) + content
	default:
		return string([]byte{tag, 0x83, byte(n >> 16), byte(n >> 8), byte(n)}) + content
	}
}

// attr encodes an AttributeTypeAndValue.
func attr(oid string, tag byte, content string) string {
	return tlv(tagSequence, tlv(tagObjectID, oid)+tlv(tag, content))
}

// name encodes a Name; each RDN is the concatenation of its attributes.
func name(rdns ...string) []byte {
	all := ""
	for _, r := range rdns {
		all += tlv(tagSet, r)
	}
	return []byte(tlv(tagSequence, all))
}

// requireTool skips a test without the outside program, or fails it where everything must run.
func requireTool(t *testing.T, program string) {
	t.Helper()
	_, err := exec.LookPath(program)
	if err == nil {
		return
	}
	if os.Getenv("TEST_REQUIRE") == "1" {
		t.Fatalf("%s is required: %v", program, err)
	}
	t.Skipf("%s is not here: %v", program, err)
}
