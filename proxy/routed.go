package proxy

import (
	"bytes"
	"regexp"

	"mtls-sidecar/proxy/http1"
)

// need is what a request's path asks of its client. WebDAV's COPY and MOVE name
// a second path (RFC 4918 §10.3): whoever may not see one may not write to it either.
func (x *exchange) need() need {
	routes, r := &x.server.config.Routes, &x.work.request
	if !routes.Set() {
		return needOptional
	}
	n := routes.decide(originForm(r.Method, r.Target))
	switch value, count := x.destination(); count {
	case 0:
		return n
	case 1:
		return max(n, routes.decideDestination(value))
	default:
		return routes.strictest
	}
}

// rule is which one has decided what the request's path needs, for the log. The
// request has been refused: the path is read once more.
func (x *exchange) rule() string {
	routes, r := &x.server.config.Routes, &x.work.request
	need := x.work.kept.need
	target := originForm(r.Method, r.Target)
	if routes.decide(target) != need { // then the Destination has
		value, _ := x.destination()
		parts := plainDestination.FindSubmatch(value)
		if parts == nil {
			return strictestRule
		}
		target = parts[1]
	}
	return routes.ruling(target, need)
}

// strictestRule is told where no reading of a path has decided.
const strictestRule = "(the strictest, since the path is unclear)"

// ruling is the rule that asks what a target needs, of one of its readings.
func (r *Routes) ruling(target []byte, need need) string {
	path, _, _ := bytes.Cut(target, []byte("?"))
	if len(path) == 0 {
		path = []byte("/")
	}
	found := []string{string(path)}
	switch {
	case path[0] != '/':
		return strictestRule
	case !plain(path):
		found = r.readings(string(path)).found
	}
	for _, path := range found {
		if rule := ruleFor(r.rules, path); rule != nil && rule.need == need {
			return rule.text
		}
	}
	return strictestRule
}

// destination is the value of the first Destination field, and how many there are.
func (x *exchange) destination() (value []byte, count int) {
	for i := range x.work.request.Fields {
		if f := &x.work.request.Fields[i]; f.Kind == http1.Destination {
			if count++; count == 1 {
				value = f.Value
			}
		}
	}
	return value, count
}

// plainDestination is a path, or an http URL with an authority in which nobody
// finds the beginning of a path.
var plainDestination = regexp.MustCompile(`^(?:[Hh][Tt][Tt][Pp][Ss]?://[A-Za-z0-9._:\[\]-]+)?(/.*)$`)

// decideDestination is decide for a Destination. What may be read in several
// ways, or is longer than a target may be, is subject to the strictest rule:
// servers look for the path in it each in a way of its own.
func (r *Routes) decideDestination(value []byte) need {
	if len(value) > maxTarget {
		return r.strictest
	}
	parts := plainDestination.FindSubmatch(value)
	if parts == nil || bytes.Contains(parts[1], []byte("://")) || bytes.ContainsAny(parts[1], "?#") {
		return r.strictest
	}
	return r.decide(parts[1])
}

// destinationPath is a Destination for the log: there may be a password before its
// host, and anything in one that is no plain one.
func destinationPath(value []byte) []byte {
	if parts := plainDestination.FindSubmatch(value); parts != nil {
		return loggedPath(parts[1])
	}
	return []byte("(unclear)")
}
