package headers

// Stripper decides which fields of a client never reach the application. It is made once and read by all connections.
//
// Names are compared folded: letters in lower case, every byte that is neither letter nor digit as a hyphen. So one entry
// stands for every spelling that CGI, WSGI, Rack or PHP could map to the same variable.
type Stripper struct {
	table    []entry       // open addressing, at most half full
	prefixes [256][]string // by first folded byte
	naming   naming        // of what is dropped, for those who count it
}

// entry is a folded name and what to do with it; the empty name marks a free place.
type entry struct {
	name string
	rule rule
}

type rule byte

const (
	pass      rule = iota // nobody asks after it
	kept                  // an operator's exception
	dropped               // an identity name, or an operator's addition
	exactOnly             // other spellings are dropped, and all of them in trailers
	headOnly              // refused in trailers only
)

// Drop reports whether a request field must not be forwarded. name is as the client sent it, in any case. It is true for
// identity names of every dialect, for names that the operator added, for X-Forwarded-* that the sidecar does not
// write, and for folded but not exact spellings of framing, routing and forwarding names. The exact spelling of those,
// in any case, gives false: what becomes of it is the relay's business. A true answer is final, so it is asked first.
func (s *Stripper) Drop(name []byte) bool {
	switch s.find(name) {
	case dropped:
		return true
	case exactOnly:
		return !hyphensOnly(name)
	default:
		return false
	}
}

// DropTrailer is Drop for a trailer field of either direction. It is true besides for every spelling of the framing,
// routing, hop-by-hop, authentication and content-handling names that have no place there (RFC 9110 §6.5.1).
func (s *Stripper) DropTrailer(name []byte) bool {
	r := s.find(name)
	return r == dropped || r == exactOnly || r == headOnly
}

// find looks a name up without folding it as a whole: most names meet a free place in the table at once.
func (s *Stripper) find(name []byte) rule {
	if len(name) == 0 {
		return pass
	}
	first := fold[name[0]]
	mask := uint(len(s.table) - 1)
	for i := slot(len(name), first, fold[name[len(name)-1]]); ; i++ {
		e := &s.table[i&mask]
		if e.name == "" {
			break
		}
		if len(e.name) == len(name) && hasFoldedPrefix(name, e.name) {
			return e.rule
		}
	}
	for _, p := range s.prefixes[first] {
		if hasFoldedPrefix(name, p) {
			return dropped
		}
	}
	return pass
}

// slot is where the search for a name begins: length, first and last byte tell most names apart.
func slot(length int, first, last byte) uint {
	return uint(length)*37 + uint(first)*11 + uint(last)*5
}

// insert adds a rule for a folded name. The first rule for a name stays.
func (s *Stripper) insert(folded string, r rule) {
	mask := uint(len(s.table) - 1)
	for i := slot(len(folded), folded[0], folded[len(folded)-1]); ; i++ {
		e := &s.table[i&mask]
		switch e.name {
		case folded:
			return
		case "":
			*e = entry{folded, r}
			return
		}
	}
}
