package proxy

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// CheckExposed looks whether the application's port is also open outside
// loopback: whoever reaches it there bypasses everything that is decided here.
// It returns a warning, or an error with MTLS_UPSTREAM_EXPOSED=refuse. An
// application that does not listen yet cannot be seen.
func CheckExposed(config *Config) (warning string, err error) {
	if config.UpstreamExposed == ExposedIgnore || config.UpstreamURL.Network != "tcp" || config.UpstreamURL.remote() {
		return "", nil
	}
	_, port, err := net.SplitHostPort(config.UpstreamURL.Address)
	if err != nil {
		return "", err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", err
	}
	var open []string
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		open = append(open, exposedIn(table, uint16(number))...)
	}
	if len(open) == 0 {
		return "", nil
	}
	text := fmt.Sprintf("the application listens on %s, outside loopback: whoever reaches that port bypasses the certificate check and may send any VERIFIED header; have it listen on 127.0.0.1, or set MTLS_UPSTREAM_EXPOSED=ignore where a network policy closes the port",
		strings.Join(open, " and "))
	if config.UpstreamExposed == ExposedRefuse {
		return "", &ConfigError{[]Fault{{"MTLS_UPSTREAM_EXPOSED", string(ExposedRefuse), text}}}
	}
	return text, nil
}

// exposure looks again once the application answers: at the sidecar's own start
// it may not have been there to be seen. On a busy machine the kernel's tables
// are long, so requests do not wait for a look unless it may refuse them.
type exposure struct {
	looked atomic.Bool
	looks  sync.WaitGroup

	mu      sync.Mutex // MTLS_UPSTREAM_EXPOSED=refuse alone
	verdict error
	until   time.Time
}

// exposureHolds is how long the look of MTLS_UPSTREAM_EXPOSED=refuse counts.
const exposureHolds = 10 * time.Second

// allow returns an error when the application may not be used for where it
// listens. It is asked once for each connection to it.
func (e *exposure) allow(s *Server) error {
	if s.config.UpstreamExposed == ExposedRefuse {
		e.mu.Lock()
		defer e.mu.Unlock()
		if now := time.Now(); now.After(e.until) {
			_, e.verdict = CheckExposed(s.config)
			e.until = now.Add(exposureHolds)
		}
		return e.verdict
	}
	if !e.looked.Load() && e.looked.CompareAndSwap(false, true) {
		e.looks.Go(func() {
			if warning, err := CheckExposed(s.config); err != nil || warning != "" {
				s.log.Warn("the application is exposed", zap.String("detail", warning), zap.Error(err))
			}
		})
	}
	return nil
}

// exposedIn lists the listening addresses outside loopback for a port. Systems
// without the table have nothing to tell.
func exposedIn(table string, port uint16) []string {
	file, err := os.Open(table)
	if err != nil {
		return nil
	}
	defer file.Close()
	var open []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if !bytes.Contains(lines.Bytes(), []byte(" 0A ")) { // TCP_LISTEN
			continue // most lines of a busy machine
		}
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[3] != "0A" {
			continue
		}
		addr, err := procAddress(fields[1])
		if err == nil && addr.Port() == port && !addr.Addr().Unmap().IsLoopback() {
			open = append(open, addr.String())
		}
	}
	slices.Sort(open)
	return slices.Compact(open)
}

// procAddress reads the kernel's form: each 32-bit word of the address in the
// machine's (little-endian) order, the port in the network's.
func procAddress(text string) (netip.AddrPort, error) {
	hexAddr, hexPort, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(hexAddr)
	if err != nil || (len(raw) != 4 && len(raw) != 16) {
		return netip.AddrPort{}, fmt.Errorf("address %q is not of the kernel's form", text)
	}
	for i := 0; i < len(raw); i += 4 {
		slices.Reverse(raw[i : i+4])
	}
	port, err := strconv.ParseUint(hexPort, 16, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("port of %q: %w", text, err)
	}
	addr, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr, uint16(port)), nil
}
