package http1_test

import (
	"strings"
	"testing"
)

func TestHeaderLinesAreReadStrictly(t *testing.T) { // RFC 9112 §5, RFC 9110 §5
	rows := []struct {
		line string
		says string // empty: accepted
	}{
		{"X: y", ""},
		{"X:y", ""},
		{"X: \t y \t ", ""},
		{"x!#$%&'*+-.^_`|~9: y", ""},
		{"X: \x80\xff", ""}, // obs-text
		{"X : y", "before a colon"},
		{"X\t: y", "before a colon"},
		{"X \t : y", "before a colon"},
		{" X: y", "starts with white space"},  // obs-fold, RFC 9112 §5.2
		{"\tX: y", "starts with white space"}, // obs-fold
		{"X: y\r\n folded", "starts with white space"},
		{"X: y\r\n\tfolded", "starts with white space"},
		{"X: y\r\n \r\nZ: z", "starts with white space"},
		{": y", "no name"},
		{"NoColon", "no colon"},
		{"No colon: y", "not a token"},
		{"X(: y", "not a token"},
		{"X\x00: y", "not a token"},
		{"X\x7f: y", "not a token"},
		{"\xc3\xbc: y", "not a token"},
		{"\"X\": y", "not a token"},
		{"X: a\x00b", "control byte"},
		{"X: \x01", "control byte"},
		{"X: \x08", "control byte"},
		{"X: \x0b", "control byte"},
		{"X: \x0c", "control byte"},
		{"X: \x1f", "control byte"},
		{"X: \x7f", "control byte"},
		{"X: a\rb", "carriage return"},
		{"X: a\r\r", "carriage return"},
		{"X: a\r", "carriage return"},
		{"X\r: a", "carriage return"},
		{"\rX: a", "carriage return"},
		{"X: a\nY: b", "line feed"},
		{"X\n: a", "line feed"},
	}
	for _, row := range rows {
		status := 400
		if row.says == "" {
			status = 0
		}
		_, err := parseRequest("GET / HTTP/1.1\r\nHost: a\r\n" + row.line + "\r\n\r\n")
		checkRow(t, row.line, err, status, row.says)
		_, err = parseRequest("GET / HTTP/1.1\r\n" + row.line + "\r\nHost: a\r\n\r\n")
		checkRow(t, "first: "+row.line, err, status, row.says)
		if row.says != "" {
			status = 502
		}
		_, err = parseResponse("HTTP/1.1 200 OK\r\n"+row.line+"\r\n\r\n", "GET")
		checkRow(t, "answer: "+row.line, err, status, row.says)
	}
}

// Sweeps every byte through every place of a value, since the parser looks at
// eight at a time.
func TestEveryByteIsJudgedAlikeWhereverItStands(t *testing.T) {
	for c := range 256 {
		control := c < ' ' && c != '\t' || c == 0x7f
		for at := range 20 {
			value := []byte(strings.Repeat("v", 20))
			value[at] = byte(c)
			_, err := parseRequest("GET / HTTP/1.1\r\nHost: a\r\nX: " + string(value) + "\r\n\r\n")
			if refused := err != nil; refused != control {
				t.Errorf("byte %#02x at %d of a value: error %v", c, at, err)
			}
			_, err = parseRequest("GET /" + string(value) + " HTTP/1.1\r\nHost: a\r\n\r\n")
			if refused := err != nil; refused != (c <= ' ' || c == 0x7f || c == '#') {
				t.Errorf("byte %#02x at %d of a target: error %v", c, at, err)
			}
			token := strings.IndexByte("!#$%&'*+-.^_`|~", byte(c)) >= 0 ||
				c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
			_, err = parseRequest("GET / HTTP/1.1\r\nHost: a\r\n" + string(value) + ": x\r\n\r\n")
			if refused := err != nil; refused == token && !(c == ':' && at > 0) {
				t.Errorf("byte %#02x at %d of a name: error %v", c, at, err)
			}
		}
	}
}
