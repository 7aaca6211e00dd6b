package main_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// client is a TLS client that presents whatever certificate it is given,
// whether or not the server's CA hints ask for it.
type client struct {
	cert     *tls.Certificate // nil: none
	version  uint16           // the only one offered
	sessions tls.ClientSessionCache
}

// connection is one TLS connection to a peer, with what was read ahead on it.
type connection struct {
	*tls.Conn
	in *bufio.Reader
}

// dial connects to addr. The handshake error of a refused certificate may show
// only in the first read (TLS 1.3).
func (c client) dial(addr string) (*connection, error) {
	config := &tls.Config{
		InsecureSkipVerify: true, // the server's certificate is not what is tested here
		ServerName:         "localhost",
		MinVersion:         c.version,
		MaxVersion:         c.version,
		ClientSessionCache: c.sessions,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if c.cert == nil {
				return &tls.Certificate{}, nil
			}
			return c.cert, nil
		},
	}
	dialer := &net.Dialer{Timeout: hang}
	conn, err := tls.DialWithDialer(dialer, "tcp", addr, config)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(hang))
	return &connection{conn, bufio.NewReader(conn)}, nil
}

// ask sends raw bytes and reads one answer with its body.
func (c *connection) ask(raw string) (*http.Response, string, error) {
	if _, err := io.WriteString(c, raw); err != nil {
		return nil, "", err
	}
	method, _, _ := strings.Cut(raw, " ")
	response, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(response.Body)
	if errors.Is(err, io.ErrUnexpectedEOF) && !response.Close {
		return nil, "", err
	}
	return response, string(body), nil
}

// once asks over a connection of its own. A failed handshake is status 0.
func (c client) once(t *testing.T, addr, raw string) (status int, header http.Header, body string) {
	t.Helper()
	conn, err := c.dial(addr)
	if err != nil {
		return 0, nil, ""
	}
	defer conn.Close()
	response, body, err := conn.ask(raw)
	if err != nil {
		return 0, nil, ""
	}
	return response.StatusCode, response.Header, body
}
