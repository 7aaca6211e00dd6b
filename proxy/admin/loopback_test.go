package admin

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

func tcp(t *testing.T, address string) net.Addr {
	t.Helper()
	addr, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func TestOnlyPeersOnTheSameMachineSeeWhatIsInside(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bound, local, remote string
		inside               bool
	}{
		"Loopback":                     {":9902", "127.0.0.1:9902", "127.0.0.1:5000", true},
		"Loopback of IPv6":             {":9902", "[::1]:9902", "[::1]:5000", true},
		"Loopback mapped into IPv6":    {"[::]:9902", "[::ffff:127.0.0.1]:9902", "[::ffff:127.0.0.1]:5000", true},
		"Another loopback":             {":9902", "127.0.0.2:9902", "127.0.0.1:5000", true},
		"From afar":                    {":9902", "10.1.2.3:9902", "10.1.2.4:5000", false},
		"From afar by IPv6":            {":9902", "[fd00::1]:9902", "[fd00::2]:5000", false},
		"Istio's proxy in the pod":     {":9902", "10.1.2.3:9902", "127.0.0.6:5000", false},
		"Linkerd's proxy in the pod":   {":9902", "10.1.2.3:9902", "10.1.2.3:5000", false},
		"Loopback sent from afar":      {":9902", "127.0.0.1:9902", "10.1.2.4:5000", false},
		"The one address that is ours": {"10.1.2.3:9902", "10.1.2.3:9902", "10.1.2.3:5000", true},
		"Ours, mapped into IPv6":       {"10.1.2.3:9902", "10.1.2.3:9902", "[::ffff:10.1.2.3]:5000", true},
		"Another on the same network":  {"10.1.2.3:9902", "10.1.2.3:9902", "10.1.2.30:5000", false},
		"Link-local":                   {"[fe80::1]:9902", "[fe80::1]:9902", "[fe80::1%eth0]:5000", true},
		"Nobody knows":                 {":9902", "127.0.0.1:9902", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(Options{})
			bound := tcp(t, c.bound)
			s.bound.Store(&bound)
			r := httptest.NewRequest(http.MethodGet, "http://localhost:9902/", nil)
			r.RemoteAddr = c.remote
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, tcp(t, c.local)))
			err := s.outside(r)
			if (err == nil) != c.inside {
				t.Errorf("got %v, want inside %v", err, c.inside)
			}
			if err != nil && !strings.Contains(err.Error(), "kubectl port-forward POD 9902, then open http://localhost:9902/") {
				t.Errorf("%q does not say how to get there", err)
			}
		})
	}
}

func TestBrowsersDoNotActForOtherWebsites(t *testing.T) {
	t.Parallel()
	s := start(t, everything())
	port := s.addr[strings.LastIndex(s.addr, ":"):]
	for name, c := range map[string]struct {
		head   []string
		inside bool
	}{
		"Typed":                             {[]string{"Sec-Fetch-Site", "none"}, true},
		"From the page itself":              {[]string{"Sec-Fetch-Site", "same-origin", "Host", "localhost" + port, "Origin", "http://localhost" + port}, true},
		"curl":                              {nil, true},
		"Port-forwarded elsewhere":          {[]string{"Host", "localhost:18000"}, true},
		"Upper case":                        {[]string{"Host", "LOCALHOST"}, true},
		"By address":                        {[]string{"Host", "10.1.2.3"}, true},
		"By IPv6 address":                   {[]string{"Host", "[::1]:9902"}, true},
		"By IPv6 address alone":             {[]string{"Host", "[::1]"}, true},
		"A name that resolves here":         {[]string{"Host", "evil.example" + port}, false},
		"A name that looks local":           {[]string{"Host", "localhost.evil.example"}, false},
		"A name that looks like an address": {[]string{"Host", "127.0.0.1.evil.example"}, false},
		"A link elsewhere":                  {[]string{"Sec-Fetch-Site", "cross-site"}, false},
		"A neighbour's link":                {[]string{"Sec-Fetch-Site", "same-site"}, false},
		"Two":                               {[]string{"Sec-Fetch-Site", "none", "Sec-Fetch-Site", "cross-site"}, false},
		"A script elsewhere":                {[]string{"Origin", "http://evil.example"}, false},
		"A script in a sandbox":             {[]string{"Origin", "null"}, false},
		"A script on another port":          {[]string{"Host", "localhost" + port, "Origin", "http://localhost:1"}, false},
		"A script over TLS":                 {[]string{"Host", "localhost" + port, "Origin", "https://localhost" + port}, false},
		"A proxy":                           {[]string{"X-Forwarded-For", "127.0.0.1"}, false},
		"An RFC 7239 proxy":                 {[]string{"Forwarded", "for=127.0.0.1"}, false},
		"A gateway":                         {[]string{"Via", "1.1 gate"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			want := http.StatusForbidden
			if c.inside {
				want = http.StatusOK
			}
			for _, path := range []string{"/", "/status.json", "/log-level"} {
				if answer := s.request(t, http.MethodGet, path, "", c.head...); answer.status != want {
					t.Errorf("GET %s: got %d %s, want %d", path, answer.status, answer.body, want)
				}
			}
			if answer := s.request(t, http.MethodPost, "/drain", "", append(c.head, "Mtls-Sidecar", "drain")...); answer.status != want {
				t.Errorf("POST /drain: got %d %s, want %d", answer.status, answer.body, want)
			}
			if answer := s.request(t, http.MethodPut, "/log-level?level=info", "", c.head...); answer.status != want {
				t.Errorf("PUT /log-level: got %d %s, want %d", answer.status, answer.body, want)
			}
			// What is for everybody is so for these, too.
			s.request(t, http.MethodGet, "/readyz", "", c.head...).expect(t, 200, "ready")
		})
	}
}

func TestPeersOnAUnixSocketAreInside(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "admin.sock")
	startOn(t, New(everything()), "unix", path)
	for request, want := range map[string]int{
		"GET /log-level HTTP/1.1\r\nHost: localhost\r\n":    200,
		"GET /log-level HTTP/1.1\r\nHost:\r\n":              200,
		"GET /log-level HTTP/1.0\r\n":                       200,
		"GET /log-level HTTP/1.1\r\nHost: evil.example\r\n": 403,
	} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if status, body := exchange(t, conn, request+"Connection: close\r\n\r\n"); status != want {
			t.Errorf("%q: got %d %s, want %d", request, status, body, want)
		}
		conn.Close()
	}
}

func TestOverTCPTheHostIsNeeded(t *testing.T) {
	t.Parallel()
	s := start(t, everything())
	for _, request := range []string{"GET /log-level HTTP/1.0\r\n\r\n", "GET /log-level HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n"} {
		if status, body := raw(t, s.addr, request); status != 403 {
			t.Errorf("%q: got %d %s, want 403", request, status, body)
		}
	}
}
