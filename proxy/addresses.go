package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// ListenAddr is where TLS is accepted: host:port, or unix:///path.
type ListenAddr string

// UnmarshalText accepts host:port with an empty host, an IP address or
// localhost, and unix:///path.
func (a *ListenAddr) UnmarshalText(text []byte) error {
	if strings.HasPrefix(string(text), "unix:") {
		path, err := unixPath(string(text))
		if err != nil {
			return err
		}
		*a = ListenAddr("unix://" + path)
		return nil
	}
	host, port, err := net.SplitHostPort(string(text))
	if err == nil && host != "" && host != "localhost" {
		_, err = netip.ParseAddr(host)
	}
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return errors.New("must be :port or IP:port (host:port with an IP address or localhost), such as :8443, 127.0.0.1:8443 or [::1]:8443, or unix:///path/of/socket")
	}
	*a = ListenAddr(text)
	return nil
}

// network is what net.Listen is told. An IPv4 address means that family alone:
// net.Listen would take 0.0.0.0 for the addresses of both, and open the port
// on some that nobody has named. Without a host, and with [::], it is both.
func (a ListenAddr) network() (network, address string) {
	if path, isUnix := strings.CutPrefix(string(a), "unix://"); isUnix {
		return "unix", path
	}
	host, _, _ := net.SplitHostPort(string(a)) // has been one already
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().Is4() {
		return "tcp4", string(a)
	}
	return "tcp", string(a)
}

// longestUnixPath is what fits into Linux's sockaddr_un with its terminating
// zero: unix(7).
const longestUnixPath = 107

// unixPath takes the path out of unix:///path. Abstract sockets, which have a
// name and no file, are not for this: no permission keeps anybody on the machine
// from connecting to one, or from being there first.
func unixPath(text string) (string, error) {
	parsed, err := url.Parse(text)
	switch {
	case strings.HasPrefix(text, "unix:@") || strings.HasPrefix(text, "unix://@") || strings.HasPrefix(text, "unix:///@"):
		return "", errors.New("must be unix:///path/of/socket: abstract sockets (@name) are not supported, since they have no permissions; use a file in a folder that both sides share")
	case err != nil || parsed.Scheme != "unix" || parsed.Host != "" || parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" ||
		len(parsed.Path) < 2 || !strings.HasPrefix(parsed.Path, "/") || strings.HasSuffix(parsed.Path, "/") || strings.Contains(parsed.Path, "\x00"):
		return "", errors.New("must be unix:///path/of/socket, with three slashes")
	case len(parsed.Path) > longestUnixPath:
		return "", fmt.Errorf("has a path of %d bytes, and that of a unix socket has at most %d; choose a shorter one", len(parsed.Path), longestUnixPath)
	}
	return parsed.Path, nil
}

// UpstreamURL says where the application listens.
type UpstreamURL struct {
	Network string // tcp or unix
	Address string // host:port, or the socket's path
	H2C     bool   // it speaks HTTP/2 without TLS, from the first byte (RFC 9113 §3.3)
}

// UnmarshalText accepts http://host:port, h2c://host:port and unix:///path.
func (u *UpstreamURL) UnmarshalText(text []byte) error {
	if strings.HasPrefix(string(text), "unix:") {
		path, err := unixPath(string(text))
		if err != nil {
			return err
		}
		*u = UpstreamURL{Network: "unix", Address: path}
		return nil
	}
	wrong := errors.New("must be http://host:port, such as http://127.0.0.1:8080, h2c://host:port or unix:///path/of/socket")
	parsed, err := url.Parse(string(text))
	if err != nil || parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" ||
		(parsed.Scheme != "http" && parsed.Scheme != "h2c") || parsed.Hostname() == "" || (parsed.Path != "" && parsed.Path != "/") {
		return wrong
	}
	port := parsed.Port()
	if port == "" {
		port = "80"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return wrong
	}
	*u = UpstreamURL{"tcp", net.JoinHostPort(parsed.Hostname(), port), parsed.Scheme == "h2c"}
	return nil
}

// String is the form that UnmarshalText accepts.
func (u UpstreamURL) String() string {
	scheme := "http://"
	switch {
	case u.Network == "unix":
		scheme = "unix://"
	case u.H2C:
		scheme = "h2c://"
	}
	return scheme + u.Address
}

// remote reports whether what is sent there may leave this machine. A name
// other than localhost may resolve to anything, so it counts as remote.
func (u UpstreamURL) remote() bool {
	if u.Network == "unix" {
		return false
	}
	host, _, err := net.SplitHostPort(u.Address)
	if err != nil {
		return true
	}
	if strings.EqualFold(host, "localhost") {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return err != nil || !addr.Unmap().IsLoopback()
}
