package proxy

import (
	"net"
	"strings"
	"testing"
)

func TestWhereToListenIsAnAddressOrASocket(t *testing.T) {
	for text, want := range map[string][2]string{
		":8443":                        {"tcp", ":8443"},
		"[::]:8443":                    {"tcp", "[::]:8443"},
		"[::1]:8443":                   {"tcp", "[::1]:8443"},
		"[fe80::1%eth0]:8443":          {"tcp", "[fe80::1%eth0]:8443"},
		"localhost:8443":               {"tcp", "localhost:8443"},
		"0.0.0.0:8443":                 {"tcp4", "0.0.0.0:8443"}, // net.Listen would take it for both families
		"192.0.2.1:0":                  {"tcp4", "192.0.2.1:0"},
		"[::ffff:192.0.2.1]:8443":      {"tcp4", "[::ffff:192.0.2.1]:8443"},
		"unix:///run/tls.sock":         {"unix", "/run/tls.sock"},
		"unix:///run/a%20b/c:8443":     {"unix", "/run/a b/c:8443"},
		"unix:///" + pathOf(107)[1:]:   {"unix", pathOf(107)},
		"unix:///run/tls.sock/@":       {"unix", "/run/tls.sock/@"},
		"unix:///run/../run/./tls.soc": {"unix", "/run/../run/./tls.soc"},
	} {
		c := environment(t, "MTLS_LISTEN_ADDR="+text)
		network, address := c.ListenAddr.network()
		if got := [2]string{network, address}; got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func pathOf(n int) string { return "/" + strings.Repeat("p", n-1) }

func TestWhereNobodyCanListenIsRefused(t *testing.T) {
	for text, problem := range map[string]string{
		"8443": "IP:port", "example.org:8443": "IP:port", "::1:8443": "IP:port", "[::1]": "IP:port", "[::1]:65536": "IP:port", ":https": "IP:port", ":-1": "IP:port",
		"http://127.0.0.1:8443": "IP:port", "tcp://:8443": "IP:port", "/run/tls.sock": "unix:///path", "unix": "unix:///path",
		"unix:": "three slashes", "unix://": "three slashes", "unix:///": "three slashes", "unix:/run/": "three slashes",
		"unix://run/tls.sock": "three slashes", "unix:run/tls.sock": "three slashes", "unix:///run/": "three slashes",
		"unix:///run/tls.sock?mode=0600": "three slashes", "unix:///run/tls.sock#a": "three slashes", "unix:///run/%00": "three slashes", "unix:///run/%zz": "three slashes",
		"unix://user@/run/tls.sock": "three slashes",
		"unix:@tls":                 "abstract", "unix://@tls": "abstract", "unix:///@tls": "abstract",
		"unix://" + pathOf(108): "at most 107",
	} {
		found := configFaults(t, "MTLS_LISTEN_ADDR="+text)
		if len(found) != 1 || found[0].Variable != "MTLS_LISTEN_ADDR" || found[0].Value != text && !strings.Contains(text, "@") || !strings.Contains(found[0].Problem, problem) {
			t.Errorf("%s: got %v, want one fault that says %q", text, found, problem)
		}
	}
}

func TestTheApplicationsAddressIsReadAndWrittenAlike(t *testing.T) {
	for text, want := range map[string]UpstreamURL{
		"http://127.0.0.1:8080": {Network: "tcp", Address: "127.0.0.1:8080"},
		"http://[::1]:8080":     {Network: "tcp", Address: "[::1]:8080"},
		"http://localhost:80":   {Network: "tcp", Address: "localhost:80"},
		"h2c://127.0.0.1:50051": {Network: "tcp", Address: "127.0.0.1:50051", H2C: true},
		"h2c://[::1]:50051":     {Network: "tcp", Address: "[::1]:50051", H2C: true},
		"unix:///run/app.sock":  {Network: "unix", Address: "/run/app.sock"},
	} {
		got := environment(t, "MTLS_UPSTREAM_URL="+text).UpstreamURL
		if got != want || got.String() != text {
			t.Errorf("%s: got %+v, written %s", text, got, got)
		}
	}
	if got := environment(t, "MTLS_UPSTREAM_URL=h2c://127.0.0.1/").UpstreamURL.String(); got != "h2c://127.0.0.1:80" {
		t.Errorf("without a port: got %s", got)
	}
	for text, problem := range map[string]string{
		"h2c://": "h2c://host:port", "h2c:///run/app.sock": "h2c://host:port", "h2c+unix:///run/app.sock": "h2c://host:port", "h2://127.0.0.1:1": "h2c://host:port",
		"grpc://127.0.0.1:50051": "h2c://host:port", "h2c://127.0.0.1:50051/service": "h2c://host:port", "h2c://127.0.0.1:0": "h2c://host:port", "h2c://127.0.0.1:65536": "h2c://host:port",
		"h2c://192.0.2.1:50051": "MTLS_UPSTREAM_ALLOW_REMOTE", "h2c://app.example:50051": "MTLS_UPSTREAM_ALLOW_REMOTE",
		"unix://run/app.sock": "unix:///path", "unix://@app": "abstract", "unix://" + pathOf(108): "at most 107",
	} {
		found := configFaults(t, "MTLS_UPSTREAM_URL="+text)
		if len(found) != 1 || found[0].Variable != "MTLS_UPSTREAM_URL" || !strings.Contains(found[0].Problem, problem) {
			t.Errorf("%s: got %v, want one fault that says %q", text, found, problem)
		}
	}
	environment(t, "MTLS_UPSTREAM_URL=h2c://192.0.2.1:50051", "MTLS_UPSTREAM_ALLOW_REMOTE=true")
}

func TestTheSidecarIsNotItsOwnApplication(t *testing.T) {
	for _, test := range []struct {
		listen, upstream string
		self             bool
	}{
		{":8443", "http://127.0.0.1:8443", true}, {":8443", "http://[::1]:8443", true}, {":8443", "h2c://localhost:8443", true},
		{"[::]:8443", "http://127.0.0.1:8443", true}, {"0.0.0.0:8443", "http://127.0.0.1:8443", true}, {"0.0.0.0:8443", "http://localhost:8443", true},
		{"127.0.0.1:8443", "http://127.0.0.1:8443", true}, {"127.0.0.1:8443", "http://[::ffff:127.0.0.1]:8443", true}, {"127.0.0.1:8443", "http://LOCALHOST:8443", true},
		{"localhost:8443", "http://127.0.0.1:8443", true}, {"localhost:8443", "http://localhost:8443", true}, {"192.0.2.1:8443", "http://192.0.2.1:8443", true},
		{"unix:///run/a.sock", "unix:///run/a.sock", true}, {"unix:///run/a.sock", "unix:///run/./a.sock", true},

		{"0.0.0.0:8443", "http://[::1]:8443", false}, {"[::1]:8443", "http://127.0.0.1:8443", false}, {"127.0.0.1:8443", "http://127.0.0.2:8443", false},
		{":8443", "http://127.0.0.1:8080", false}, {":8443", "http://192.0.2.1:8443", false}, {":8443", "http://app.example:8443", false}, {"192.0.2.1:8443", "http://localhost:8443", false},
		{"unix:///run/a.sock", "unix:///run/b.sock", false}, {"unix:///run/a.sock", "http://127.0.0.1:8443", false}, {":8443", "unix:///run/a.sock", false},
	} {
		_, err := Environment([]string{"MTLS_LISTEN_ADDR=" + test.listen, "MTLS_UPSTREAM_URL=" + test.upstream, "MTLS_UPSTREAM_ALLOW_REMOTE=true"})
		if got := err != nil && strings.Contains(err.Error(), "MTLS_UPSTREAM_URL") && strings.Contains(err.Error(), "the sidecar itself"); got != test.self || (err != nil) != test.self {
			t.Errorf("%s before %s: got %v", test.listen, test.upstream, err)
		}
	}
}

func TestRangesThatCanNeverCountAreRefused(t *testing.T) {
	for _, test := range []struct {
		listen, from string
		fault        bool
	}{
		{":8443", "unix", true}, {"unix:///run/a.sock", "10.0.0.0/8", true},
		{":8443", "10.0.0.0/8", false}, {":8443", "unix,10.0.0.0/8", false}, {"unix:///run/a.sock", "unix", false}, {"unix:///run/a.sock", "10.0.0.0/8,unix", false},
		{":8443", "", false}, {"unix:///run/a.sock", "", false},
	} {
		_, err := Environment([]string{"MTLS_LISTEN_ADDR=" + test.listen, "MTLS_PROXY_PROTOCOL_FROM=" + test.from})
		if (err != nil) != test.fault || err != nil && !strings.Contains(err.Error(), `MTLS_PROXY_PROTOCOL_FROM="`+test.from+`"`) {
			t.Errorf("%s on %s: got %v", test.from, test.listen, err)
		}
	}
	for from, want := range map[string]int{"": 0, "10.0.0.0/8,fd00::/8": 0, "0.0.0.0/0": 1, "10.0.0.0/8,::/0": 1, "0.0.0.0/0,::/0": 1} {
		if got := environment(t, "MTLS_PROXY_PROTOCOL_FROM="+from).warnings(); len(got) != want || want > 0 && !strings.Contains(got[0], "MTLS_PROXY_PROTOCOL_FROM") {
			t.Errorf("%s: got the warnings %q, want %d", from, got, want)
		}
	}
}

func TestRangesAreAddressesRangesAndUnixSockets(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.0/8": "10.0.0.0/8", " 192.0.2.7 , fd00::/8,unix": "192.0.2.7/32,fd00::/8,unix", "::1": "::1/128", "0.0.0.0/0": "0.0.0.0/0",
	} {
		var r Ranges
		if err := r.UnmarshalText([]byte(text)); err != nil || r.String() != want {
			t.Errorf("%s: got %s and %v, want %s", text, r, err, want)
		}
	}
	for _, text := range []string{"10.0.0.1/8", "10.0.0.0/33", "10.0.0", "example.org", "10.0.0.0-10.0.0.9", "*", "::ffff:10.0.0.0/104", "::ffff:10.0.0.1", "fe80::1%eth0", "fe80::/10%eth0", "unix:", "/run/a.sock", ","} {
		var r Ranges
		if err := r.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%s: got %s, want an error", text, r)
		}
	}
	var r Ranges
	if err := r.UnmarshalText([]byte("10.0.0.0/8,fe80::/10,unix")); err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[net.Addr]bool{
		&net.TCPAddr{IP: net.IPv4(10, 1, 2, 3)}: true, &net.TCPAddr{IP: net.IP{10, 1, 2, 3}}: true, &net.TCPAddr{IP: net.IPv4(11, 1, 2, 3)}: false,
		&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0"}: true, &net.TCPAddr{IP: net.ParseIP("2001:db8::1")}: false, &net.UnixAddr{Net: "unix"}: true,
	} {
		if got := r.has(addr); got != want {
			t.Errorf("%v: got %t", addr, got)
		}
	}
}

func TestNumbersAndSwitchesOfHTTP2AreChecked(t *testing.T) {
	for _, test := range []struct{ entries, variable, problem string }{
		{"MTLS_HTTP2_MAX_STREAMS=0", "MTLS_HTTP2_MAX_STREAMS", "1 to 10000"},
		{"MTLS_HTTP2_MAX_STREAMS=10001", "MTLS_HTTP2_MAX_STREAMS", "1 to 10000"},
		{"MTLS_HTTP2_MAX_STREAMS=100 MTLS_HTTP2=false", "MTLS_HTTP2_MAX_STREAMS", "MTLS_HTTP2=false"},
		{"MTLS_UPGRADE=websocket MTLS_UPSTREAM_URL=h2c://127.0.0.1:8080", "MTLS_UPGRADE", "h2c://"},
		{"MTLS_MAX_CONNECTION_AGE=-1s", "MTLS_MAX_CONNECTION_AGE", "unit"},
		{"MTLS_HTTP2_MAX_STREAMS=1", "", ""}, {"MTLS_HTTP2_MAX_STREAMS=10000", "", ""}, {"MTLS_HTTP2=false", "", ""},
		{"MTLS_UPSTREAM_URL=h2c://127.0.0.1:8080", "", ""}, {"MTLS_UPGRADE=none MTLS_UPSTREAM_URL=h2c://127.0.0.1:8080", "", ""},
		{"MTLS_MAX_CONNECTION_AGE=0", "", ""}, {"MTLS_MAX_CONNECTION_AGE=0s", "", ""},
	} {
		entries := strings.Fields(test.entries)
		if test.problem == "" {
			environment(t, entries...)
			continue
		}
		found := configFaults(t, entries...)
		if len(found) != 1 || found[0].Variable != test.variable || !strings.Contains(found[0].Problem, test.problem) {
			t.Errorf("%s: got %v, want one fault of %s that says %q", test.entries, found, test.variable, test.problem)
		}
	}
}
