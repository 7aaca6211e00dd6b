package proxy

import (
	"crypto/tls"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// always is what a client must be told whose standing does not change.
func always(verdict string) func(int) string { return func(int) string { return verdict } }

// loadClient asks again and again, and knows what it must be told.
type loadClient struct {
	name   string
	kept   bool // asks on one connection
	config *tls.Config
	told   func(epoch int) string
	every  int // epochs between two requests
	conn   *tls.Conn
	asked  atomic.Int64
	heard  map[string]int // answers by what was told
}

func loadClients(f *loadFiles) []*loadClient {
	second := func(epoch int) string {
		if secondIsTrusted(epoch) {
			return "SUCCESS"
		}
		return isUnknown
	}
	suspended := func(epoch int) string {
		if isSuspended(epoch) {
			return isRevoked
		}
		return "SUCCESS"
	}
	stranger, err := pki.SelfSigned(pki.Options{})
	works(f.t, err)
	var all []*loadClient
	for _, who := range []struct {
		name        string
		certificate *tls.Certificate
		told        func(int) string
	}{
		{"believed", f.clients[0], always("SUCCESS")},
		{"of the second CA", f.clients[1], second},
		{"suspended at times", f.suspended, suspended},
		{"revoked", f.revoked, always(isRevoked)},
		{"unknown", &stranger, always("FAILED:unable to get certificate CRL")},
		{"nobody", nil, always("NONE")},
	} {
		all = append(all, &loadClient{name: who.name + ", kept", kept: true, config: clientConfig(who.certificate), told: who.told, every: 1})
		for i, version := range tlsVersions {
			v := newVisitor(version.version, who.certificate)
			all = append(all, &loadClient{name: who.name + ", returning, " + version.name, config: v.config(), told: who.told, every: 41 + 2*i})
		}
		all = append(all, &loadClient{name: who.name + ", new", config: clientConfig(who.certificate), told: who.told, every: 47})
	}
	for _, c := range all {
		c.heard = map[string]int{}
	}
	return all
}

// isDue reports whether the client has a request to make in an epoch.
func (c *loadClient) isDue(epoch int64) bool { return c.asked.Load() <= epoch/int64(c.every) }

// runs asks until the epochs are over.
func (c *loadClient) runs(t *testing.T, s *sidecar, e *epochs, over <-chan struct{}) {
	defer func() {
		if c.conn != nil {
			c.conn.Close()
		}
	}()
	for {
		turn := e.next()
		for c.isDue(e.begun.Load()) {
			if err := c.asks(s, e); err != nil {
				t.Errorf("%s, request %d: %v", c.name, c.asked.Load(), err)
				return
			}
		}
		select {
		case <-turn:
		case <-over:
			return
		}
	}
}

// asks makes one request, which must be answered by what was true at some time
// between its beginning and its end.
func (c *loadClient) asks(s *sidecar, e *epochs) error {
	from := int(e.inForce.Load())
	defer c.asked.Add(1)
	fresh := c.conn == nil
	if fresh {
		conn, err := tls.Dial("tcp", s.addr, c.config)
		if err != nil {
			return fmt.Errorf("connecting: %w", err)
		}
		c.conn = conn
	}
	verdict, err := loadRequest(c.conn)
	if err != nil {
		return err
	}
	to := int(e.begun.Load())
	server := c.conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	told, shown := false, !fresh
	for epoch := from; epoch <= to; epoch++ {
		told = told || c.told(epoch) == verdict
		shown = shown || strings.HasPrefix(server, []string{"first", "second"}[serverOf(epoch)])
	}
	c.heard[verdict]++
	if !c.kept {
		c.conn.Close()
		c.conn = nil
	}
	switch {
	case !told:
		return fmt.Errorf("the application was told %s, which was true in no epoch from %d to %d", verdict, from, to)
	case !shown && !c.resumable():
		return fmt.Errorf("the connection showed %s, which was no epoch's from %d to %d", server, from, to)
	}
	return nil
}

// resumable clients show the certificate of the full handshake.
func (c *loadClient) resumable() bool { return c.config.ClientSessionCache != nil }

// loadRequest returns the body of an answer that must be 200.
func loadRequest(conn *tls.Conn) (string, error) {
	if _, err := conn.Write([]byte(getRequest)); err != nil {
		return "", fmt.Errorf("asking: %w", err)
	}
	var answer []byte
	piece := make([]byte, 1024)
	for {
		n, err := conn.Read(piece)
		answer = append(answer, piece[:n]...)
		head, body, whole := strings.Cut(string(answer), "\r\n\r\n")
		length := 0
		good := strings.HasPrefix(head, "HTTP/1.1 200 ")
		if _, field, found := strings.Cut(head, "Content-Length: "); whole && good && found {
			if _, scanErr := fmt.Sscan(field, &length); scanErr == nil && len(body) == length {
				return body, nil
			}
		}
		if err != nil || whole && !good {
			return "", fmt.Errorf("got %q and %v", answer, err)
		}
	}
}
