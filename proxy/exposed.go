package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// exposedTrouble is the Trouble of an application that is exposed, by its name.
const exposedTrouble = "MTLS_UPSTREAM_EXPOSED"

// CheckExposed looks whether the application's port is also open outside
// loopback: whoever reaches it there bypasses everything that is decided here.
// It returns a warning, or an error with MTLS_UPSTREAM_EXPOSED=refuse. An
// application that does not listen yet cannot be seen.
func CheckExposed(config *Config) (warning string, err error) {
	listeners := config.lookExposed(false)
	if len(listeners.outside) == 0 {
		return "", nil
	}
	if config.UpstreamExposed == ExposedRefuse {
		return "", listeners.fault()
	}
	return listeners.text(), nil
}

// listeners are what a look has found at the application's port.
type listeners struct {
	at        time.Time // zero: there is nothing to look at
	connected bool      // somebody had just connected to it
	seen      bool      // somebody listens there
	outside   []string  // and on these addresses outside loopback; sorted
}

func (l *listeners) text() string {
	return fmt.Sprintf("the application listens on %s, outside loopback: whoever reaches that port bypasses the certificate check and may send any VERIFIED header; have it listen on 127.0.0.1, or set MTLS_UPSTREAM_EXPOSED=ignore where a network policy closes the port",
		strings.Join(l.outside, " and "))
}

func (l *listeners) fault() error {
	return &ConfigError{[]Fault{{"MTLS_UPSTREAM_EXPOSED", string(ExposedRefuse), l.text()}}}
}

// watchesExposure reports whether there is a port to look at: not for unix sockets,
// which are open to nobody else, and not on another machine.
func (c *Config) watchesExposure() bool {
	return c.UpstreamExposed != ExposedIgnore && c.UpstreamURL.Network == "tcp" && !c.UpstreamURL.remote()
}

// lookExposed looks. The kernel's tables are for where it does not answer; with a
// connection to somebody of whom it does not know, they have to confirm that.
func (c *Config) lookExposed(connected bool) *listeners {
	if !c.watchesExposure() {
		return &listeners{}
	}
	found := &listeners{at: time.Now(), connected: connected}
	_, text, _ := net.SplitHostPort(c.UpstreamURL.Address) // has been one already
	number, _ := strconv.ParseUint(text, 10, 16)           // likewise
	c.judgeListeners(found, found.addresses(uint16(number), askKernel))
	return found
}

// addresses are those on which somebody listens at a port.
func (l *listeners) addresses(port uint16, ask func(port uint16) ([]netip.AddrPort, error)) []netip.AddrPort {
	addrs, err := ask(port)
	if err != nil || l.connected && len(addrs) == 0 {
		return append(tableListeners("/proc/self/net/tcp", port), tableListeners("/proc/self/net/tcp6", port)...)
	}
	return addrs
}

// judgeListeners sorts out which addresses are outside loopback.
func (c *Config) judgeListeners(found *listeners, addrs []netip.AddrPort) {
	found.seen = len(addrs) > 0
	for _, addr := range addrs {
		if !addr.Addr().IsLoopback() && !c.listensOn(addr) {
			found.outside = append(found.outside, addr.String())
		}
	}
	slices.Sort(found.outside)
	found.outside = slices.Compact(found.outside)
}

// listensOn reports whether an address is one of the sidecar's own: it may have the
// port that the application has on loopback.
func (c *Config) listensOn(addr netip.AddrPort) bool {
	for _, own := range []string{string(c.ListenAddr), string(c.AdminAddr)} {
		if ours, err := netip.ParseAddrPort(own); err == nil && !ours.Addr().IsUnspecified() &&
			netip.AddrPortFrom(ours.Addr().Unmap().WithZone(""), ours.Port()) == addr {
			return true
		}
	}
	return false
}

// exposure is what is known of where the application listens. It is looked at when
// the sidecar starts, whenever the files are, and when the application is connected
// to: at the sidecar's own start it may not have been there to be seen.
type exposure struct {
	last     atomic.Pointer[listeners] // nil: nobody has looked
	refusing atomic.Bool               // MTLS_UPSTREAM_EXPOSED=refuse, and it is exposed

	mu    sync.Mutex // held while somebody looks
	looks sync.WaitGroup
}

// exposureHolds is how long a look counts for those who would have another one.
const exposureHolds = time.Second

// fresh reports whether a look tells about a connection that is there now. One that
// saw nobody does not, unless it was because of a connection: then the kernel shows
// nobody.
func (l *listeners) fresh() bool {
	return l != nil && (l.seen || l.connected) && time.Since(l.at) < exposureHolds
}

// look looks, and tells what has changed.
func (e *exposure) look(s *Server) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.update(s, s.config.lookExposed(false))
}

// glance is look for whoever has a connection to the application, unless somebody
// has looked just now.
func (e *exposure) glance(s *Server) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.last.Load().fresh() {
		e.update(s, s.config.lookExposed(true))
	}
}

// update needs mu.
func (e *exposure) update(s *Server, now *listeners) {
	exposed, refuse := len(now.outside) > 0, s.config.UpstreamExposed == ExposedRefuse
	e.last.Store(now)
	e.refusing.Store(exposed && refuse)
	if !exposed {
		s.mended(zap.String("variable", exposedTrouble))
	} else if s.troubles.begin(exposedTrouble, errors.New(now.text())) {
		s.log.Warn("the application is exposed", messageField(now.text()), zap.Bool("requests_refused", refuse))
	}
}

// refused returns an error while no request may pass for where the application
// listens. Each request asks.
func (e *exposure) refused(s *Server) error {
	if !e.refusing.Load() {
		return nil
	}
	e.glance(s) // it may have been mended
	if last := e.last.Load(); len(last.outside) > 0 {
		return last.fault()
	}
	return nil
}

// allow returns an error when a new connection to the application may not be used.
// It is asked once the connection is there: now somebody listens, and may be another
// than the one that was seen. Requests do not wait for a look unless it may refuse them.
func (e *exposure) allow(s *Server) error {
	switch last := e.last.Load(); {
	case !s.config.watchesExposure():
	case s.config.UpstreamExposed == ExposedRefuse:
		e.glance(s)
		return e.refused(s)
	case s.life.Err() != nil: // a probe of the admin port may come when nobody waits for looks any more
	case last == nil || !last.seen && !last.fresh():
		e.looks.Go(func() { e.glance(s) })
	}
	return nil
}

// Exposed returns the addresses outside loopback on which the application listens,
// sorted, and when that was looked at: the zero time when it never is, since
// MTLS_UPSTREAM_EXPOSED=ignore or its address leaves nothing to look at.
func (s *Server) Exposed() (addresses []string, looked time.Time) {
	last := s.exposure.last.Load()
	if last == nil {
		return nil, time.Time{}
	}
	return slices.Clone(last.outside), last.at
}
