package http1_test

import (
	"strings"
	"testing"

	"mtls-sidecar/proxy/http1"
)

func TestHeadEndFindsTheEmptyLine(t *testing.T) {
	const rest = "the body\r\n\r\nand more"
	for _, head := range []string{
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"\r\n\r\n",
		curlHead,
		browserHead,
	} {
		n, err := http1.HeadEnd([]byte(head+rest), 0)
		if n != len(head) || err != nil {
			t.Errorf("HeadEnd(%q) = %d, %v, want %d", head, n, err, len(head))
		}
	}
}

func TestHeadEndFindsTheSameWhereverTheHeadIsSplit(t *testing.T) {
	for _, head := range []string{browserHead, "\r\n" + curlHead} {
		buf := []byte(head)
		for split := range len(buf) {
			if n, err := http1.HeadEnd(buf[:split], 0); n != 0 || err != nil {
				t.Fatalf("HeadEnd of the first %d bytes = %d, %v, want 0", split, n, err)
			}
			if n, err := http1.HeadEnd(buf, split); n != len(buf) || err != nil {
				t.Fatalf("HeadEnd from %d on = %d, %v, want %d", split, n, err, len(buf))
			}
		}
	}
}

// RFC 9112 §2.2 lets a recipient take a bare LF for a line end; those that do
// and those that do not see different messages.
func TestHeadEndRefusesABareLineFeedAtOnce(t *testing.T) {
	for _, raw := range []string{
		"\n",
		"GET / HTTP/1.1\n",
		"GET / HTTP/1.1\r\nHost: a\nX: y",
		"GET / HTTP/1.1\r\nHost: a\r\n\n",
		"GET / HTTP/1.1\r\nHost: a\n\r\n",
	} {
		for from := range len(raw) {
			if strings.Contains(raw[:from], "\n") {
				break // an earlier call would have refused it
			}
			n, err := http1.HeadEnd([]byte(raw), from)
			if n != 0 {
				t.Errorf("HeadEnd(%q, %d) = %d, want a refusal", raw, from, n)
			}
			checkRefusal(t, err, 400, "bare line feed")
		}
	}
}

func TestTooLargeTellsTheTargetFromTheFields(t *testing.T) {
	for raw, want := range map[string]error{
		"GET /aaaaaaaaaaaaaaaa":                   http1.ErrTargetTooLong,
		"\r\nGET /aaaaaaaaaaaaaa":                 http1.ErrTargetTooLong,
		"GET / HTTP/1.1\r\nCookie: aaaaaaaaaaaaa": http1.ErrHeadTooLarge,
	} {
		if got := http1.TooLarge([]byte(raw)); got != want {
			t.Errorf("TooLarge(%q) = %v, want %v", raw, got, want)
		}
	}
}
