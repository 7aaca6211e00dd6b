package main_test

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// sidecarFields are what the application sees beyond what the client sent.
var sidecarFields = []string{"Verified", "Dn", "X-Real-Ip", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Request-Id"}

// TestAGRPCCallArrivesAsItWasSent: servers of gRPC's C core, such as Python's,
// refuse a call without te: trailers, for one.
func TestAGRPCCallArrivesAsItWasSent(t *testing.T) {
	t.Parallel()
	arrived := make(chan http.Header, 1)
	v := newVault(t)
	application := startH2C(t, func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set(":path", r.RequestURI)
		arrived <- r.Header
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", "5")
		w.Header().Set("Grpc-Message", "not%20found")
	})
	car := startGRPCSidecar(t, v, application, nil)
	args := []string{"-md", "x-a=1", "-md", "x-a=2", "-md", "x-b-bin=\x01", "-md", "authorization=Bearer abc", "probe_unary"}
	call := func(f grpcFront, as string) http.Header {
		t.Helper()
		if got := f.run(t, as, args...)["probe_unary"]; got.Code != 5 || got.Message != "not found" {
			t.Errorf("as %q: got %+v, want status 5", as, got)
		}
		return <-arrived
	}
	sent, got := call(grpcFront{addr: application}, ""), call(grpcFront{car.addr, v}, "client")
	for _, name := range []string{"Te", "Content-Type", "User-Agent", "X-B-Bin", "Authorization"} {
		if sent[name] == nil {
			t.Errorf("%s is not sent, so that this proves less than it should: %v", name, sent)
		}
	}
	for name, values := range sent {
		if !slices.Equal(got[name], values) {
			t.Errorf("%s arrived as %q, want %q", name, got[name], values)
		}
	}
	for name, values := range got {
		if sent[name] == nil && !slices.Contains(sidecarFields, name) {
			t.Errorf("%s: %q was not sent, and arrived", name, values)
		}
	}
}

// forgeries are names by which an application may know its clients, in spellings
// that metadata can have.
var forgeries = []string{"verified", "dn", "Verified", "VERIFIED", "DN", "x-real-ip", "x_real_ip", "x.real.ip"}

// TestIdentityForgedInMetadataNeverArrives also looks at trailers, which gRPC
// clients cannot send, but others can.
func TestIdentityForgedInMetadataNeverArrives(t *testing.T) {
	t.Parallel()
	w := startGRPC(t, nil)
	for as, want := range map[string]map[string][]string{
		"client": {"verified": {"SUCCESS"}, "dn": {dn("client")}, "x-real-ip": {"127.0.0.1"}},
		"":       {"verified": {"NONE"}, "x-real-ip": {"127.0.0.1"}},
	} {
		var args []string
		for _, name := range forgeries {
			args = append(args, "-md", name+"=forged")
		}
		args = append(args, "-md", "x-other=kept", "probe_unary", "probe_stream")
		before := len(w.app.calls(t, "begin", "/grpc.testing.TestService/EmptyCall"))
		w.run(t, as, args...)
		for _, call := range append(w.app.calls(t, "begin", "/grpc.testing.TestService/EmptyCall")[before:], w.app.calls(t, "begin", "/grpc.testing.TestService/FullDuplexCall")...) {
			told := map[string][]string{}
			for name, values := range call.Metadata {
				if folded := fold(name); slices.Contains([]string{"verified", "dn", "x-real-ip"}, folded) {
					told[name] = values
				}
				if slices.ContainsFunc(values, func(value string) bool { return strings.Contains(value, "forged") }) {
					t.Errorf("as %q: %s arrived as %q", as, name, values)
				}
			}
			if call.Metadata["x-other"] == nil {
				t.Errorf("as %q: other metadata did not arrive: %v", as, call.Metadata)
			}
			if strings.HasSuffix(call.Method, "EmptyCall") && !maps.EqualFunc(told, want, slices.Equal) {
				t.Errorf("as %q: the application was told %v, want %v", as, told, want)
			}
		}
	}
}

func TestIdentityForgedInTrailersNeverArrives(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	arrived := make(chan http.Header, 1)
	car := startGRPCSidecar(t, v, startH2C(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- r.Trailer
	}), nil)
	f := grpcFront{car.addr, v}
	for _, http2 := range []bool{true, false} {
		for _, kind := range []string{"application/grpc", "text/plain"} {
			r := grpcRequest(t, f.addr, "/", map[string]string{"Content-Type": kind})
			r.Trailer = http.Header{"X-Other": {"kept"}}
			for _, name := range forgeries {
				r.Trailer.Set(name, "forged")
			}
			answer, _ := rawCall(t, f.client(t, "", http2), r)
			if answer.StatusCode != 200 {
				t.Fatalf("%s, HTTP/2 %v: got %d", kind, http2, answer.StatusCode)
			}
			for name, values := range <-arrived {
				if slices.Contains([]string{"verified", "dn", "x-real-ip"}, fold(name)) && len(values) > 0 {
					t.Errorf("%s, HTTP/2 %v: the trailer %s arrived as %q", kind, http2, name, values)
				}
			}
		}
	}
}

// TestARequestsTrailersDoNotEndOtherPeoplesCalls: grpc-go takes them for a
// violation, whatever the content is, and closes the connection, on which other
// clients' calls are.
func TestARequestsTrailersDoNotEndOtherPeoplesCalls(t *testing.T) {
	t.Parallel()
	w := startGRPC(t, nil)
	other := w.hold(t, "client")
	for _, kind := range []string{"application/grpc", "text/plain"} {
		for range 5 {
			r := grpcRequest(t, w.addr, "/grpc.testing.TestService/StreamingInputCall", map[string]string{"Content-Type": kind})
			r.Trailer = http.Header{"X-Late": {"news"}}
			answer, _ := rawCall(t, w.client(t, "", true), r)
			if got := answer.Trailer.Get("Grpc-Status"); kind == "application/grpc" && got != "0" {
				t.Errorf("the call with trailers: got %d, headers %v, trailers %v", answer.StatusCode, answer.Header, answer.Trailer)
			}
			other.done(t, "ping")
		}
	}
	other.done(t, "finish")
}
