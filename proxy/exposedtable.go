package proxy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// tableListeners returns the addresses in one of the kernel's tables on which somebody
// listens at a port. Those of /proc/self are this network namespace's, and are there too
// where a service manager shows nothing but processes in /proc. Systems without them
// have nothing to tell.
func tableListeners(table string, port uint16) []netip.AddrPort {
	file, err := os.Open(table)
	if err != nil {
		return nil
	}
	defer file.Close()
	return listenersIn(file, port)
}

// otherSockets is how many sockets that do not listen may stand between two that
// do. Linux lists those that listen first (its proc_net_tcp.rst), and most lines of
// a busy machine come after them; kernels that only look like Linux may not.
const otherSockets = 4096

// listenersIn reads such a table. IPv4 addresses written as IPv6 are what they stand
// for.
func listenersIn(table io.Reader, port uint16) (found []netip.AddrPort) {
	lines := bufio.NewScanner(table)
	for others := 0; others < otherSockets && lines.Scan(); {
		if !bytes.Contains(lines.Bytes(), []byte(" 0A ")) { // TCP_LISTEN
			others++
			continue
		}
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[3] != "0A" {
			continue
		}
		others = 0
		if addr, err := procAddress(fields[1]); err == nil && addr.Port() == port {
			found = append(found, netip.AddrPortFrom(addr.Addr().Unmap(), port))
		}
	}
	return found
}

// procAddress reads the kernel's form: each 32-bit word of the address as a number in
// the machine's order, the port in the network's.
func procAddress(text string) (netip.AddrPort, error) {
	hexAddr, hexPort, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(hexAddr)
	if err != nil || (len(raw) != 4 && len(raw) != 16) {
		return netip.AddrPort{}, fmt.Errorf("address %q is not of the kernel's form", text)
	}
	for word := range slices.Chunk(raw, 4) {
		binary.NativeEndian.PutUint32(word, binary.BigEndian.Uint32(word))
	}
	port, err := strconv.ParseUint(hexPort, 16, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("port of %q: %w", text, err)
	}
	addr, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr, uint16(port)), nil
}
