package proxy

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The format of testdata/corpus; its README says what each word means.

// corpusCase is one case: what is sent, and what must come of it.
type corpusCase struct {
	family, name, rule string
	messages           []corpusMessage
	shut               bool

	// Of answers alone; messages[0] is then the request.
	answer, late string
	hold         bool
	outcome      string // bad, gets, ends or cuts
	gets         string
}

// corpusMessage is one request and its outcome.
type corpusMessage struct {
	text               string
	outcome            string // pass, refuse, torn, silent; empty: never looked at
	status             int    // with refuse
	without            []string
	line, fields, body *string // nil: as sent
	forwarded, id, hop string
	close              bool
}

func (c *corpusCase) String() string { return c.family + ": " + c.name }

// bytes are what the client sends in all.
func (c *corpusCase) bytes() string {
	var all strings.Builder
	for _, m := range c.messages {
		all.WriteString(m.text)
	}
	return all.String()
}

// readCorpus reads all files of a folder of testdata/corpus.
func readCorpus(t testing.TB, folder string) []*corpusCase {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "testdata", "corpus", folder, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var all []*corpusCase
	names := map[string]bool{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		cases, err := parseCorpus(strings.TrimSuffix(filepath.Base(path), ".txt"), string(text))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, c := range cases {
			if names[c.String()] || c.rule == "" {
				t.Fatalf("%s: the name is there already, or the case has no rule", c)
			}
			names[c.String()] = true
		}
		all = append(all, cases...)
	}
	return all
}

func parseCorpus(family, text string) ([]*corpusCase, error) {
	var all []*corpusCase
	for number, line := range strings.Split(text, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		if name, ok := strings.CutPrefix(line, "== "); ok {
			all = append(all, &corpusCase{family: family, name: name})
			continue
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("line %d is in no case", number+1)
		}
		if err := all[len(all)-1].read(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", number+1, err)
		}
	}
	return all, nil
}

// read takes in one line of a case.
func (c *corpusCase) read(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	if word == "rule" {
		c.rule = rest
		return nil
	}
	if word == "pass" || word == "refuse" {
		return c.last().readOutcome(word, rest)
	}
	text, err := corpusText(rest)
	if err != nil {
		return err
	}
	switch word {
	case "send", "ask":
		c.add(text)
	case "get":
		c.add("GET / HTTP/1.1\r\nHost: h\r\n" + text + "\r\n")
	case "post":
		c.add("POST / HTTP/1.1\r\nHost: h\r\n" + text + "\r\n")
	case "chunked":
		c.add("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + text)
	case "shut":
		c.shut = true
	case "hold":
		c.hold = true
	case "answer":
		c.answer = text
	case "late":
		c.late = text
	case "bad", "gets", "ends", "cuts":
		c.outcome, c.gets = word, text
	default:
		return c.last().read(word, text)
	}
	return nil
}

func (c *corpusCase) add(text string) { c.messages = append(c.messages, corpusMessage{text: text}) }

// last is the message that a line belongs to.
func (c *corpusCase) last() *corpusMessage {
	if len(c.messages) == 0 {
		c.add("")
	}
	return &c.messages[len(c.messages)-1]
}

func (m *corpusMessage) readOutcome(word, rest string) (err error) {
	m.outcome = word
	if word == "refuse" {
		m.status, err = strconv.Atoi(rest)
		return err
	}
	names, found := strings.CutPrefix(rest, "without ")
	if found {
		m.without = strings.Split(names, ", ")
	} else if rest != "" {
		return fmt.Errorf("%q does not go with pass", rest)
	}
	return nil
}

// read takes in a line about a message.
func (m *corpusMessage) read(word, text string) error {
	switch word {
	case "more":
		m.text += text
	case "torn", "silent":
		m.outcome = word
	case "line":
		m.line = &text
	case "fields":
		m.fields = &text
	case "body":
		m.body = &text
	case "for":
		m.forwarded = text + ", "
	case "id":
		m.id = text
	case "hop":
		m.hop = text
	case "close":
		m.close = true
	default:
		return fmt.Errorf("%q is no word of the format", word)
	}
	return nil
}

var corpusRepeat = regexp.MustCompile(`<(\d+) ([^>]*)>`)

// corpusText undoes the escapes of a text.
func corpusText(text string) (string, error) {
	var fault error
	text = corpusRepeat.ReplaceAllStringFunc(text, func(found string) string {
		parts := corpusRepeat.FindStringSubmatch(found)
		n, err := strconv.Atoi(parts[1])
		if err != nil {
			fault = err
		}
		return strings.Repeat(parts[2], n)
	})
	if fault != nil {
		return "", fault
	}
	return strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`)
}
