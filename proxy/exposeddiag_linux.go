package proxy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"
)

// What syscall does not name of sock_diag(7), linux/inet_diag.h and linux/tcp_states.h.
const (
	netlinkSockDiag     = 4
	sockDiagByFamily    = 20
	tcpListen           = 10
	inetDiagReqV2Bytes  = 8 + inetDiagSockIDBytes
	inetDiagSockIDBytes = 48
	inetDiagMsgSource   = 8 // where the address is in an answer; the port is before it
)

// diagTimeout bounds the wait for the kernel, which answers at once.
const diagTimeout = time.Second

// askKernel returns the addresses on which somebody listens at a port, in this network
// namespace. It asks for those who listen alone. /proc/net/tcp tells the same, but to
// find out that nothing is left to tell the kernel walks through the table of all
// connections of all network namespaces there, each time: milliseconds, every
// MTLS_RELOAD_INTERVAL, in each pod. An error: it does not answer such questions, or
// not to this process.
func askKernel(port uint16) (found []netip.AddrPort, err error) {
	socket, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, netlinkSockDiag)
	if err != nil {
		return nil, fmt.Errorf("asking the kernel for sockets: %w", err)
	}
	defer syscall.Close(socket)
	timeout := syscall.NsecToTimeval(diagTimeout.Nanoseconds())
	if err := syscall.SetsockoptTimeval(socket, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &timeout); err != nil {
		return nil, fmt.Errorf("asking the kernel for sockets: %w", err)
	}
	for _, family := range []uint8{syscall.AF_INET, syscall.AF_INET6} {
		if err := syscall.Sendto(socket, diagRequest(family, port), 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
			return nil, fmt.Errorf("asking the kernel for sockets: %w", err)
		}
		if found, err = readDiag(found, socket, port); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// diagRequest asks for the TCP sockets of a family that listen at a port.
func diagRequest(family uint8, port uint16) []byte {
	request := make([]byte, syscall.NLMSG_HDRLEN+inetDiagReqV2Bytes)
	native := binary.NativeEndian
	native.PutUint32(request, uint32(len(request)))
	native.PutUint16(request[4:], sockDiagByFamily)
	native.PutUint16(request[6:], syscall.NLM_F_REQUEST|syscall.NLM_F_DUMP)
	body := request[syscall.NLMSG_HDRLEN:]
	body[0], body[1] = family, syscall.IPPROTO_TCP
	native.PutUint32(body[4:], 1<<tcpListen)
	binary.BigEndian.PutUint16(body[8:], port)
	return request
}

// readDiag adds the answers to one request.
func readDiag(found []netip.AddrPort, socket int, port uint16) ([]netip.AddrPort, error) {
	buffer := make([]byte, 32<<10) // as netlink(7) would have it for dumps
	for {
		n, _, err := syscall.Recvfrom(socket, buffer, 0)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("the kernel's answer about sockets: %w", err)
		}
		messages, err := syscall.ParseNetlinkMessage(buffer[:n])
		if err == nil && len(messages) == 0 {
			err = errors.New("it is empty")
		}
		if err != nil {
			return nil, fmt.Errorf("the kernel's answer about sockets, of %d bytes: %w", n, err)
		}
		for _, m := range messages {
			switch m.Header.Type {
			case syscall.NLMSG_DONE:
				return found, nil
			case sockDiagByFamily:
				addr, ok := diagAddress(m.Data)
				if !ok {
					return nil, fmt.Errorf("the kernel's answer about sockets has one of %d bytes, too few", len(m.Data))
				}
				if addr.Port() == port {
					found = append(found, addr)
				}
			default: // NLMSG_ERROR
				return nil, fmt.Errorf("the kernel does not tell of sockets: message %d, % x", m.Header.Type, m.Data)
			}
		}
	}
}

// diagAddress is where a socket listens: the source of an inet_diag_msg.
func diagAddress(message []byte) (netip.AddrPort, bool) {
	if len(message) < inetDiagMsgSource+16 {
		return netip.AddrPort{}, false
	}
	source := message[inetDiagMsgSource:]
	addr := netip.AddrFrom16([16]byte(source))
	if message[0] == syscall.AF_INET {
		addr = netip.AddrFrom4([4]byte(source))
	}
	return netip.AddrPortFrom(addr.Unmap(), binary.BigEndian.Uint16(message[inetDiagMsgSource-4:])), true
}
