package trust

import "bytes"

// This file holds OpenSSL's reading of name constraints (v3_ncons.c).
// crypto/x509 has its own, which is applied as well; OpenSSL's is needed
// because it looks at more: at e-mail addresses and host names in the subject,
// and at constraints of other kinds even when they are not marked critical.

// nameConstraints is RFC 5280 §4.2.1.10's extension.
type nameConstraints struct {
	permitted, excluded []subtree
	fault               Reason // it has a form that is not supported
}

// subtree is a GeneralName that others are to be part of, or not.
type subtree struct {
	kind byte
	base []byte
}

// The kinds of GeneralName that are known here (RFC 5280 §4.2.1.6).
const (
	nameOther        = 0
	nameEmail        = 1
	nameDNS          = 2
	nameDirectory    = 4
	nameURI          = 6
	nameIP           = 7
	nameRegisteredID = 8
)

func parseNameConstraints(value []byte) (*nameConstraints, bool) {
	body, ok := sequence(value)
	if !ok {
		return nil, false
	}
	n := new(nameConstraints)
	ok = inOrder(body, contextTag(0, true), contextTag(1, true)) && every(body, func(trees element) bool {
		if trees.tag == contextTag(0, true) {
			return n.subtrees(&n.permitted, trees.body)
		}
		return n.subtrees(&n.excluded, trees.body)
	})
	return n, ok
}

func (n *nameConstraints) subtrees(list *[]subtree, body []byte) bool {
	return every(body, func(tree element) bool {
		name, rest, ok := nextElement(tree.body)
		if !ok || tree.tag != tagSequence || !goodGeneralName(name) {
			return false
		}
		if len(rest) > 0 { // minimum, maximum
			n.fault = ConstraintMinMax
		}
		switch name.tag {
		case contextTag(nameEmail, false), contextTag(nameDNS, false), contextTag(nameURI, false), contextTag(nameIP, false):
			*list = append(*list, subtree{name.tag & 0x1f, name.body})
		default:
			n.fault = UnsupportedConstraint
		}
		return true
	})
}

// checkNames holds each certificate's names against the constraints of all CAs
// above it. Self-issued CAs are exempt (RFC 5280 §6.1.4 (b)), the leaf never is.
func (p *path) checkNames(found *faults) {
	budget := maxComparisons
	for i := len(p.certs) - 1; i >= 0; i-- {
		c := p.certs[i]
		if i > 0 && c.selfIssued {
			continue
		}
		for j := len(p.certs) - 1; j > i; j-- {
			n := p.certs[j].nameConstraints
			if n == nil {
				continue
			}
			if budget -= n.comparisons(c); budget < 0 {
				found.add(Rejected, c)
				return
			}
			found.add(n.check(c, i == 0), c)
		}
	}
}

// maxComparisons bounds the work on one path, since a client can send long lists of names
// and of constraints; OpenSSL bounds it by the same number for each certificate.
const maxComparisons = 1 << 20

// comparisons is how many a check of c can take.
func (n *nameConstraints) comparisons(c *certificate) int {
	return max(0, count(c.subjectAltNames)+len(c.RawSubject)) * (len(n.permitted) + len(n.excluded))
}

// check returns the first fault among c's names: e-mail addresses in the
// subject, subject alternative names, and for a leaf without DNS names those
// common names that look like one.
func (n *nameConstraints) check(c *certificate, leaf bool) Reason {
	if reason := n.checkSubject(c, oidEmailAddress); reason != 0 {
		return reason
	}
	hasDNS := false
	var reason Reason
	whole := every(c.subjectAltNames, func(name element) bool {
		switch kind := name.tag & 0x1f; kind {
		case nameOther:
			// RFC 9598: an internationalised address is subject to e-mail constraints.
			if bytes.Contains(name.body, oidSMTPUTF8Mailbox) && n.constrains(nameEmail) {
				reason = UnsupportedName
			}
		case nameEmail, nameDNS, nameURI, nameIP:
			hasDNS = hasDNS || kind == nameDNS
			reason = n.judge(subtree{kind, name.body})
		}
		return reason == 0
	})
	switch {
	case reason != 0:
		return reason
	case !whole:
		return UnsupportedName
	case leaf && !hasDNS:
		return n.checkSubject(c, oidCommonName)
	}
	return 0
}

// The DER contents of the object identifiers looked for in names.
var (
	oidCommonName      = []byte{0x55, 4, 3}
	oidEmailAddress    = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1}
	oidSMTPUTF8Mailbox = []byte{0x2b, 6, 1, 5, 5, 7, 8, 9}
)

// checkSubject judges the attributes of one type in the subject: common names
// as DNS names, e-mail addresses as such.
func (n *nameConstraints) checkSubject(c *certificate, oid []byte) Reason {
	rdns, _ := sequence(c.RawSubject)
	var reason Reason
	every(rdns, func(rdn element) bool {
		every(rdn.body, func(attribute element) bool {
			kind, rest, ok := nextElement(attribute.body)
			if !ok || !bytes.Equal(kind.body, oid) {
				return true
			}
			value, _, _ := nextElement(rest)
			if bytes.Equal(oid, oidCommonName) {
				reason = n.judgeCommonName(value)
			} else if value.tag != tagIA5 {
				reason = UnsupportedName
			} else {
				reason = n.judge(subtree{nameEmail, value.body})
			}
			return reason == 0
		})
		return reason == 0
	})
	return reason
}

func (n *nameConstraints) judgeCommonName(value element) Reason {
	text, ok := utf8Text(value)
	if !ok {
		text = string(value.body)
	}
	name := bytes.TrimRight([]byte(text), "\x00")
	if bytes.IndexByte(name, 0) >= 0 {
		return UnsupportedName
	}
	if !looksLikeHost(name) {
		return 0
	}
	return n.judge(subtree{nameDNS, name})
}

// looksLikeHost reports a name of two labels or more that consist of letters,
// digits, `_` and inner hyphens (OpenSSL's cn2dnsid).
func looksLikeHost(name []byte) bool {
	dots := false
	for i, c := range name {
		inner := i > 0 && i < len(name)-1
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
		case inner && c == '-':
		case inner && c == '.' && name[i+1] != '.' && name[i-1] != '-' && name[i+1] != '-':
			dots = true
		default:
			return false
		}
	}
	return dots
}

// constrains reports whether there are subtrees of this kind at all.
func (n *nameConstraints) constrains(kind byte) bool {
	for _, list := range [...][]subtree{n.permitted, n.excluded} {
		for _, tree := range list {
			if tree.kind == kind {
				return true
			}
		}
	}
	return false
}

// judge holds one name against all subtrees of its kind: it must be in one of
// the permitted, if there are any, and in none of the excluded.
func (n *nameConstraints) judge(name subtree) Reason {
	constrained, inside := false, false
	for _, tree := range n.permitted {
		if tree.kind != name.kind || inside {
			continue
		}
		constrained = true
		matched, ok := within(name, tree.base)
		if !ok {
			return UnsupportedName
		}
		inside = matched
	}
	if constrained && !inside {
		return OutsidePermitted
	}
	for _, tree := range n.excluded {
		if tree.kind != name.kind {
			continue
		}
		matched, ok := within(name, tree.base)
		if !ok {
			return UnsupportedName
		}
		if matched {
			return InsideExcluded
		}
	}
	return 0
}
