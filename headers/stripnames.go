package headers

import (
	"slices"
	"strings"
)

// naming is by which names those that are dropped are told apart when they are counted. A client may invent as many as it
// likes below a prefix, so there each has the prefix's name, but for those that a preset sends.
type naming struct {
	names []string       // sorted
	index map[string]int // of those names
}

// longestName is above the length of every name in the tables. What is longer is of some prefix's family.
const longestName = 64

// anyEnding stands at the end of a prefix's name for whatever follows.
const anyEnding = "*"

// Names are the folded names by which what Drop drops can be counted, sorted: those of all dialects, the operator's additions,
// those of which only other spellings are dropped, and for each family of names with open endings its beginning and a star.
func (s *Stripper) Names() []string { return slices.Clone(s.naming.names) }

// NameIndex tells which of Names a dropped field goes by, or -1 where none fits. It allocates nothing.
func (s *Stripper) NameIndex(name []byte) int {
	var room [longestName]byte
	if len(name) > 0 && len(name) <= len(room) {
		for i, c := range name {
			room[i] = fold[c]
		}
		if i, ok := s.naming.index[string(room[:len(name)])]; ok {
			return i
		}
	}
	if len(name) == 0 {
		return -1
	}
	family := ""
	for _, p := range s.prefixes[fold[name[0]]] {
		if len(p) > len(family) && hasFoldedPrefix(name, p) {
			family = p
		}
	}
	if i, ok := s.naming.index[family+anyEnding]; ok && family != "" {
		return i
	}
	return -1
}

// nameAll makes the list, once all rules are there.
func (s *Stripper) nameAll() {
	var names []string
	for _, e := range s.table {
		// A name of one word has no other spelling.
		if e.rule == dropped || e.rule == exactOnly && strings.Contains(e.name, "-") {
			names = append(names, e.name)
		}
	}
	for _, p := range presets {
		for _, entry := range p.entries {
			name, _, _ := strings.Cut(entry, "=")
			if s.find([]byte(name)) == dropped {
				names = append(names, folded(name))
			}
		}
	}
	for _, family := range s.prefixes {
		for _, p := range family {
			names = append(names, p+anyEnding)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	s.naming = naming{names, make(map[string]int, len(names))}
	for i, name := range names {
		s.naming.index[name] = i
	}
}
