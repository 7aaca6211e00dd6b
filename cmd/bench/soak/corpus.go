package soak

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// readCorpus reads the requests of testdata/corpus, whose README has the format, that are
// one head without a body and are refused: nothing of these may ever arrive, so that no
// id is needed to know what became of them.
func readCorpus(folder string) ([]hostileShape, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil {
		return nil, err
	}
	var all []hostileShape
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, one := range strings.Split(string(text), "\n== ")[1:] {
			shape, err := corpusShape(one)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			if shape != nil {
				shape.name = filepath.Base(file) + ": " + shape.name
				all = append(all, *shape)
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no refused request found in %s; start it in the checkout", folder)
	}
	return all, nil
}

// corpusShape reads a case; nil if it is one of another kind.
func corpusShape(text string) (*hostileShape, error) {
	name, rest, _ := strings.Cut(text, "\n")
	shape := &hostileShape{name: name}
	for line := range strings.Lines(rest) {
		word, said, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch {
		case word == "" || word == "rule" || strings.HasPrefix(word, "#"):
		case word == "send" && shape.text == "":
			shape.text = said
		case word == "get" && shape.text == "":
			shape.text = `GET / HTTP/1.1\r\nHost: h\r\n` + said + `\r\n`
		case word == "refuse" && shape.codes == nil:
			code, err := strconv.Atoi(said)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			shape.codes = []int{code}
		default:
			return nil, nil
		}
	}
	head, err := corpusText(shape.text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if shape.text = head; shape.codes == nil {
		return nil, nil
	}
	return shape, nil
}

var corpusRepeat = regexp.MustCompile(`<(\d+) ([^>]*)>`)

// corpusText undoes the escapes of a text.
func corpusText(text string) (string, error) {
	text = corpusRepeat.ReplaceAllStringFunc(text, func(found string) string {
		parts := corpusRepeat.FindStringSubmatch(found)
		n, _ := strconv.Atoi(parts[1]) // digits; what is too large repeats nothing
		return strings.Repeat(parts[2], n)
	})
	return strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`)
}
