package main_test

import (
	"os"
	"strings"
	"testing"
)

// What a reader copies out of the README is taken out of it here, and run by the
// tests beside this file.

// readme returns what stands below a heading of the README, down to the next one of
// its level or above.
func readme(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	level := strings.Index(heading, " ")
	var b strings.Builder
	inside, fenced := false, false
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		if hashes := len(line) - len(strings.TrimLeft(line, "#")); !fenced && hashes > 0 && hashes <= level {
			inside = strings.TrimSpace(line) == heading
			continue
		}
		if inside {
			b.WriteString(line)
		}
	}
	if b.Len() == 0 {
		t.Fatalf("the README has no part %q", heading)
	}
	return b.String()
}

// blocksOf are the fenced blocks of one language.
func blocksOf(t *testing.T, text, language string) []string {
	t.Helper()
	var blocks []string
	for {
		_, rest, found := strings.Cut(text, "```"+language+"\n")
		if !found {
			break
		}
		var block string
		block, text, _ = strings.Cut(rest, "```")
		blocks = append(blocks, block)
	}
	if len(blocks) == 0 {
		t.Fatalf("no block %s in\n%s", language, text)
	}
	return blocks
}

// exchange is a command of a transcript and what it printed.
type exchange struct{ command, answer string }

// transcripts are the exchanges of all blocks of the language console.
func transcripts(t *testing.T, text string) []exchange {
	t.Helper()
	var all []exchange
	for _, block := range blocksOf(t, text, "console") {
		for line := range strings.Lines(block) {
			if command, found := strings.CutPrefix(line, "$ "); found {
				all = append(all, exchange{command: strings.TrimSpace(command)})
			} else if len(all) > 0 {
				all[len(all)-1].answer += line
			}
		}
	}
	return all
}
