package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

func TestASwitchThatWasNotAskedForIsA502(t *testing.T) {
	const status = "HTTP/1.1 101 Switching Protocols\r\n"
	for what, test := range map[string][2]string{
		"unasked":                   {simpleGet, switched},
		"asked without Connection":  {"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n", switched},
		"asked in HTTP/1.0":         {"GET / HTTP/1.0\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", switched},
		"asked with a body":         {"POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx", switched},
		"another protocol":          {upgradeHead, status + "Connection: Upgrade\r\nUpgrade: chat\r\n\r\n"},
		"h2c":                       {upgradeHead, status + "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"},
		"several protocols":         {upgradeHead, status + "Connection: Upgrade\r\nUpgrade: websocket, chat\r\n\r\n"},
		"two Upgrade fields":        {upgradeHead, status + "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n"},
		"no Upgrade":                {upgradeHead, status + "Connection: Upgrade\r\n\r\n"},
		"an empty Upgrade":          {upgradeHead, status + "Connection: Upgrade\r\nUpgrade: \r\n\r\n"},
		"Connection not named":      {upgradeHead, status + "Upgrade: websocket\r\n\r\n"},
		"101 in HTTP/1.0":           {upgradeHead, "HTTP/1.0 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"},
		"asked for two, one barred": {strings.Replace(upgradeHead, "websocket\r\n", "websocket, chat\r\n", 1), status + "Connection: Upgrade\r\nUpgrade: chat\r\n\r\n"},
	} {
		t.Run(what, func(t *testing.T) {
			app := startBackend(t, func(conn net.Conn, r *bufio.Reader, head string) bool {
				_, _, _ = appBody(r, head)
				_, _ = io.WriteString(conn, test[1])
				_, _ = io.Copy(io.Discard, r)
				return false
			})
			c := startSidecar(t, app.url).dial(t, nil)
			c.send(test[0])
			c.wantRefusal("GET", 502)
		})
	}
}

func TestOnlyPermittedUpgradesAreAskedFor(t *testing.T) {
	request := func(fields string) string { return "GET / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n" }
	const both = "Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
	for _, test := range []struct{ permitted, request, upgrade string }{
		{"websocket", request("Connection: Upgrade\r\nUpgrade: websocket\r\n"), "websocket"},
		{"websocket", request("Connection: upgrade\r\nUpgrade: WebSocket\r\n"), "WebSocket"},
		{"websocket", request(both + "Upgrade: h2c, websocket\r\n"), "websocket"},
		{"websocket", request(both + "Upgrade: websocket\r\nUpgrade: h2c\r\n"), "websocket"},
		{"websocket", request(both + "Upgrade: h2c\r\n"), ""},
		{"websocket", request(both + "Upgrade: H2C\r\n"), ""},
		{"websocket", request("Connection: Upgrade\r\nUpgrade: chat\r\n"), ""},
		{"websocket", request("Connection: Upgrade\r\nUpgrade: websocket/13\r\n"), ""},
		{"websocket", request("Connection: Upgrade\r\nUpgrade: \r\n"), ""},
		{"websocket", request("Connection: Upgrade\r\n"), ""},
		{"websocket", request("Upgrade: websocket\r\n"), ""},
		{"websocket", "GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", ""},
		{"websocket", "POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx", ""},
		{"websocket", "POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ""},
		{"none", request("Connection: Upgrade\r\nUpgrade: websocket\r\n"), ""},
		{"none", request("Connection: Upgrade\r\nUpgrade: none\r\n"), ""},
		{"chat/2", request("Connection: Upgrade\r\nUpgrade: websocket, chat/2\r\n"), "chat/2"},
		{"chat, websocket", request("Connection: Upgrade\r\nUpgrade: websocket, x, chat\r\n"), "websocket, chat"},
	} {
		t.Run(test.permitted+" "+test.request, func(t *testing.T) {
			app := startBackend(t, func(conn net.Conn, r *bufio.Reader, head string) bool {
				_, _, _ = appBody(r, head)
				_, err := io.WriteString(conn, okAnswer)
				return err == nil
			})
			c := startSidecar(t, app.url, "MTLS_UPGRADE="+test.permitted).dial(t, nil)
			c.send(test.request)
			c.wantAnswer("GET", 200, "ok")
			head := app.seen(t)
			var want []string
			connection := ""
			if test.upgrade != "" {
				want, connection = []string{test.upgrade}, "Upgrade"
			}
			if got := values(head, "Upgrade"); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("the application was asked for %q, want %q", got, want)
			}
			if got := strings.Join(values(head, "Connection"), "|"); got != connection {
				t.Errorf("the application got Connection %q, want %q", got, connection)
			}
			if strings.Contains(strings.ToLower(head), "http2-settings") {
				t.Errorf("HTTP2-Settings is forwarded:\n%s", head)
			}
		})
	}
}

func TestH2CCannotBePermitted(t *testing.T) {
	for _, value := range []string{"h2c", "H2C", "websocket,h2c"} {
		_, err := Environment([]string{"MTLS_UPGRADE=" + value})
		if err == nil || !strings.Contains(err.Error(), "MTLS_UPGRADE") {
			t.Errorf("MTLS_UPGRADE=%s: got %v, want a configuration error", value, err)
		}
	}
}
