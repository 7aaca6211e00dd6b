package http1

import (
	"bytes"
	"net/netip"
)

var errHost = &Error{400, "host is invalid"}

// validHost checks a Host value: uri-host [ ":" port ] (RFC 9110 §7.2), where
// uri-host is a registered name, an IPv4 address or a literal in brackets
// (RFC 3986 §3.2.2). Userinfo is not part of it.
//
// Refused beyond that grammar: an empty host, which no http URI has (RFC 9110
// §4.2.1); empty labels, except after a trailing dot; a port above 65535.
// An empty port passes, as RFC 3986 §3.2.3 and nginx have it.
func validHost(h []byte) bool {
	if len(h) > 0 && h[0] == '[' {
		end := bytes.IndexByte(h, ']')
		return end > 0 && validLiteral(h[1:end]) && validPort(h[end+1:])
	}
	label := false // the present label has a byte
	for i := 0; i < len(h); i++ {
		switch c := h[i]; {
		case c == '.':
			if !label {
				return false
			}
			label = false
		case classes[c]&isHost != 0:
			label = true
		case c == '%' && i+2 < len(h) && isHex(h[i+1]) && isHex(h[i+2]):
			label = true
			i += 2
		case c == ':':
			return i > 0 && validPort(h[i:])
		default:
			return false
		}
	}
	return len(h) > 0
}

// validPort checks what follows the host: nothing, or a colon and digits.
func validPort(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if b[0] != ':' {
		return false
	}
	port := 0
	for _, c := range b[1:] {
		if !isDigit(c) {
			return false
		}
		if port = port*10 + int(c-'0'); port > 65535 {
			return false
		}
	}
	return true
}

// validLiteral checks the inside of brackets: an IPv6 address without a zone,
// or IPvFuture ("v" 1*HEXDIG "." 1*(reg-name characters / ":")).
func validLiteral(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	if lower(b[0]) != 'v' {
		if len(b) > len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255") {
			return false
		}
		addr, err := netip.ParseAddr(string(b))
		return err == nil && addr.Is6() && addr.Zone() == ""
	}
	version, rest, _ := bytes.Cut(b[1:], []byte{'.'})
	for _, c := range version {
		if !isHex(c) {
			return false
		}
	}
	for _, c := range rest {
		if classes[c]&isHost == 0 && c != ':' {
			return false
		}
	}
	return len(version) > 0 && len(rest) > 0
}

func isHex(c byte) bool { return isDigit(c) || lower(c)-'a' <= 'f'-'a' }
