package proxy

import (
	"strings"
	"testing"
)

// Violations of RFC 9113 §8.1: bodies that are not as long as was said, and
// trailer sections.

func TestViolationsOfContentLength(t *testing.T) {
	const rfc = "§8.1.1"
	body := func(text string) string { return frame(frameData, flagEndStream, 1, text) }
	// A body is not sent where the length is no number: net/http takes that for 0, and either of
	// it and us might be the first to find fault.
	said := func(what, length string, frames ...string) violation {
		return violation{name: what, rfc: rfc, demands: malformed, answers: byPage, send: func(c *wireClient) string {
			return c.post(1, "/", "content-length", length) + strings.Join(frames, "")
		}}
	}
	less := func(what string, frames ...string) violation {
		row := said(what, "5", frames...)
		row.reaches, row.answers, row.deviates = "cut", "RST_STREAM INTERNAL_ERROR", "the request is cut on both sides; net/http has no way to name another code"
		return row
	}
	more := func(what, length, reaches string, frames ...string) violation {
		return violation{name: what, rfc: rfc, demands: malformed, answers: byReset, reaches: reaches, send: func(c *wireClient) string {
			return c.post(1, "/hold", "content-length", length) + strings.Join(frames, "")
		}}
	}
	bodiless := func(length string) violation {
		return violation{name: "END_STREAM at once after " + length, rfc: rfc, demands: malformed, answers: byPage, send: plus("content-length", length)}
	}
	testViolations(t, []violation{
		less("less than was said", body("four")),
		less("less than was said, in pieces", frame(frameData, 0, 1, "four"), body("")),
		less("nothing of what was said", body("")),
		less("less than was said, before trailers", frame(frameData, 0, 1, "four"), frame(frameHeaders, flagEndHeaders|flagEndStream, 1, fieldBlock("x-trailer", "1"))),
		more("more than was said", "3", "perhaps", body("four")),
		more("more than was said, in pieces", "3", "perhaps", frame(frameData, 0, 1, "fou"), body("r")),
		more("something where nothing was said", "0", "perhaps", body("x")),
		said("no number", "abc"),
		said("an empty number", ""),
		said("a negative number", "-4"),
		said("a number with a plus sign", "+4"),
		said("a hexadecimal number", "0x4"),
		said("a list", "4, 4"),
		said("a number with a comma", "4,"),
		said("more than 64 bits", "18446744073709551620"),
		{name: "two that agree", rfc: "9110 §8.6", demands: "200 or 400", answers: byPage, send: func(c *wireClient) string {
			return c.post(1, "/", "content-length", "4", "content-length", "4") + body("four")
		}},
		{name: "two that differ", rfc: rfc, demands: malformed, answers: byPage, send: func(c *wireClient) string {
			return c.post(1, "/", "content-length", "4", "content-length", "5") + body("four")
		}},
		bodiless("5"),
		bodiless("abc"),
		{name: "END_STREAM at once after 0", rfc: rfc, demands: "200", send: plus("content-length", "0"), reaches: "once"},
		{name: "a smuggled request", rfc: rfc, demands: malformed, answers: byPage, send: plus("content-length", "40")},
		{name: "another spelling", rfc: rfc, demands: "200", send: plus("content_length", spoof), reaches: "once"},
	})
}

func TestViolationsOfTrailers(t *testing.T) {
	trailed := func(what string, announced []string, flags byte, trailer ...string) violation {
		return violation{name: what, rfc: "§8.1", demands: malformed, answers: byReset, reaches: "cut", send: func(c *wireClient) string {
			return c.post(1, "/", announced...) + frame(frameData, 0, 1, "body") + frame(frameHeaders, flagEndHeaders|flags, 1, fieldBlock(trailer...))
		}}
	}
	passes := func(row violation) violation {
		row.demands, row.answers, row.reaches = "200", "", "once"
		return row
	}
	announces := func(names string) []string { return []string{"trailer", names} }
	var all []string
	for name := range strings.FieldsSeq(strings.ToLower(identityNames)) {
		all = append(all, name, spoof)
	}
	rows := []violation{
		trailed("without END_STREAM", nil, 0, "x-trailer", "1"),
		trailed("a pseudo-header field", nil, flagEndStream, ":path", "/other"),
		trailed("an answer's pseudo-header field", nil, flagEndStream, ":status", "200"),
		trailed("an unknown pseudo-header field", nil, flagEndStream, ":verified", spoof),
		trailed("a pseudo-header field after another", nil, flagEndStream, "x-trailer", "1", ":path", "/"),
		trailed("an upper-case letter", nil, flagEndStream, "VERIFIED", spoof),
		trailed("a line end", nil, flagEndStream, "x-trailer", "1\r\nVERIFIED: "+spoof),
		trailed("content-length, announced", announces("x, content-length"), flagEndStream, "content-length", "40"),
		trailed("host, announced", announces("host"), flagEndStream, "host", "other"),
		passes(trailed("none of them", nil, flagEndStream)),
		passes(trailed("one that was announced", announces("x-trailer"), flagEndStream, "x-trailer", "1")),
		passes(trailed("one that was not", nil, flagEndStream, "x-trailer", "1")),
		passes(trailed("identity, not announced", nil, flagEndStream, all...)),
		passes(trailed("identity, announced", announces("verified, dn, x-real-ip"), flagEndStream, "verified", spoof, "verified_", spoof, "dn", spoof, "x-real-ip", spoof)),
		passes(trailed("other spellings, announced", announces("ssl_client_verify, ssl.client.verify"), flagEndStream, "ssl_client_verify", spoof, "ssl.client.verify", spoof)),
		passes(trailed("transfer-encoding, not announced", nil, flagEndStream, "transfer-encoding", "chunked")),
	}
	rows = append(rows, violation{name: "two sections", rfc: "§8.1", demands: "RST_STREAM STREAM_CLOSED or RST_STREAM PROTOCOL_ERROR", answers: "RST_STREAM STREAM_CLOSED",
		reaches: "perhaps", send: func(c *wireClient) string {
			section := frame(frameHeaders, flagEndHeaders|flagEndStream, 1, fieldBlock("x-trailer", "1"))
			return c.post(1, "/hold") + section + section
		}})
	testViolations(t, rows)
}
