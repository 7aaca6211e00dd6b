package proxy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// Listen binds MTLS_LISTEN_ADDR. A unix socket is open to every user of the
// machine, as nginx's are: a balancer seldom runs as the sidecar's user, and
// who may come near it is for the folder's permissions to say. What a
// predecessor has left behind is removed; whatever else stands there is not.
// The socket's file goes when the listener is closed.
func (s *Server) Listen() (net.Listener, error) {
	network, address := s.config.ListenAddr.network()
	listener, err := listen(network, address)
	if err != nil {
		return nil, fmt.Errorf("MTLS_LISTEN_ADDR=%q: %w; %s", s.config.ListenAddr, err, listenRemedy(network, err))
	}
	addr := listener.Addr()
	s.bound.Store(&addr) // clients can connect from now on
	return listener, nil
}

func listen(network, address string) (net.Listener, error) {
	if network != "unix" {
		config := net.ListenConfig{Control: boundUnsent}
		config.SetMultipathTCP(false) // what is set on such a socket is not inherited
		return config.Listen(context.Background(), network, address)
	}
	if err := removeStale(address); err != nil {
		return nil, err
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(address, 0o666); err != nil { // whatever the umask says
		listener.Close()
		return nil, err
	}
	return listener, nil
}

// Errors of what stands where the socket is to be.
var (
	errSocketAlive = errors.New("a process listens there already")
	errNoSocket    = errors.New("something that is no socket is there already")
)

// removeStale removes a socket's file that nobody listens on any more: the
// kernel leaves it behind when a process is killed.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket: // a symbolic link is none either
		return errNoSocket
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		conn.Close()
		return errSocketAlive
	case errors.Is(err, syscall.ECONNREFUSED):
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	case errors.Is(err, fs.ErrNotExist): // gone meanwhile
		return nil
	default:
		return fmt.Errorf("looking whether a process listens there: %w", err)
	}
}

// listenRemedy says what an operator can do about an address that is not to be had.
func listenRemedy(network string, err error) string {
	isUnix := network == "unix"
	switch {
	case errors.Is(err, errSocketAlive), isUnix && errors.Is(err, syscall.EADDRINUSE):
		return "stop it, or choose another path"
	case errors.Is(err, errNoSocket):
		return "remove it, or choose another path"
	case isUnix && errors.Is(err, fs.ErrNotExist):
		return "create the folder, or mount the volume that it is on"
	case isUnix && errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("let user %d write to the folder", os.Getuid())
	case errors.Is(err, fs.ErrPermission):
		return "choose a port above 1023, or let the program have the capability NET_BIND_SERVICE"
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
		return "choose an address that this machine has"
	case isUnix:
		return "choose another path"
	default:
		return "stop what listens there, or choose another port"
	}
}

// listenName is how a listener's address is told: in the form that
// MTLS_LISTEN_ADDR takes.
func listenName(addr net.Addr) string {
	if addr.Network() == "unix" {
		return "unix://" + addr.String()
	}
	return addr.String()
}
