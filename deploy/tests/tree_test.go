package tests

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/yaml"
)

// root is the folder deploy.
const root = ".."

// document is one YAML document of a file.
type document struct {
	path string // relative to deploy, with slashes
	text []byte
}

// documents are all YAML documents under deploy, but those of this module.
func documents(t *testing.T) []document {
	t.Helper()
	var all []document
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (path == filepath.Join(root, "tests") || entry.Name() == "node_modules"):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(path) != ".yaml" && filepath.Ext(path) != ".yml":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		for _, part := range split(t, text) {
			all = append(all, document{filepath.ToSlash(name), part})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("found %d documents only: is %s not the folder deploy?", len(all), root)
	}
	return all
}

// split gives the documents of a YAML stream, without those that hold comments
// alone.
func split(t *testing.T, stream []byte) [][]byte {
	t.Helper()
	var all [][]byte
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(stream)))
	for {
		text, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if !onlyComments(text) {
			all = append(all, text)
		}
	}
}

func onlyComments(text []byte) bool {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' && !bytes.HasPrefix(line, []byte("---")) {
			return false
		}
	}
	return true
}

// read is a file of the repository, by its path from deploy.
func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// required says whether a program that is missing fails the test.
func required() bool { return os.Getenv("TEST_REQUIRE") == "1" }

// yamlBlocks are the blocks ```yaml of a Markdown text.
func yamlBlocks(text string) []string {
	var blocks []string
	for {
		_, rest, found := strings.Cut(text, "\n```yaml\n")
		if !found {
			return blocks
		}
		var block string
		block, text, _ = strings.Cut(rest, "\n```")
		blocks = append(blocks, block+"\n")
	}
}
