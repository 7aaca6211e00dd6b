package proxy

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

// binaryHeader is a header of version 2: the protocol's own words, put together
// by hand.
func binaryHeader(command, family byte, block ...string) string {
	all := strings.Join(block, "")
	return signatureV2 + string([]byte{command, family, byte(len(all) >> 8), byte(len(all))}) + all
}

const (
	localCommand, proxyCommand = 0x20, 0x21

	v4Addresses = "\xc0\x00\x02\x01" + "\xc6\x33\x64\x02" + "\xdd\x68" + "\x01\xbb" // 192.0.2.1:56680 to 198.51.100.2:443
	v6Source    = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05"
	v6Target    = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
	v6Mapped    = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x07"
	twoPorts    = "\xdd\x68\x01\xbb"
)

func extension(kind byte, value string) string {
	return string([]byte{kind, byte(len(value) >> 8), byte(len(value))}) + value
}

func fromHex(t testing.TB, text string) string {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// What HAProxy 2.6 and nginx 1.22 send, recorded from their sockets.
const (
	// HAProxy, send-proxy-v2 with proxy-v2-options crc32c,unique-id, for a client of 127.0.0.1.
	haproxyV4 = "0d0a0d0a000d0a515549540a211100237f0000017f000001c3121b63030004b394c94605000d37463030303030313a43333132"
	// The same for a client of ::1.
	haproxyV6 = "0d0a0d0a000d0a515549540a212100530000000000000000000000000000000100000000000000000000000000000001eddc1b63" +
		"030004428d44ed05002530303030303030303030303030303030303030303030303030303030303030313a45444443"
	haproxyCheck = "0d0a0d0a000d0a515549540a20000007030004a9b87e8f" // its health check
	haproxyUnix  = "0d0a0d0a000d0a515549540a20000000"               // a client over a unix socket
	haproxyLine  = "PROXY TCP6 ::1 ::1 44314 7012\r\n"
	nginxLine    = "PROXY TCP4 127.0.0.1 127.0.0.1 47400 7013\r\n"
	nginxUnix    = "PROXY UNKNOWN\r\n" // a client over a unix socket
)

type headerCase struct{ name, header, source string }

// goodHeaders are headers and the addresses that they tell; empty: none.
func goodHeaders(t testing.TB) []headerCase {
	full := strings.Repeat("ffff:", 7) + "ffff"
	return []headerCase{
		{"HAProxy, IPv4", fromHex(t, haproxyV4), "127.0.0.1"},
		{"HAProxy, IPv6", fromHex(t, haproxyV6), "::1"},
		{"HAProxy, health check", fromHex(t, haproxyCheck), ""},
		{"HAProxy, unix socket", fromHex(t, haproxyUnix), ""},
		{"HAProxy, text", haproxyLine, "::1"},
		{"nginx", nginxLine, "127.0.0.1"},
		{"nginx, unix socket", nginxUnix, ""},

		{"v1 IPv4", "PROXY TCP4 192.0.2.1 198.51.100.2 56680 443\r\n", "192.0.2.1"},
		{"v1 IPv4, as long as can be", "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255"},
		{"v1 IPv4, as short as can be", "PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0"},
		{"v1 IPv6", "PROXY TCP6 2001:DB8::5 2001:db8::1 56680 443\r\n", "2001:db8::5"},
		{"v1 IPv6, as long as can be", "PROXY TCP6 " + full + " " + full + " 65535 65535\r\n", full},
		{"v1 IPv6, as short as can be", "PROXY TCP6 :: :: 0 0\r\n", "::"},
		{"v1 IPv4 in IPv6", "PROXY TCP6 ::ffff:192.0.2.7 ::ffff:192.0.2.1 56680 443\r\n", "192.0.2.7"},
		{"v1 UNKNOWN with addresses", "PROXY UNKNOWN 192.0.2.1 198.51.100.2 56680 443\r\n", ""},
		{"v1 UNKNOWN, as long as can be", "PROXY UNKNOWN " + full + " " + full + " 65535 65535\r\n", ""},
		{"v1 UNKNOWN with a word", "PROXY UNKNOWN whatever\r\n", ""},

		{"v2 IPv4", binaryHeader(proxyCommand, 0x11, v4Addresses), "192.0.2.1"},
		{"v2 IPv6", binaryHeader(proxyCommand, 0x21, v6Source, v6Target, twoPorts), "2001:db8::5"},
		{"v2 IPv4 in IPv6", binaryHeader(proxyCommand, 0x21, v6Mapped, v6Target, twoPorts), "192.0.2.7"},
		{"v2 with extensions", binaryHeader(proxyCommand, 0x11, v4Addresses, extension(0x01, "h2"), extension(0x04, "\x00\x00"), extension(0xEA, ""), extension(0x02, "example.org")), "192.0.2.1"},
		{"v2 with the longest extension", binaryHeader(proxyCommand, 0x11, v4Addresses, extension(0x20, strings.Repeat("x", 4096-12-3))), "192.0.2.1"},
		{"v2 UDP over IPv4", binaryHeader(proxyCommand, 0x12, v4Addresses), ""},
		{"v2 UDP over IPv6", binaryHeader(proxyCommand, 0x22, v6Source, v6Target, twoPorts), ""},
		{"v2 unix stream", binaryHeader(proxyCommand, 0x31, strings.Repeat("/run/s\x00", 1), strings.Repeat("\x00", 216-7)), ""},
		{"v2 unix datagram", binaryHeader(proxyCommand, 0x32, strings.Repeat("\x00", 216)), ""},
		{"v2 of no family", binaryHeader(proxyCommand, 0x00), ""},
		{"v2 of no family, with something", binaryHeader(proxyCommand, 0x00, v4Addresses), ""},
		{"v2 LOCAL", binaryHeader(localCommand, 0x00), ""},
		{"v2 LOCAL with addresses", binaryHeader(localCommand, 0x11, v4Addresses), ""},
		{"v2 LOCAL of a family, without its addresses", binaryHeader(localCommand, 0x21), ""},
		{"v2 LOCAL with something", binaryHeader(localCommand, 0x00, "\x01\x02\x03\x04\x05"), ""},
	}
}

// badHeaders are headers that nobody must believe.
func badHeaders(t testing.TB) []headerCase {
	checked := []byte(fromHex(t, haproxyV4))
	altered := func(at int, to byte) string {
		other := bytes.Clone(checked)
		other[at] = to
		return string(other)
	}
	check := fromHex(t, haproxyCheck)
	return []headerCase{
		{"v1 with LF alone", "PROXY TCP4 192.0.2.1 198.51.100.2 56680 443\n", ""},
		{"v1 with LF CR", "PROXY TCP4 192.0.2.1 198.51.100.2 56680 443\n\r", ""},
		{"v1 with CR CR LF", "PROXY TCP4 192.0.2.1 198.51.100.2 56680 443\r\r\n", ""},
		{"v1 with a CR within", "PROXY UNKNOWN \rx\r\n", ""},
		{"v1 with a space before CR LF", "PROXY TCP4 192.0.2.1 198.51.100.2 56680 443 \r\n", ""},
		{"v1 with two spaces", "PROXY TCP4  192.0.2.1 198.51.100.2 56680 443\r\n", ""},
		{"v1 with a tab", "PROXY TCP4\t192.0.2.1 198.51.100.2 56680 443\r\n", ""},
		{"v1 with a NUL", "PROXY UNKNOWN \x00\r\n", ""},
		{"v1 with letters outside ASCII", "PROXY UNKNOWN \xc3\xa9\r\n", ""},
		{"v1 with a word too many", "PROXY TCP4 192.0.2.1 198.51.100.2 56680 443 1\r\n", ""},
		{"v1 with a word too few", "PROXY TCP4 192.0.2.1 198.51.100.2 56680\r\n", ""},
		{"v1 without addresses", "PROXY TCP4\r\n", ""},
		{"v1 without a family", "PROXY \r\n", ""},
		{"v1 of another family", "PROXY TCP5 192.0.2.1 198.51.100.2 56680 443\r\n", ""},
		{"v1 over UDP", "PROXY UDP4 192.0.2.1 198.51.100.2 56680 443\r\n", ""},
		{"v1 in small letters", "PROXY tcp4 192.0.2.1 198.51.100.2 56680 443\r\n", ""},
		{"v1 UNKNOWN glued to a word", "PROXY UNKNOWNX\r\n", ""},
		{"v1 IPv6 as TCP4", "PROXY TCP4 2001:db8::5 2001:db8::1 56680 443\r\n", ""},
		{"v1 IPv4 as TCP6", "PROXY TCP6 192.0.2.1 198.51.100.2 56680 443\r\n", ""},
		{"v1 of two families", "PROXY TCP6 2001:db8::5 198.51.100.2 56680 443\r\n", ""},
		{"v1 IPv4 in IPv6 as TCP4", "PROXY TCP4 ::ffff:192.0.2.7 192.0.2.1 56680 443\r\n", ""},
		{"v1 with leading zeros", "PROXY TCP4 192.0.02.1 198.51.100.2 56680 443\r\n", ""},
		{"v1 with three numbers", "PROXY TCP4 192.0.1 198.51.100.2 56680 443\r\n", ""},
		{"v1 with a number too large", "PROXY TCP4 192.0.2.256 198.51.100.2 56680 443\r\n", ""},
		{"v1 with a host name", "PROXY TCP4 localhost 198.51.100.2 56680 443\r\n", ""},
		{"v1 with a bracketed address", "PROXY TCP6 [2001:db8::5] 2001:db8::1 56680 443\r\n", ""},
		{"v1 with a zone", "PROXY TCP6 fe80::1%eth0 2001:db8::1 56680 443\r\n", ""},
		{"v1 with a range", "PROXY TCP4 192.0.2.0/24 198.51.100.2 56680 443\r\n", ""},
		{"v1 with a port too large", "PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n", ""},
		{"v1 with a target's port too large", "PROXY TCP4 192.0.2.1 198.51.100.2 56680 65536\r\n", ""},
		{"v1 with a negative port", "PROXY TCP4 192.0.2.1 198.51.100.2 -1 443\r\n", ""},
		{"v1 with a signed port", "PROXY TCP4 192.0.2.1 198.51.100.2 +56680 443\r\n", ""},
		{"v1 with a port of zeros", "PROXY TCP4 192.0.2.1 198.51.100.2 00 443\r\n", ""},
		{"v1 without a port", "PROXY TCP4 192.0.2.1 198.51.100.2  443\r\n", ""},
		{"v1 longer than can be", "PROXY UNKNOWN " + strings.Repeat("x", 107-14-1) + "\r\n", ""},
		{"v1 without an end", "PROXY UNKNOWN " + strings.Repeat("x", 200), ""},
		{"v1 that ends early", "PROXY\x20TCP4\r\nGET / HTTP/1.1\r\n\r\n", ""},

		{"v2 of version 1", binaryHeader(0x11, 0x11, v4Addresses), ""},
		{"v2 of version 3", binaryHeader(0x31, 0x11, v4Addresses), ""},
		{"v2 of another command", binaryHeader(0x22, 0x11, v4Addresses), ""},
		{"v2 of another family", binaryHeader(proxyCommand, 0x41, v4Addresses), ""},
		{"v2 of a family without a protocol", binaryHeader(proxyCommand, 0x10, v4Addresses), ""},
		{"v2 of a protocol without a family", binaryHeader(proxyCommand, 0x01, v4Addresses), ""},
		{"v2 of another protocol", binaryHeader(proxyCommand, 0x13, v4Addresses), ""},
		{"v2 without addresses", binaryHeader(proxyCommand, 0x11), ""},
		{"v2 with addresses cut short", binaryHeader(proxyCommand, 0x11, v4Addresses[:11]), ""},
		{"v2 IPv6 of IPv4's length", binaryHeader(proxyCommand, 0x21, v4Addresses), ""},
		{"v2 unix cut short", binaryHeader(proxyCommand, 0x31, strings.Repeat("\x00", 215)), ""},
		{"v2 with half an extension", binaryHeader(proxyCommand, 0x11, v4Addresses, "\x04\x00"), ""},
		{"v2 with an extension that is longer than the header", binaryHeader(proxyCommand, 0x11, v4Addresses, "\x04\x00\x03ab"), ""},
		{"v2 with an extension of 65535 bytes", binaryHeader(proxyCommand, 0x11, v4Addresses, "\x04\xff\xff"), ""},
		{"v2 longer than is accepted", binaryHeader(proxyCommand, 0x11, v4Addresses, extension(0x20, strings.Repeat("x", 4096-12-3+1))), ""},
		{"v2 as long as can be", signatureV2 + "\x21\x11\xff\xff", ""},
		{"v2 with another client than was summed", altered(19, 2), ""},
		{"v2 with another sum", altered(31, checked[31]^1), ""},
		{"v2 with another extension than was summed", altered(len(checked)-1, '3'), ""},
		{"v2 LOCAL that was PROXY when it was summed", altered(12, localCommand), ""},
		{"v2 with a sum of 3 bytes", binaryHeader(proxyCommand, 0x11, v4Addresses, extension(0x03, "abc")), ""},
		{"v2 with a sum of 5 bytes", binaryHeader(proxyCommand, 0x11, v4Addresses, extension(0x03, "abcde")), ""},
		{"v2 LOCAL with another sum", check[:len(check)-1] + "\x8e", ""},
	}
}

// noHeaders are the beginnings of what is something else.
func noHeaders(t *testing.T) []headerCase {
	return []headerCase{
		{"TLS", string(helloOf(t)), ""},
		{"plain HTTP", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", ""},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""},
		{"a method that begins so", "PROXYX / HTTP/1.1\r\n\r\n", ""},
		{"the signature in small letters", "proxy TCP4 192.0.2.1 198.51.100.2 56680 443\r\n", ""},
		{"a space before", " PROXY TCP4 192.0.2.1 198.51.100.2 56680 443\r\n", ""},
		{"an empty line before", "\r\nPROXY TCP4 192.0.2.1 198.51.100.2 56680 443\r\n", ""},
		{"a tab behind the signature", "PROXY\tTCP4 192.0.2.1 198.51.100.2 56680 443\r\n", ""},
		{"a signature of version 2 that ends otherwise", signatureV2[:11] + "\r\x21\x11\x00\x0c" + v4Addresses, ""},
		{"zeros", strings.Repeat("\x00", 64), ""},
		{"one byte", "x", ""},
	}
}

// arrivals are ways in which bytes arrive.
func arrivals() map[string]func(io.Reader) io.Reader {
	return map[string]func(io.Reader) io.Reader{
		"at once":      func(r io.Reader) io.Reader { return r },
		"byte by byte": iotest.OneByteReader,
		"in halves":    iotest.HalfReader,
	}
}

func TestAHeaderIsTakenToItsLastByteAndNoFurther(t *testing.T) {
	for _, test := range goodHeaders(t) {
		for way, in := range arrivals() {
			for _, behind := range []string{"", "\x16\x03\x01", "PROXY TCP4 203.0.113.9 203.0.113.8 1 2\r\n", "\r\n\n"} {
				all := strings.NewReader(test.header + behind)
				got, err := readSource(in(all))
				if err != nil {
					t.Errorf("%s, %s: %v", test.name, way, err)
					continue
				}
				source := ""
				if got.IsValid() {
					source = got.String()
				}
				if source != test.source {
					t.Errorf("%s, %s: got %q, want %q", test.name, way, source, test.source)
				}
				if left := all.Len(); left != len(behind) {
					t.Errorf("%s, %s: %d bytes are left for TLS, want %d", test.name, way, left, len(behind))
				}
			}
		}
	}
}

func TestNoHeaderThatIsMalformedIsBelieved(t *testing.T) {
	for _, test := range badHeaders(t) {
		for way, in := range arrivals() {
			got, err := readSource(in(strings.NewReader(test.header + strings.Repeat("x", 8<<10))))
			var refused *headerError
			if !errors.As(err, &refused) || refused.event != ProxyHeaderBad {
				t.Errorf("%s, %s: got %v and %v, want ProxyHeaderBad", test.name, way, got, err)
			}
			// It is known as soon as it is there: nothing more is waited for.
			r := io.MultiReader(in(strings.NewReader(test.header)), iotest.ErrReader(os.ErrDeadlineExceeded))
			if got, err := readSource(r); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s, %s, and no more: got %v and %v", test.name, way, got, err)
			}
		}
	}
}

func TestWhatIsNoHeaderIsKnownByItsFirstBytes(t *testing.T) {
	for _, test := range noHeaders(t) {
		for way, in := range arrivals() {
			// The reader fails the test, as a peer that waits for an answer would.
			r := io.MultiReader(in(strings.NewReader(test.header)), iotest.ErrReader(os.ErrDeadlineExceeded))
			if got, err := readSource(r); !errors.Is(err, errNoHeader) {
				t.Errorf("%s, %s: got %v and %v, want that there is no header", test.name, way, got, err)
			}
		}
	}
}

func TestAHeaderCutShortIsNotBelieved(t *testing.T) {
	for _, test := range goodHeaders(t) {
		for n := range test.header {
			got, err := readSource(strings.NewReader(test.header[:n]))
			var refused *headerError
			if got.IsValid() || !errors.Is(err, io.EOF) || errors.As(err, &refused) {
				t.Fatalf("%s, %d bytes: got %v and %v, want the end of the connection", test.name, n, got, err)
			}
			_, err = readSource(io.MultiReader(strings.NewReader(test.header[:n]), iotest.ErrReader(os.ErrDeadlineExceeded)))
			if !errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &refused) != (n > 0) {
				t.Fatalf("%s, %d bytes: got %v, want that the time was up", test.name, n, err)
			}
		}
	}
}

// The length of a header is the sender's word: it must not cost more than is accepted.
func TestALongHeaderIsRefusedBeforeItIsRead(t *testing.T) {
	head := []byte(signatureV2 + "\x21\x11\x00\x00")
	for _, length := range []uint16{4097, 0x7fff, 0xffff} {
		binary.BigEndian.PutUint16(head[14:], length)
		rest := strings.NewReader(strings.Repeat("x", int(length)))
		if _, err := readSource(io.MultiReader(bytes.NewReader(head), rest)); err == nil || rest.Len() != int(length) {
			t.Errorf("%d bytes: got %v with %d of them unread", length, err, rest.Len())
		}
	}
}
