package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// corpusRequest is a case of testdata/corpus/requests as it is sent. What must
// come of it is read, and tested, in package proxy.
type corpusRequest struct {
	name string // family: name
	raw  string
	shut bool // then the client says that it will send nothing more
}

func corpusData(parts ...string) string {
	return filepath.Join(append([]string{"..", "..", "testdata", "corpus"}, parts...)...)
}

func readCorpusRequests(t *testing.T) []*corpusRequest {
	t.Helper()
	paths, err := filepath.Glob(corpusData("requests", "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	var all []*corpusRequest
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		family := strings.TrimSuffix(filepath.Base(path), ".txt")
		for line := range strings.SplitSeq(string(text), "\n") {
			if name, found := strings.CutPrefix(line, "== "); found {
				all = append(all, &corpusRequest{name: family + ": " + name})
				continue
			}
			if line == "" || line[0] == '#' {
				continue
			}
			if err := all[len(all)-1].read(line); err != nil {
				t.Fatalf("%s: %q: %v", path, line, err)
			}
		}
	}
	return all
}

// read takes in a line that says what is sent, and skips what is expected.
func (c *corpusRequest) read(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	before, after := "", ""
	switch word {
	case "shut":
		c.shut = true
		return nil
	case "send", "more":
	case "get":
		before, after = "GET / HTTP/1.1\r\nHost: h\r\n", "\r\n"
	case "post":
		before, after = "POST / HTTP/1.1\r\nHost: h\r\n", "\r\n"
	case "chunked":
		before = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	default:
		return nil
	}
	text, err := corpusText(rest)
	c.raw += before + text + after
	return err
}

var corpusRepeat = regexp.MustCompile(`<(\d+) ([^>]*)>`)

// corpusText undoes the escapes of a text.
func corpusText(text string) (string, error) {
	text = corpusRepeat.ReplaceAllStringFunc(text, func(found string) string {
		parts := corpusRepeat.FindStringSubmatch(found)
		n, err := strconv.Atoi(parts[1])
		if err != nil {
			return `\` // no literal
		}
		return strings.Repeat(parts[2], n)
	})
	return strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`)
}

// difference of the corpus: a case that the three do not treat alike.
type corpusDifference struct {
	name                  string
	ours, nginxs, haproxy int // how many requests reached the application
	why                   string
}

func (d corpusDifference) String() string {
	return fmt.Sprintf("%s | %s | %s | %s | %s", d.name, forwarded(d.ours), forwarded(d.nginxs), forwarded(d.haproxy), d.why)
}

// varies stands for a number that differs from run to run: HAProxy relays while
// it reads, and what of a request is on its way at a fault is a matter of chance.
const varies = -1

func forwarded(n int) string {
	switch n {
	case varies:
		return "varies"
	case 0:
		return "refused"
	case 1:
		return "forwarded"
	default:
		return fmt.Sprintf("forwarded %d", n)
	}
}
