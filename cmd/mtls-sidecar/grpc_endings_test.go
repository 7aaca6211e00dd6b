package main_test

import (
	"syscall"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// Calls that are under way when something around them ends.

func TestOldConnectionsEndWithoutALostCall(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]struct {
		settings settings
		args     []string
	}{
		"OfClients":        {settings{"MTLS_MAX_CONNECTION_AGE": "100ms"}, nil},
		"OfTheApplication": {settings{"MTLS_MAX_CONNECTION_AGE": "100ms"}, []string{"-max-connection-age", "50ms"}},
		"AndOfFewStreams":  {settings{"MTLS_MAX_CONNECTION_AGE": "100ms", "MTLS_HTTP2_MAX_STREAMS": "5"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := startGRPC(t, end.settings, end.args...)
			if got := w.run(t, "client", "ages")["ages"]; !got.OK {
				t.Errorf("a call noticed: %s", got.Error)
			}
		})
	}
}

// TestRunningGRPCStreamsOutliveSIGTERM: the sidecar waits for them.
func TestRunningGRPCStreamsOutliveSIGTERM(t *testing.T) {
	t.Parallel()
	w := startGRPC(t, settings{"MTLS_DRAIN_TIMEOUT": "1h"})
	streams := []*grpcHeld{w.hold(t, "client"), w.hold(t, "")}
	if err := w.car.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	w.car.expect(t, `"msg":"stopping"`)
	for _, h := range streams {
		for range 3 {
			h.done(t, "ping")
		}
		h.done(t, "finish")
	}
	if code := w.car.wait(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestAStreamThatOutlastsTheDrainIsToldSo: it is cut, and its client knows.
func TestAStreamThatOutlastsTheDrainIsToldSo(t *testing.T) {
	t.Parallel()
	w := startGRPC(t, settings{"MTLS_DRAIN_TIMEOUT": "100ms"})
	h := w.hold(t, "client")
	if err := w.car.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if said := h.do(t, "await"); said.Code == grpcOK {
		t.Errorf("the stream ended with %+v, as if it were whole", said)
	}
	w.app.endedEarly(t, "/grpc.testing.TestService/FullDuplexCall")
	w.car.wait(t)
}

// TestARevocationCutsRunningGRPCStreams: and the next call is refused, on
// whatever connection it comes.
func TestARevocationCutsRunningGRPCStreams(t *testing.T) {
	t.Parallel()
	app := startGRPCServer(t)
	v := newVault(t)
	leaver := v.issue("leaver", pki.Options{})
	v.revokes(1)
	car := startGRPCSidecar(t, v, app.addr, settings{"MTLS_CRL": v.path("ca.crl")})
	f := grpcFront{car.addr, v}
	cut, open, colleague := f.hold(t, "leaver"), f.hold(t, "leaver"), f.hold(t, "client")
	v.revokes(2, leaver.Leaf)
	car.hup(t)
	if said := cut.do(t, "await"); said.Code == grpcOK {
		t.Errorf("the leaver's stream ended with %+v, as if it were whole", said)
	}
	app.endedEarly(t, "/grpc.testing.TestService/FullDuplexCall")
	if said := open.do(t, "call"); said.Code != grpcUnauthenticated {
		t.Errorf("the leaver's next call: %+v, want status %d", said, grpcUnauthenticated)
	}
	colleague.done(t, "ping")
	colleague.done(t, "call")
	colleague.done(t, "finish")
}

// TestAnApplicationThatDiesEndsItsCalls: with UNAVAILABLE or another status, but
// never as if they were whole; and a new one is used when it is there.
func TestAnApplicationThatDiesEndsItsCalls(t *testing.T) {
	t.Parallel()
	// An address whose ports nobody else takes in the meantime.
	w := startGRPC(t, nil, "-addr", "127.0.0.77:0")
	h := w.hold(t, "client")
	if err := w.app.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	w.app.wait(t)
	if said := h.do(t, "call"); said.Code != grpcUnavailable {
		t.Errorf("a call to nobody: %+v, want status %d", said, grpcUnavailable)
	}
	startGRPCServer(t, "-addr", w.app.addr)
	h.done(t, "call")
	if said := h.do(t, "await"); said.Code == grpcOK {
		t.Errorf("the stream of the dead ended with %+v, as if it were whole", said)
	}
}

// TestOneClientsCallsDoNotWaitForAnothers: all of them share connections to the application.
func TestOneClientsCallsDoNotWaitForAnothers(t *testing.T) {
	t.Parallel()
	w := startGRPC(t, nil)
	var streams []*grpcHeld
	for range 3 {
		streams = append(streams, w.hold(t, "client"))
	}
	for i, outcome := range []map[string]grpcOutcome{w.run(t, "client", "many_streams", "concurrent_large"), w.run(t, "", "many_streams", "slow_reader_of_a_lot")} {
		for name, became := range outcome {
			if !became.OK {
				t.Errorf("client %d: %s: %s", i, name, became.Error)
			}
		}
	}
	for _, h := range streams {
		h.done(t, "ping")
		h.done(t, "finish")
	}
}

// TestAStreamLivesWhileOneSideTalks: no timeout counts for one side of a stream
// alone. The pauses are far shorter than the timeouts, all together are longer.
func TestAStreamLivesWhileOneSideTalks(t *testing.T) {
	t.Parallel()
	w := startGRPC(t, settings{"MTLS_BODY_TIMEOUT": "2s", "MTLS_UPSTREAM_TIMEOUT": "2s"})
	for _, name := range []string{"server_talks_alone", "client_talks_alone"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if became := w.run(t, "client", name)[name]; !became.OK {
				t.Error(became.Error)
			}
		})
	}
}

// TestCancelledCallsAreNotBlamedOnTheApplication: clients cancel all the time,
// and nobody wants to read of it.
func TestCancelledCallsAreNotBlamedOnTheApplication(t *testing.T) {
	t.Parallel()
	w := startGRPC(t, nil)
	w.run(t, "client", "cancel_after_begin", "cancel_after_first_response", "client_cancels_upload", "health_watch")
	w.app.endedEarly(t, "/grpc.health.v1.Health/Watch")
	w.car.stop(t)
	if n := w.car.said(`"level":"warn"`) + w.car.said(`"level":"error"`); n > 0 {
		t.Errorf("%d warnings:\n%s", n, w.car.tail(20))
	}
}
