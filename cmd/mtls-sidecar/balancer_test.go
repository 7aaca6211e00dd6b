package main_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Real balancers in front: they relay TLS as it comes, and tell the client's
// address before it.

// clientIP is where IPv4 clients come from, another address of this machine
// than that from which a balancer reaches the sidecar.
const clientIP = "127.0.0.2"

// balanced is a sidecar, one more that listens on a unix socket, and the
// application of both.
type balanced struct {
	*recorder
	car, socketCar *sidecar
	client         tls.Certificate
	files          string // client.crt, client.key and ca.crt, for curl
	dir            string // short enough for sockets
}

func startBalanced(t *testing.T) *balanced {
	t.Helper()
	for _, addr := range []string{clientIP + ":0", "[::1]:0"} {
		probe, err := net.Listen("tcp", addr)
		if err != nil {
			missing(t, "this machine has no address %s: %v", addr, err)
		}
		probe.Close()
	}
	dir, err := os.MkdirTemp("", "balancer-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b := &balanced{recorder: startRecorder(t), dir: dir}
	s, client := mintedFiles(t)
	s = s.with(settings{"MTLS_UPSTREAM_URL": "http://" + b.addr, "MTLS_LOG_LEVEL": "debug"})
	b.client, b.files = client, clientFiles(t, s, client)
	b.car = startSidecar(t, s.with(settings{"MTLS_PROXY_PROTOCOL_FROM": "127.0.0.1"}))
	b.socketCar = startSidecar(t, s.with(settings{"MTLS_LISTEN_ADDR": "unix://" + dir + "/sidecar.sock", "MTLS_PROXY_PROTOCOL_FROM": "unix"}))
	return b
}

// startHAProxy returns the ports of HAProxy's listeners by their names.
func (b *balanced) startHAProxy(t *testing.T) (*process, map[string]int) {
	t.Helper()
	names := []string{"V2", "V1", "Checks", "Socket", "None"}
	for range 5 { // a port that was free a moment ago may be taken by now
		ports, fill := map[string]int{}, map[string]any{"Sidecar": b.car.addr, "SidecarSocket": b.dir + "/sidecar.sock", "Local": b.dir + "/haproxy.sock"}
		for i, port := range freePorts(t, len(names)) {
			ports[names[i]], fill[names[i]] = port, port
		}
		config := filepath.Join(b.dir, "haproxy.cfg")
		writeTemplate(t, filepath.Join("..", "..", "testdata", "balancers", "haproxy.cfg.tmpl"), config, fill)
		p := start(t, "haproxy", exec.Command(need(t, "haproxy"), "-db", "-f", config))
		if p.listens("127.0.0.1:" + strconv.Itoa(ports["V2"])) {
			return p, ports
		}
	}
	t.Fatal("HAProxy did not start")
	return nil, nil
}

func (b *balanced) startNginx(t *testing.T) (port int) {
	t.Helper()
	module := "/usr/lib/nginx/modules/ngx_stream_module.so"
	if _, err := os.Stat(module); err != nil {
		module = "" // it may be compiled in
	}
	for range 5 {
		port = freePorts(t, 1)[0]
		config := filepath.Join(b.dir, "nginx.conf")
		writeTemplate(t, filepath.Join("..", "..", "testdata", "balancers", "nginx.conf.tmpl"), config,
			map[string]any{"Module": module, "Dir": b.dir, "V1": port, "Local": b.dir + "/nginx.sock", "Sidecar": b.car.addr})
		p := start(t, "nginx", exec.Command(need(t, "nginx"), "-p", b.dir, "-c", config))
		if p.listens("127.0.0.1:" + strconv.Itoa(port)) {
			return port
		}
		if strings.Contains(p.tail(20), `unknown directive "stream"`) {
			missing(t, "nginx has no stream module here (Debian's package libnginx-mod-stream)")
		}
	}
	t.Fatal("nginx did not start")
	return 0
}

// wantTold fails unless the application was told this address, and SUCCESS.
func (b *balanced) wantTold(t *testing.T, what, address string) {
	t.Helper()
	saw := b.take()
	if saw == nil {
		t.Fatalf("%s: the application saw nothing", what)
	}
	for name, want := range map[string]string{"x-real-ip": address, "x-forwarded-for": "203.0.113.77, " + address, "verified": "SUCCESS"} {
		if got := strings.Join(saw.values(name), "|"); got != want {
			t.Errorf("%s: %s is %q, want %q", what, name, got, want)
		}
	}
}

// curlBy has curl ask through a balancer, over IPv4 and over IPv6.
func (b *balanced) curlBy(t *testing.T, what string, port int) {
	t.Helper()
	text := strconv.Itoa(port)
	for want, args := range map[string][]string{
		clientIP: {"--interface", clientIP, "--resolve", "localhost:" + text + ":127.0.0.1"},
		"::1":    {"-6", "--resolve", "localhost:" + text + ":::1"},
	} {
		got := curl(t, b.files, append(args, "--cacert", "ca.crt", "--cert", "client.crt", "--key", "client.key",
			"-H", "X-Forwarded-For: 203.0.113.77", "-H", "X-Real-IP: 203.0.113.66", "https://localhost:"+text+"/")...)
		if got.status != 200 {
			t.Errorf("%s for %s: got %+v", what, want, got)
			continue
		}
		b.wantTold(t, what, want)
	}
}

// dialFrom connects from clientIP, or over a unix socket.
func dialFrom(t *testing.T, addr string) net.Conn {
	t.Helper()
	dialer, network := net.Dialer{Timeout: hang, LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientIP)}}, "tcp"
	if strings.HasPrefix(addr, "/") {
		dialer.LocalAddr, network = nil, "unix"
	}
	conn, err := dialer.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(hang))
	return conn
}

// goesThrough asks over a connection as a Go program does.
func (b *balanced) goesThrough(t *testing.T, what, addr, want string) {
	t.Helper()
	conn := tls.Client(dialFrom(t, addr), &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", Certificates: []tls.Certificate{b.client}})
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.77\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
		t.Fatalf("%s: got %v and %q", what, err, answer)
	}
	b.wantTold(t, what, want)
}

// wantNothing sends what a forger does, and wants the end of the connection.
func (b *balanced) wantNothing(t *testing.T, what, addr, sent string) {
	t.Helper()
	conn := dialFrom(t, addr)
	if _, err := io.WriteString(conn, sent); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); len(got) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%s: got %q and %v, want the end of the connection", what, got, err)
	}
	if saw := b.take(); saw != nil {
		t.Errorf("%s: the application saw %v", what, saw)
	}
}

// tlsStart is the first bytes of a TLS handshake, which is as far as a forger need get.
const forgedHeader, tlsStart = "PROXY TCP4 203.0.113.99 127.0.0.1 1 2\r\n", "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03"

func TestHAProxyTellsTheClientsAddress(t *testing.T) {
	b := startBalanced(t)
	haproxy, ports := b.startHAProxy(t)
	for _, name := range []string{"V2", "V1", "Checks", "Socket"} {
		b.curlBy(t, "HAProxy's "+name, ports[name])
		b.goesThrough(t, "HAProxy's "+name, "127.0.0.1:"+strconv.Itoa(ports[name]), clientIP)
	}
	b.goesThrough(t, "a client over a unix socket", b.dir+"/haproxy.sock", "127.0.0.1") // LOCAL
	for _, name := range []string{"v2", "v1", "checks", "socket"} {
		haproxy.expect(t, "Health check for server "+name+"/sidecar succeeded")
	}
	b.car.expect(t, `"msg":"PROXY header"`, `"tells_address":false`) // a check of version 2
	for _, car := range []*sidecar{b.car, b.socketCar} {
		for _, level := range []string{"info", "warn", "error"} {
			for line := range strings.Lines(car.tail(1 << 20)) {
				if strings.Contains(line, `"level":"`+level+`"`) && !strings.Contains(line, `"msg":"listening"`) && !strings.Contains(line, `"msg":"configuration"`) {
					t.Errorf("logged, though every peer did as it should: %s", line)
				}
			}
		}
	}
	b.wantNothing(t, "a balancer without a header", "127.0.0.1:"+strconv.Itoa(ports["None"]), tlsStart)
	b.car.expect(t, `"error.type":"proxy_header_missing"`, "MTLS_PROXY_PROTOCOL_FROM", `"client.address":"127.0.0.1"`)
	b.wantNothing(t, "a client that forges a header through HAProxy", "127.0.0.1:"+strconv.Itoa(ports["V2"]), forgedHeader+tlsStart)
	b.car.expect(t, `"error.type":"proxy_header_bad"`, "a second PROXY header", `"client.address":"`+clientIP+`"`)
}

func TestNginxTellsTheClientsAddress(t *testing.T) {
	b := startBalanced(t)
	port := b.startNginx(t)
	b.curlBy(t, "nginx", port)
	b.goesThrough(t, "nginx", "127.0.0.1:"+strconv.Itoa(port), clientIP)
	b.goesThrough(t, "a client over a unix socket", b.dir+"/nginx.sock", "127.0.0.1") // UNKNOWN
	b.wantNothing(t, "a client that forges a header through nginx", "127.0.0.1:"+strconv.Itoa(port), forgedHeader+tlsStart)
	b.car.expect(t, `"error.type":"proxy_header_bad"`, "a second PROXY header", `"client.address":"`+clientIP+`"`)
}

func TestADirectClientsForgedHeaderIsWorthNothing(t *testing.T) {
	b := startBalanced(t)
	b.goesThrough(t, "a client without a balancer", b.car.addr, clientIP)
	b.wantNothing(t, "version 1", b.car.addr, forgedHeader+tlsStart)
	b.wantNothing(t, "version 2", b.car.addr, "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x63\x7f\x00\x00\x01\x00\x01\x00\x02"+tlsStart)
	b.car.expect(t, `"error.type":"proxy_header_unexpected"`, "MTLS_PROXY_PROTOCOL_FROM", `"client.address":"`+clientIP+`"`)
}
