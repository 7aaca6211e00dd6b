package main_test

import (
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// gRPC's status codes (https://grpc.io/docs/guides/status-codes/).
const (
	grpcOK                = 0
	grpcPermissionDenied  = 7
	grpcResourceExhausted = 8
	grpcUnavailable       = 14
	grpcUnauthenticated   = 16
)

// clients issues certificates of every kind and has the settings refuse one of them.
func (v *vault) clients() settings {
	v.t.Helper()
	v.issue("expired", pki.Options{NotBefore: days(-20), NotAfter: days(-10)})
	revoked := v.issue("revoked", pki.Options{})
	stranger, err := pki.NewRoot(pki.Options{Subject: named("Nobody's CA")})
	if err != nil {
		v.t.Fatal(err)
	}
	v.issueFrom(stranger, "stranger", pki.Options{})
	v.revokes(1, revoked.Leaf)
	return settings{"MTLS_CRL": v.path("ca.crl")}
}

// revokes writes the CA's next list.
func (v *vault) revokes(number int64, certificates ...*x509.Certificate) {
	v.t.Helper()
	list, err := v.ca.CRL(number, certificates...)
	if err != nil {
		v.t.Fatal(err)
	}
	write(v.t, v.path("ca.crl"), string(list))
}

// grpcRefusal is what one client meets under some settings.
type grpcRefusal struct {
	as     string
	probe  string
	code   int
	says   string // is part of the message; the application answers when empty
	toldDN string
}

func (r grpcRefusal) check(t *testing.T, f grpcFront) {
	t.Helper()
	got := f.run(t, r.as, r.probe)[r.probe]
	if got.Code != r.code || !strings.Contains(got.Message, r.says) || (r.says == "") != (got.Message == "") {
		t.Errorf("%s as %q: got status %d %q, want %d and %q", r.probe, r.as, got.Code, got.Message, r.code, r.says)
	}
	var verified, dns []string
	if r.code == grpcOK && (r.probe == "probe_unary" || r.probe == "probe_stream") {
		verified = []string{"NONE"}
		if r.toldDN != "" {
			verified, dns = []string{"SUCCESS"}, []string{r.toldDN}
		}
	}
	if !slices.Equal(got.Verified, verified) || !slices.Equal(got.DN, dns) {
		t.Errorf("%s as %q: the application was told %q %q, want %q %q", r.probe, r.as, got.Verified, got.DN, verified, dns)
	}
}

// TestGRPCClientsAreToldWithAStatus: where an HTTP client gets 400 for its
// certificate, a gRPC one gets UNAUTHENTICATED, and PERMISSION_DENIED for 403.
func TestGRPCClientsAreToldWithAStatus(t *testing.T) {
	t.Parallel()
	app := startGRPCServer(t)
	v := newVault(t)
	lists := v.clients()
	for name, world := range map[string]struct {
		settings settings
		meets    []grpcRefusal
	}{
		"Optional": {nil, []grpcRefusal{
			{"client", "probe_unary", grpcOK, "", dn("client")},
			{"client", "probe_stream", grpcOK, "", dn("client")},
			{"", "probe_unary", grpcOK, "", ""},
			{"", "probe_stream", grpcOK, "", ""},
			{"expired", "probe_unary", grpcUnauthenticated, "expired", ""},
			{"expired", "probe_stream", grpcUnauthenticated, "expired", ""},
			{"expired", "probe_upload", grpcUnauthenticated, "expired", ""},
			{"expired", "probe_large_message", grpcUnauthenticated, "expired", ""},
			{"revoked", "probe_unary", grpcUnauthenticated, "revoked", ""},
			{"revoked", "probe_stream", grpcUnauthenticated, "revoked", ""},
			{"stranger", "probe_unary", grpcUnauthenticated, "issued by a CA", ""},
		}},
		"On": {settings{"MTLS_VERIFY_CLIENT": "on"}, []grpcRefusal{
			{"client", "probe_unary", grpcOK, "", dn("client")},
			{"", "probe_unary", grpcUnauthenticated, "certificate", ""},
			{"", "probe_upload", grpcUnauthenticated, "certificate", ""},
			{"expired", "probe_unary", grpcUnauthenticated, "expired", ""},
		}},
		"Routes": {settings{"MTLS_ROUTES": "/grpc.testing.TestService/=require /=optional"}, []grpcRefusal{
			{"client", "probe_unary", grpcOK, "", dn("client")},
			{"client", "probe_large_message", grpcOK, "", ""}, // a method of another service
			{"", "probe_large_message", grpcOK, "", ""},
			{"", "probe_unary", grpcPermissionDenied, "certificate", ""},
			{"", "probe_stream", grpcPermissionDenied, "certificate", ""},
			{"", "probe_upload", grpcPermissionDenied, "certificate", ""},
			{"expired", "probe_unary", grpcPermissionDenied, "expired", ""},
			{"revoked", "probe_unary", grpcPermissionDenied, "revoked", ""},
			{"revoked", "probe_large_message", grpcUnauthenticated, "revoked", ""},
		}},
		"Limits": {settings{"MTLS_MAX_BODY_BYTES": "256KiB"}, []grpcRefusal{
			{"client", "probe_unary", grpcOK, "", dn("client")},
			{"client", "probe_upload", grpcResourceExhausted, "larger", ""},
			{"client", "probe_large_message", grpcResourceExhausted, "larger", ""},
			{"client", "probe_large_metadata", grpcResourceExhausted, "large", ""},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			car := startGRPCSidecar(t, v, app.addr, lists.with(world.settings))
			for _, r := range world.meets {
				r.check(t, grpcFront{car.addr, v})
			}
		})
	}
}

// TestGRPCClientsAreToldOfTheApplication: what is 502 or 504 for others is UNAVAILABLE.
func TestGRPCClientsAreToldOfTheApplication(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	nobody := freePorts(t, 1)[0]
	old := httptest.NewServer(http.NotFoundHandler()) // HTTP/1.1 alone
	t.Cleanup(old.Close)
	for name, world := range map[string]struct {
		application, says string
		settings          settings
	}{
		"NobodyThere":   {(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: nobody}).String(), "application", nil},
		"SpeaksHTTP1":   {old.Listener.Addr().String(), "application", nil},
		"SaysNothing":   {silence(t), "application", settings{"MTLS_UPSTREAM_TIMEOUT": "200ms"}},
		"ClosesAtOnce":  {hangsUp(t), "application", nil},
		"SpeaksNothing": {babbles(t), "application", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			car := startGRPCSidecar(t, v, world.application, world.settings)
			for _, probe := range []string{"probe_unary", "probe_stream", "probe_upload"} {
				grpcRefusal{"client", probe, grpcUnavailable, world.says, ""}.check(t, grpcFront{car.addr, v})
			}
		})
	}
}

// listens gives each connection to do, until the test ends, and returns the address.
func listens(t *testing.T, do func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				do(conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// silence reads all and answers nothing.
func silence(t *testing.T) string {
	return listens(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
}

func hangsUp(t *testing.T) string { return listens(t, func(net.Conn) {}) }

func babbles(t *testing.T) string {
	return listens(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, strings.Repeat("220 ready when you are\r\n", 10))
		_, _ = io.Copy(io.Discard, conn)
	})
}

// TestGRPCClientsAreRefusedInTheHandshakeWhereAsked: then there is nobody to tell a status.
func TestGRPCClientsAreRefusedInTheHandshakeWhereAsked(t *testing.T) {
	t.Parallel()
	app := startGRPCServer(t)
	v := newVault(t)
	car := startGRPCSidecar(t, v, app.addr, v.clients().with(settings{"MTLS_REJECT_WITH": "alert"}))
	f := grpcFront{car.addr, v}
	grpcRefusal{"client", "probe_unary", grpcOK, "", dn("client")}.check(t, f)
	// The alert, or that nothing can be written any more, whichever grpc-go meets first.
	for _, as := range []string{"expired", "revoked"} {
		if got := f.run(t, as, "probe_unary")["probe_unary"]; got.Code != grpcUnavailable || got.Verified != nil {
			t.Errorf("as %s: got %+v, want status %d", as, got, grpcUnavailable)
		}
	}
	if calls := len(app.calls(t, "begin", "/grpc.testing.TestService/EmptyCall")); calls != 1 {
		t.Errorf("the application saw %d calls, want that of the believed client alone", calls)
	}
}
