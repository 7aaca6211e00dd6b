package main_test

import (
	"crypto/tls"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
)

// certificateVariables are nginx's about the client's certificate. Each is asked for in a header X-V-name.
var certificateVariables = []string{
	"ssl_client_verify", "ssl_client_s_dn", "ssl_client_i_dn", "ssl_client_s_dn_legacy", "ssl_client_i_dn_legacy",
	"ssl_client_serial", "ssl_client_fingerprint", "ssl_client_v_start", "ssl_client_v_end", "ssl_client_v_remain", "ssl_client_escaped_cert",
}

// connectionVariables are nginx's about the TLS connection.
var connectionVariables = []string{
	"ssl_protocol", "ssl_cipher", "ssl_curve", "ssl_server_name", "ssl_session_reused", "ssl_alpn_protocol",
}

// proxyServer is a proxy under test, ours or a peer, and the application behind it.
type proxyServer struct {
	addr        string
	application *headApplication
}

const dialectRequest = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

// about asks on a connection with the given client's certificate what the application is told.
func (p proxyServer) about(t *testing.T, c client) words {
	t.Helper()
	status, _, _ := c.once(t, p.addr, dialectRequest)
	head := p.application.take()
	if head == "" {
		return words{notForwarded: fmt.Sprint("status ", status)}
	}
	return tell(head)
}

// aboutAll asks about every row.
func (p proxyServer) aboutAll(m *dialectMint, version uint16) map[string]words {
	m.t.Helper()
	all := map[string]words{}
	for _, r := range m.rows {
		all[r.name] = p.about(m.t, client{cert: r.cert, version: version})
	}
	return all
}

// aboutResumed asks about every row on a session that is resumed where the proxy lets it be, and returns which were.
func (p proxyServer) aboutResumed(m *dialectMint, version uint16) (all map[string]words, resumed map[string]bool) {
	m.t.Helper()
	all, resumed = map[string]words{}, map[string]bool{}
	for _, r := range m.rows {
		c := client{cert: r.cert, version: version, sessions: tls.NewLRUClientSessionCache(1)}
		all[r.name] = p.about(m.t, c)
		if !all[r.name].forwarded() {
			continue
		}
		conn, err := c.dial(p.addr)
		if err != nil {
			m.t.Errorf("%s, again: %v", r.name, err)
			continue
		}
		resumed[r.name] = conn.ConnectionState().DidResume
		if _, _, err := conn.ask(dialectRequest); err != nil {
			m.t.Errorf("%s, again: %v", r.name, err)
		}
		conn.Close()
		all[r.name] = tell(p.application.take())
	}
	return all, resumed
}

// nginxListener is one server of the configuration; what is about every client and what is about a connection alone is
// told by different ones, as the latter have to be set up one by one.
type nginxListener struct {
	Addr      string
	Variables []string
	Options   []string // further directives
	HTTP2     bool
}

// startDialectNginx runs nginx with these listeners, whose addresses it chooses, before one application.
func startDialectNginx(t *testing.T, dir string, listeners []nginxListener) []proxyServer {
	t.Helper()
	application := startHeadApplication(t)
	path := need(t, "nginx")
	// A port that was free a moment ago may be taken by now.
	for range 5 {
		addrs := map[string]string{}
		servers := make([]proxyServer, len(listeners))
		for i, port := range freePorts(t, len(listeners)) {
			listeners[i].Addr = fmt.Sprintf("127.0.0.1:%d", port)
			addrs[listeners[i].Addr] = listeners[i].Addr
			servers[i] = proxyServer{listeners[i].Addr, application}
		}
		config := filepath.Join(dir, "nginx.conf")
		writeTemplate(t, dialectData("nginx.conf.tmpl"), config, map[string]any{"Dir": dir, "Application": application.addr, "Listeners": listeners})
		n := &nginx{addrs: addrs}
		if n.listens(start(t, "nginx", exec.Command(path, "-p", dir, "-c", config))) {
			return servers
		}
	}
	t.Fatal("nginx did not start")
	return nil
}
