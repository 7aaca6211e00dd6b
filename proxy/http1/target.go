package http1

import "bytes"

var (
	errTargetByte      = &Error{400, "the target has a control byte"}
	errTargetForm      = &Error{400, "the target is neither a path nor an absolute http URI"}
	errTargetFragment  = &Error{400, "the target has a fragment"}
	errTargetAuthority = &Error{400, "the target names another host than host does"}
	errTargetAsterisk  = &Error{400, "the target * belongs to OPTIONS alone"}
)

// checkTarget allows the forms of RFC 9112 §3.2 that reach an origin server:
// a path, an absolute URI, or * with OPTIONS.
//
// A fragment is refused. nginx passes it on, but no form has one, and back
// ends differ in whether the path ends at the "#".
//
// An absolute URI must have Host's authority, letter case aside, since it
// would override Host for one back end and not for another (RFC 9112 §3.2.2).
// "example.com" and "example.com:80" are not the same here: whoever sends both
// fields sends them alike.
func checkTarget(method, target, host []byte) *Error {
	if bytes.IndexByte(target, '#') >= 0 {
		return errTargetFragment
	}
	if target[0] == '/' {
		return nil
	}
	if len(target) == 1 && target[0] == '*' {
		if string(method) != "OPTIONS" {
			return errTargetAsterisk
		}
		return nil
	}
	authority, ok := authorityOf(target)
	if !ok {
		return errTargetForm
	}
	if host == nil || !equalFold(authority, host) {
		return errTargetAuthority
	}
	return nil
}

// authorityOf returns the authority of an absolute http or https URI.
func authorityOf(target []byte) ([]byte, bool) {
	var rest []byte
	switch {
	case len(target) >= 7 && equalFold(target[:7], "http://"):
		rest = target[7:]
	case len(target) >= 8 && equalFold(target[:8], "https://"):
		rest = target[8:]
	default:
		return nil, false
	}
	if i := bytes.IndexAny(rest, "/?"); i >= 0 {
		rest = rest[:i]
	}
	return rest, true
}
