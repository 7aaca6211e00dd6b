package proxy

import (
	"bufio"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Where HTTP/2 cannot be like HTTP/1.1, or net/http's framer is not, is said here
// and nowhere else; a test names the difference where it meets it.

// endsConnections: where one message ends and the next begins is, in HTTP/1.1, for
// both sides to find out from the bytes. After a refusal, or an answer that comes
// before the request's end, that is not safe, and the connection is closed. A stream
// has an end of its own (RFC 9113 §5.1), and the others go on.
func (c *client) endsConnections() bool { return c.h2 == nil }

// keepsFields: HTTP/2 has no upper case in field names and no reason phrase (RFC 9113
// §8.2, §8.3.2), no chunks, and net/http keeps no order of different
// fields. What is compared byte for byte over HTTP/1.1 is compared without that.
func (c *client) keepsFields() bool { return c.h2 == nil }

// passesUnannounced: net/http's framer passes on those trailer fields of a request
// that the field Trailer has announced (net/http: Request.Trailer).
func (c *client) passesUnannounced() bool { return c.h2 == nil }

// readsWhileSending: net/http's framer lets a stream's WINDOW_UPDATE wait behind its
// DATA, so that a client that does not read the answer comes no further with
// its request than the window that it has.
const readsWhileSending = "net/http's framer wants a client to read while it sends"

// asksTheApplication: an expectation is met by net/http's framer, when the
// body is first read, and the application is not asked.
func (c *client) asksTheApplication() bool { return c.h2 == nil }

// pipelines: over HTTP/1.1 requests on one connection are served one after the
// other; streams are served at once.
func (c *client) pipelines() bool { return c.h2 == nil }

// kept is what HTTP/2 keeps of one or several messages in HTTP/1.1.
func (c *client) kept(text string) string {
	if c.keepsFields() {
		return text
	}
	var kept strings.Builder
	for text != "" {
		head, rest, whole := strings.Cut(text, "\r\n\r\n")
		if !whole { // fields alone, or less than a head
			kept.WriteString(keptFields(text))
			break
		}
		kept.WriteString(keptHead(head))
		body := rest
		if next := strings.Index(rest, "HTTP/1.1 "); next >= 0 {
			body = rest[:next]
		}
		text = rest[len(body):]
		if strings.Contains(strings.ToLower(head)+"\r\n", "\r\ntransfer-encoding: chunked\r\n") {
			m := &wireMessage{}
			_ = strictReader{bufio.NewReader(strings.NewReader(body))}.readChunks(m) // as far as it goes
			data, trailer, _ := strings.Cut(m.decoded, "\r\n\r\n")
			body = data + keptFields(trailer)
		}
		kept.WriteString(body)
	}
	return kept.String()
}

// keptList is what HTTP/2 keeps of lists of names.
func keptList(values []string) []string {
	var names []string
	for name := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, http.CanonicalHeaderKey(name))
		}
	}
	slices.Sort(names)
	return names
}

// keptCookie joins the crumbs of a cookie, as RFC 9113 §8.2.3 has it.
func keptCookie(fields []string) []string {
	const name = "Cookie: "
	first := slices.IndexFunc(fields, func(field string) bool { return strings.HasPrefix(field, name) })
	if first < 0 {
		return fields
	}
	rest := slices.DeleteFunc(slices.Clone(fields[first+1:]), func(field string) bool {
		crumb, found := strings.CutPrefix(field, name)
		if found {
			fields[first] = strings.TrimSuffix(fields[first], "\r\n") + "; " + crumb
		}
		return found
	})
	return append(fields[:first+1], rest...)
}

// keptHead is what HTTP/2 keeps of a head.
func keptHead(head string) string {
	line, fields, _ := strings.Cut(head, "\r\n")
	if version, status, isAnswer := strings.Cut(line, " "); isAnswer && strings.HasPrefix(version, "HTTP/") {
		line = version + " " + status[:min(3, len(status))]
	}
	return line + "\r\n" + keptFields(fields) + "\r\n"
}

func keptFields(fields string) string {
	var all []string
	for line := range strings.SplitSeq(fields, "\r\n") {
		name, value, found := strings.Cut(line, ":")
		name = http.CanonicalHeaderKey(name)
		if found && name != "Transfer-Encoding" && name != "Connection" {
			all = append(all, name+":"+value+"\r\n")
		}
	}
	all = keptCookie(all)
	slices.SortStableFunc(all, func(a, b string) int {
		nameA, _, _ := strings.Cut(a, ":")
		nameB, _, _ := strings.Cut(b, ":")
		return strings.Compare(nameA, nameB)
	})
	return strings.Join(all, "")
}

// howRefused is what becomes over HTTP/2 of a request that is refused.
type howRefused int

const (
	byUs     howRefused = iota // with the page of HTTP/1.1
	byFramer                   // net/http resets the stream, as RFC 9113 §8.1.1 has it
	byEither                   // whichever is first
)

// refusedOverHTTP2 are the rows of what is ambiguous or not served that HTTP/2 has words
// for. The others are about lines, versions, codings and chunks.
func refusedOverHTTP2() map[string]howRefused {
	return map[string]howRefused{
		"bare CR in a field":                    byFramer,
		"bare CR in the target":                 byFramer,
		"space before the colon":                byFramer,
		"tab before the colon":                  byFramer,
		"an empty name":                         byFramer,
		"a name that is no token":               byFramer,
		"a name with a byte above 127":          byFramer,
		"NUL in a value":                        byFramer,
		"DEL in a value":                        byFramer,
		"an escape in a value":                  byFramer,
		"NUL in the target":                     byFramer,
		"a method that is no token":             byUs,
		"an empty target":                       byFramer,
		"a relative target":                     byFramer,
		"a target of another scheme":            byUs,
		"a target with another authority":       byUs,
		"a target with userinfo":                byUs,
		"an asterisk without OPTIONS":           byUs,
		"no Host":                               byUs,
		"an empty Host":                         byUs,
		"a Host with a path":                    byUs,
		"a Host with userinfo":                  byFramer,
		"a list as Host":                        byUs,
		"a bad port":                            byUs,
		"two lengths":                           byEither,
		"the same length twice":                 byEither,
		"a list of lengths":                     byEither,
		"a signed length":                       byEither,
		"a negative length":                     byEither,
		"a hexadecimal length":                  byEither,
		"an empty length":                       byEither,
		"a length beyond 63 bits":               byEither,
		"TRACE":                                 byUs,
		"CONNECT":                               byUs,
		"an unknown expectation":                byUs,
		"a head above the limit":                byUs,
		"a head above the limit in many fields": byUs,
		"a target above the limit":              byUs,
	}
}

// wantRefused reads what comes of a request that is refused over HTTP/2.
func (c *client) wantRefused(how howRefused, status int) {
	c.t.Helper()
	answer, err := c.rest()
	begins := strings.HasPrefix(answer, fmt.Sprintf("HTTP/1.1 %d ", status))
	told := begins && err == nil
	reset := err != nil && (answer == "" || begins && how == byEither)
	if how == byUs && !told || how == byFramer && !reset || !told && !reset {
		c.t.Errorf("got %q (%v), want it refused with %d, or reset: %d", answer, err, status, how)
	}
}
