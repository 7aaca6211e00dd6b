package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"
)

var (
	headingLine = regexp.MustCompile(`^#{1,6} (.*)$`)
	inlineCode  = regexp.MustCompile("`[^`]*`")
	inlineLink  = regexp.MustCompile(`\]\(([^()\s]+)\)`)
)

// prose is a Markdown text without its fenced and indented blocks.
func prose(text string) []string {
	var lines []string
	fenced := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		} else if !fenced && !strings.HasPrefix(line, "    ") {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	return lines
}

// anchors are those that GitHub gives the headings of a Markdown text (its documentation,
// "Basic writing and formatting syntax", section links): in lower
// case, blanks as hyphens, without punctuation, and numbered when they repeat.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	for _, line := range prose(text) {
		found := headingLine.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, found[1])
		first := anchor
		for n := 1; all[anchor]; n++ {
			anchor = fmt.Sprintf("%s-%d", first, n)
		}
		all[anchor] = true
	}
	return all
}

// brokenLinks are the links of a Markdown file that lead nowhere within files.
// Addresses elsewhere are not looked at.
func brokenLinks(files fs.FS, file string) (broken []string, links int, err error) {
	text, err := fs.ReadFile(files, file)
	if err != nil {
		return nil, 0, err
	}
	for _, line := range prose(string(text)) {
		for _, link := range inlineLink.FindAllStringSubmatch(inlineCode.ReplaceAllString(line, ""), -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			links++
			target, anchor, anchored := strings.Cut(link[1], "#")
			there := file
			if target != "" {
				there = path.Join(path.Dir(file), target)
			}
			info, err := fs.Stat(files, there)
			switch {
			case err != nil, anchored && info.IsDir():
				broken = append(broken, link[1])
			case anchored:
				text, err := fs.ReadFile(files, there)
				if err != nil || !anchors(string(text))[anchor] {
					broken = append(broken, link[1])
				}
			}
		}
	}
	return broken, links, nil
}

func TestEveryLinkOfTheREADMEsLeadsSomewhere(t *testing.T) {
	all := 0
	for file := range operatorTexts(t) {
		if path.Ext(file) != ".md" {
			continue
		}
		broken, links, err := brokenLinks(os.DirFS("../.."), file)
		if err != nil {
			t.Fatal(err)
		}
		if all += links; len(broken) > 0 {
			t.Errorf("%s: %q", file, broken)
		}
		if file == "README.md" && links < 30 {
			t.Errorf("README.md: found %d links only", links)
		}
	}
	if all < 50 {
		t.Errorf("found %d links only: are the files there?", all)
	}
}

func TestBrokenLinksAreFound(t *testing.T) {
	files := fstest.MapFS{
		"README.md": {Data: []byte("# One: `two_three`, é…\n## One\n## One\n" +
			"[a](#one-two_three-é) [b](#one-1) [c](sub) [d](sub/README.md#there) [e](https://nowhere/#x) `[f](#code)`\n" +
			"[g](#one-2) [h](subs) [i](sub#there) [j](sub/README.md#here) [k](#fenced)\n\n```sh\n# fenced\n[l](#code)\n```\n\n    [m](#code)\n")},
		"sub/README.md": {Data: []byte("# There\n[n](../README.md#one) [o](../README.md#two)\n")},
	}
	for file, want := range map[string][]string{
		"README.md":     {"#one-2", "subs", "sub#there", "sub/README.md#here", "#fenced"},
		"sub/README.md": {"../README.md#two"},
	} {
		got, _, err := brokenLinks(files, file)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q (%v), want %q", file, got, err, want)
		}
	}
}
