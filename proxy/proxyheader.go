package proxy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/pires/go-proxyproto"
)

// The PROXY protocol: https://www.haproxy.org/download/3.4/doc/proxy-protocol.txt,
// whose sections are cited here. The bytes are taken from the socket here, and
// never one more than the header has: TLS begins with the next, and idle.go
// looks at the bare socket. What they say is the library's to read.

const (
	signatureV1 = "PROXY "
	signatureV2 = "\r\n\r\n\x00\r\nQUIT\n"
	prefixV2    = len(signatureV2) + 4 // then version and command, family and protocol, and two bytes of length

	// shortestHeader is "PROXY UNKNOWN\r\n"; of version 2 it is one byte more.
	shortestHeader = 15
	longestV1      = 107 // §2.1
	// longestV2 bounds what follows the first 16 bytes, as the library does and,
	// to within those 16, nginx. §2.2 would let it be 65535; an address and all
	// that HAProxy can add about its client come to less than half of this.
	longestV2 = 4096
)

// headerError is a connection that did not begin as MTLS_PROXY_PROTOCOL_FROM
// says it must.
type headerError struct {
	event Event
	err   error
}

func (e *headerError) Error() string { return e.err.Error() }
func (e *headerError) Unwrap() error { return e.err }

var errNoHeader = &headerError{ProxyHeaderMissing, errors.New("the connection does not begin with a PROXY header")}

func badHeader(format string, args ...any) error {
	return &headerError{ProxyHeaderBad, fmt.Errorf(format, args...)}
}

// readSource takes a PROXY header from a connection and returns the client's
// address. It is not valid where the header tells none of TCP: the balancer
// speaks for itself, in a health check mostly, or for a client over something
// else (§2.2: LOCAL, AF_UNSPEC, AF_UNIX, datagrams; §2.1: UNKNOWN).
func readSource(r io.Reader) (netip.Addr, error) {
	head, err := readHeader(r)
	if err != nil {
		return netip.Addr{}, err
	}
	return parseHeader(head)
}

// readHeader reads a header and nothing behind it.
func readHeader(r io.Reader) ([]byte, error) {
	head := make([]byte, 0, longestV1)
	for {
		missing, err := lacking(head)
		if err != nil || missing == 0 {
			return head, err
		}
		head = slices.Grow(head, missing)
		n, err := r.Read(head[len(head) : len(head)+missing])
		head = head[:len(head)+n]
		switch {
		case n > 0: // an error comes again
		case len(head) > 0 && errors.Is(err, os.ErrDeadlineExceeded):
			return nil, badHeader("only %d bytes of a PROXY header came: %w", len(head), err)
		case err != nil: // a health check may end as early as this
			return nil, fmt.Errorf("after %d bytes of a PROXY header: %w", len(head), err)
		}
	}
}

// lacking is how many bytes a header that begins so lacks at least, 0 when it
// is whole. Every byte counts before the next is waited for, so that what is no
// header is known as early as can be.
func lacking(head []byte) (int, error) {
	begins := func(signature string) bool {
		n := min(len(head), len(signature))
		return string(head[:n]) == signature[:n]
	}
	switch {
	case begins(signatureV2):
		return lackingV2(head)
	case begins(signatureV1):
		return lackingV1(head)
	default:
		return 0, errNoHeader
	}
}

func lackingV2(head []byte) (int, error) {
	if len(head) < shortestHeader {
		return shortestHeader - len(head), nil
	}
	if len(head) < prefixV2 {
		return prefixV2 - len(head), nil
	}
	length := int(binary.BigEndian.Uint16(head[prefixV2-2:]))
	if length > longestV2 {
		return 0, badHeader("a PROXY header of version 2 with %d bytes behind its first %d, where %d are accepted", length, prefixV2, longestV2)
	}
	return prefixV2 + length - len(head), nil
}

// lackingV1 keeps the single reads few: an address line has five spaces, with
// something behind each, and its end is two bytes.
func lackingV1(head []byte) (int, error) {
	switch end := bytes.IndexByte(head, '\n'); {
	case end >= 0 && end == len(head)-1:
		return 0, nil
	case end >= 0:
		return 0, badHeader("a PROXY line that is too short: %q", head[:end+1])
	case len(head) >= longestV1:
		return 0, badHeader("a PROXY line without an end within %d bytes", longestV1)
	}
	least := len("\r\n")
	if bytes.HasSuffix(head, []byte("\r")) {
		least = len("\n")
	}
	if bytes.HasPrefix(head, []byte("PROXY TCP")) {
		least += 2 * max(0, 5-bytes.Count(head, []byte(" ")))
	}
	return min(max(least, shortestHeader-len(head)), longestV1-len(head)), nil
}

// parseHeader has the library read a whole header. It is stricter than the
// library in the text of version 1 and in what follows the addresses in version 2.
func parseHeader(head []byte) (netip.Addr, error) {
	if head[0] == signatureV1[0] {
		line := strings.TrimSuffix(string(head), "\r\n")
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
			return netip.Addr{}, badHeader("a PROXY line with bytes that are no visible ASCII, or without CR LF at its end: %q", head)
		}
	}
	header, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(unspecified(head)), longestV1+1))
	if err != nil {
		return netip.Addr{}, badHeader("a PROXY header that cannot be read: %w", err)
	}
	local := header.Command.IsLocal()
	if header.Version == 2 {
		// Where no address counts, the block may hold anything: §2.2 has it passed over.
		if err := checkExtensions(head); err != nil && (!local || errors.Is(err, errChecksum)) {
			return netip.Addr{}, badHeader("a PROXY header %w", err)
		}
	}
	tcp, isTCP := header.SourceAddr.(*net.TCPAddr)
	if local || !isTCP {
		return netip.Addr{}, nil
	}
	return tcp.AddrPort().Addr().Unmap(), nil
}

// unspecified gives a header that relays a connection of no address family the
// command LOCAL, which says the same: §2.2 lets it be accepted with the peer's
// own address, and the library refuses it.
func unspecified(head []byte) []byte {
	const command, family = len(signatureV2), len(signatureV2) + 1
	if head[0] == signatureV2[0] && head[command] == byte(proxyproto.PROXY) && head[family] == byte(proxyproto.UNSPEC) {
		head = bytes.Clone(head)
		head[command] = byte(proxyproto.LOCAL)
	}
	return head
}

var errChecksum = errors.New("whose checksum is wrong: it was altered on its way")

// checkExtensions walks what follows the addresses (§2.2, TLV), of which the
// checksum alone matters here.
func checkExtensions(head []byte) error {
	for at := prefixV2 + addressBytes(proxyproto.AddressFamilyAndProtocol(head[prefixV2-3])); at < len(head); {
		if len(head)-at < 3 {
			return errors.New("with an extension cut short")
		}
		kind, length := proxyproto.PP2Type(head[at]), int(binary.BigEndian.Uint16(head[at+1:]))
		at += 3
		if length > len(head)-at {
			return errors.New("with an extension that is longer than the header")
		}
		if kind == proxyproto.PP2_TYPE_CRC32C {
			if length != crc32.Size {
				return errors.New("with a checksum that is not of 4 bytes")
			}
			zeroed := bytes.Clone(head)
			clear(zeroed[at : at+length]) // §2.2.3
			if crc32.Checksum(zeroed, crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(head[at:]) {
				return errChecksum
			}
		}
		at += length
	}
	return nil
}

// addressBytes is the length of the addresses before the extensions.
func addressBytes(family proxyproto.AddressFamilyAndProtocol) int {
	switch {
	case family.IsIPv4():
		return 2 * (4 + 2)
	case family.IsIPv6():
		return 2 * (16 + 2)
	case family.IsUnix():
		return 2 * 108
	default:
		return 0
	}
}
