package main_test

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
	"text/template"
)

// grpcWorld is a sidecar before a gRPC server.
type grpcWorld struct {
	grpcFront
	car *sidecar
	app *grpcServer
}

// startGRPC runs both, with a certificate for "client" and whatever else the
// settings need.
func startGRPC(t *testing.T, more settings, args ...string) grpcWorld {
	t.Helper()
	app := startGRPCServer(t, args...)
	v := newVault(t)
	car := startGRPCSidecar(t, v, app.addr, more)
	return grpcWorld{grpcFront{car.addr, v}, car, app}
}

func startGRPCSidecar(t *testing.T, v *vault, application string, more settings) *sidecar {
	t.Helper()
	return startSidecar(t, v.settings("").with(settings{"MTLS_UPSTREAM_URL": "h2c://" + application}).with(more))
}

// startGRPCNginx runs nginx before the server: what it makes of a case is what
// people are used to.
func startGRPCNginx(t *testing.T, app *grpcServer) grpcFront {
	t.Helper()
	path := need(t, "nginx")
	page, err := template.ParseFiles(nginxData("grpc.conf.tmpl"))
	if err != nil {
		t.Fatal(err)
	}
	v := newVault(t)
	for range 5 { // a port that was free a moment ago may be taken by now
		port := freePorts(t, 1)[0]
		file, err := os.Create(v.path("nginx.conf"))
		if err != nil {
			t.Fatal(err)
		}
		err = page.Execute(file, map[string]any{"Dir": v.dir, "Port": port, "Application": app.addr})
		if closed := file.Close(); err != nil || closed != nil {
			t.Fatal(err, closed)
		}
		n := &nginx{addrs: map[string]string{"": "127.0.0.1:" + strconv.Itoa(port)}}
		if n.listens(start(t, "nginx", exec.Command(path, "-p", v.dir, "-c", v.path("nginx.conf")))) {
			return grpcFront{n.addrs[""], v}
		}
	}
	t.Fatal("nginx did not start")
	return grpcFront{}
}

// grpcCaseNames are the cases of the client that need nobody to talk to them.
// The first are gRPC's own (interop-test-descriptions.md).
var grpcCaseNames = []string{
	"empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
	"cancel_after_begin", "cancel_after_first_response", "timeout_on_sleeping_server", "custom_metadata",
	"status_code_and_message", "special_status_message", "unimplemented_method", "unimplemented_service",

	"deadline_told", "deadline_absent", "deadline_passes", "server_ends_stream", "server_ends_upload",
	"trailers_only", "client_cancels_upload", "metadata_binary", "metadata_text", "metadata_names", "metadata_large",
	"huge_messages", "odd_messages", "concurrent_large", "many_streams", "compressed_unary", "compressed_streaming",
	"slow_reader_of_a_lot", "half_closed_and_waits", "health_check", "health_watch", "reflection_list",
}

// passes runs all cases; except are those that may fail, with the reason.
func (f grpcFront) passes(t *testing.T, as string, except map[string]string) {
	t.Helper()
	all := f.run(t, as)
	for _, name := range grpcCaseNames {
		switch became, ran := all[name]; {
		case !ran:
			t.Errorf("%s: the client has no such case", name)
		case except[name] == "" && !became.OK:
			t.Errorf("%s: %s", name, became.Error)
		}
	}
	if len(all) != len(grpcCaseNames) {
		t.Errorf("the client ran %d cases, of which only %d are listed here", len(all), len(grpcCaseNames))
	}
}

// heard checks what the server saw of the cases that end early, and of compression.
func (s *grpcServer) heard(t *testing.T) {
	t.Helper()
	for _, method := range []string{
		"/sidecar.Witness/Wait",                        // deadline_passes
		"/grpc.testing.TestService/FullDuplexCall",     // cancel_after_first_response
		"/grpc.testing.TestService/StreamingInputCall", // client_cancels_upload
		"/grpc.health.v1.Health/Watch",
	} {
		s.endedEarly(t, method)
	}
	s.expect(t, `"event":"begin"`, `"method":"/sidecar.Witness/Echo"`, `"compression":"gzip"`)
	s.expect(t, `"event":"begin"`, `"method":"/grpc.testing.TestService/FullDuplexCall"`, `"compression":"gzip"`)
}

func TestGRPCCasesPassWithNothingBetween(t *testing.T) {
	t.Parallel()
	app := startGRPCServer(t)
	grpcFront{addr: app.addr}.passes(t, "", nil)
	app.heard(t)
}

func TestGRPCCasesPassBehindNginx(t *testing.T) {
	t.Parallel()
	app := startGRPCServer(t)
	startGRPCNginx(t, app).passes(t, "client", map[string]string{
		"metadata_names": "nginx ignores fields with a dot or an underscore in their names (ignore_invalid_headers, underscores_in_headers)",
		// A server that is the first to notice the end of a deadline may reset the
		// stream, as grpc-go does, which nginx tells as 502.
		"timeout_on_sleeping_server": "nginx tells the end of a deadline as UNAVAILABLE",
		"deadline_passes":            "nginx tells the end of a deadline as UNAVAILABLE",
	})
	app.heard(t)
}

func TestGRPCCasesPass(t *testing.T) {
	t.Parallel()
	w := startGRPC(t, nil)
	t.Run("WithACertificate", func(t *testing.T) {
		w.passes(t, "client", nil)
		w.app.heard(t)
	})
	t.Run("Without", func(t *testing.T) { w.passes(t, "", nil) })
}

// TestMoreCallsThanTheApplicationsConnectionTakes: the sidecar opens others.
func TestMoreCallsThanTheApplicationsConnectionTakes(t *testing.T) {
	t.Parallel()
	w := startGRPC(t, nil, "-max-streams", "30")
	for name, became := range w.run(t, "client", "many_streams", "concurrent_large", "ping_pong") {
		if !became.OK {
			t.Errorf("%s: %s", name, became.Error)
		}
	}
}
