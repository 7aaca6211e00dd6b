package proxy

import (
	"strings"
	"testing"
)

// Violations of RFC 7541: what a block may not be made of. RFC 9113 §4.3 has each
// of them end the connection, since both sides' tables may differ from there on.

func TestViolationsOfHeaderCompression(t *testing.T) {
	request := func(c *wireClient, before, after string) string {
		return frame(frameHeaders, flagEndHeaders|flagEndStream, 1, before, c.fields(pseudo("GET", "/")...), after)
	}
	block := func(before, after string) func(*wireClient) string {
		return func(c *wireClient) string { return request(c, before, after) }
	}
	const (
		// A literal without indexing, its name "x" as it is (RFC 7541 §6.2.2), before its value.
		literal = "\x00\x01x"
		// RFC 7541 §5.1: more continuation bytes than any number needs.
		endless = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
	)
	// A full request that puts one field into the table, answered.
	filled := func(after func(c *wireClient) string) func(*wireClient) string {
		return func(c *wireClient) string {
			c.send(request(c, "", "\x40\x01a\x01b"))
			c.outcome(1)
			return after(c)
		}
	}
	third := func(before, after string) func(*wireClient) string {
		return filled(func(c *wireClient) string {
			return frame(frameHeaders, flagEndHeaders|flagEndStream, 3, before, c.fields(pseudo("GET", "/")...), after)
		})
	}
	testViolations(t, []violation{
		{name: "index 0", rfc: "7541 §6.1", send: block("", "\x80"), demands: "GOAWAY COMPRESSION_ERROR"},
		{name: "an index beyond both tables", rfc: "7541 §2.3.3", send: block("", "\xbe"), demands: "GOAWAY COMPRESSION_ERROR"},
		{name: "a name's index beyond both tables", rfc: "7541 §2.3.3", send: block("", "\x7e\x01x"), demands: "GOAWAY COMPRESSION_ERROR"},
		{name: "an index without end", rfc: "7541 §5.1", send: block("", "\xff"+endless), demands: "GOAWAY COMPRESSION_ERROR"},
		{name: "an index of 2^64", rfc: "7541 §5.1", send: block("", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), demands: "GOAWAY COMPRESSION_ERROR"},
		{name: "half an index", rfc: "7541 §5.1", send: block("", "\xff\x80"), demands: "GOAWAY COMPRESSION_ERROR"},
		{name: "half a string", rfc: "7541 §5.2", send: block("", literal+"\x05four"), demands: "GOAWAY COMPRESSION_ERROR"},
		{name: "a name without a value", rfc: "7541 §6.2", send: block("", literal), demands: "GOAWAY COMPRESSION_ERROR"},
		{name: "a string of 2^60 bytes", rfc: "7541 §5.2", send: block("", literal+"\x7f\x81\xff\xff\xff\xff\xff\xff\xff\x0f"), demands: "GOAWAY COMPRESSION_ERROR"},
		// "a" in Huffman's code is 00011, and is padded by three ones: 0x1f (RFC 7541 appendix B).
		{name: "Huffman's code, padded as it must be", rfc: "7541 §5.2", send: block("", literal+"\x81\x1f"), demands: "200", reaches: "once", arrives: "X: a"},
		{name: "padding of zeros", rfc: "7541 §5.2", send: block("", literal+"\x81\x18"), demands: "GOAWAY COMPRESSION_ERROR"},
		{name: "padding of a byte", rfc: "7541 §5.2", send: block("", literal+"\x82\x1f\xff"), demands: "GOAWAY COMPRESSION_ERROR"},
		{name: "padding alone", rfc: "7541 §5.2", send: block("", literal+"\x81\xff"), demands: "GOAWAY COMPRESSION_ERROR"},
		{name: "the end-of-string symbol", rfc: "7541 §5.2", send: block("", literal+"\x84\xff\xff\xff\xff"), demands: "GOAWAY COMPRESSION_ERROR"},
		{name: "a table larger than allowed", rfc: "7541 §6.3", send: block("\x3f\xe2\x1f", ""), demands: "GOAWAY COMPRESSION_ERROR"},
		{name: "the largest table that is allowed", rfc: "7541 §6.3", send: block("\x3f\xe1\x1f", ""), demands: "200", reaches: "once"},
		{name: "a table's size after a field", rfc: "7541 §4.2", send: third("", "\x20"), demands: "GOAWAY COMPRESSION_ERROR", reaches: "once"},
		{name: "an empty table's size after a field", rfc: "7541 §4.2", send: block("", "\x20"), demands: "GOAWAY COMPRESSION_ERROR",
			answers: "200", deviates: "nothing is thrown out of an empty table, so that both sides have the same", reaches: "once"},
		{name: "what the table no longer has", rfc: "7541 §4.3", send: third("\x20", "\xbe"), demands: "GOAWAY COMPRESSION_ERROR", reaches: "once"},
		{name: "a block that ends with a table's size", rfc: "7541 §4.2", send: sends(frame(frameHeaders, flagEndHeaders|flagEndStream, 1, "\x20")), demands: malformed,
			answers: "RST_STREAM PROTOCOL_ERROR"},
		{name: "a block of 10,000 references to one large field", rfc: "§10.5.1", send: func(c *wireClient) string {
			c.send(request(c, "", "\x40\x01a\x7f\x81\x1e"+strings.Repeat("v", 3968)))
			c.outcome(1)
			return frame(frameHeaders, flagEndHeaders|flagEndStream, 3, c.fields(pseudo("GET", "/")...)+strings.Repeat("\xbe", 10000))
		}, demands: "431 or GOAWAY PROTOCOL_ERROR", answers: "431", reaches: "once", on: 3},
	})
}
