package main_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// startH2C runs an HTTP application that speaks cleartext HTTP/2 and nothing else.
func startH2C(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// echoing answers with what it was asked, and with a trailer.
func echoing(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is told by the stream's end
	}
	w.Header().Set("Trailer", "Checked")
	w.(http.Flusher).Flush() // else there is a Content-Length, and with it HTTP/1.1 has no trailers
	fmt.Fprintf(w, "%s %s %s %s %q %q %q", r.Proto, r.Method, r.Host, r.RequestURI, r.Header["Verified"], r.Header["Dn"], body)
	w.Header().Set("Checked", "yes")
}

func TestPlainClientsOfAnH2CApplicationWork(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	car := startGRPCSidecar(t, v, startH2C(t, echoing), nil)
	f := grpcFront{car.addr, v}
	target := "/a/b?c=%41&d"
	saw := func(method, host, body string) string {
		return fmt.Sprintf("HTTP/2.0 %s %s %s %q %q %q", method, host, target, []string{"SUCCESS"}, []string{dn("client")}, body)
	}
	for _, over := range []struct {
		flag  string
		http2 bool
	}{{"--http1.1", false}, {"--http2", true}} {
		t.Run(strings.Trim(over.flag, "-"), func(t *testing.T) {
			for method, body := range map[string]string{"GET": "", "POST": "the body", "PUT": strings.Repeat("a", 100000)} {
				r, err := http.NewRequestWithContext(t.Context(), method, "https://"+f.addr+target, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				answer, got := rawCall(t, f.client(t, "client", over.http2), r)
				if want := saw(method, f.addr, body); answer.StatusCode != 200 || got != want {
					t.Errorf("net/http: %s: got %d %.200q, want %.200q", method, answer.StatusCode, got, want)
				}
				if got := answer.Trailer.Get("Checked"); got != "yes" {
					t.Errorf("net/http: %s: the trailer is %q", method, got)
				}
			}
			need(t, "curl")
			got := curl(t, v.dir, over.flag, "--cacert", "ca.crt", "--cert", "client.crt", "--key", "client.key", "--data-binary", "the body", car.url(target))
			if want := saw("POST", strings.TrimPrefix(car.url(""), "https://"), "the body"); got.status != 200 || got.body != want {
				t.Errorf("curl: got %d %q %s, want %q", got.status, got.body, got.stderr, want)
			}
		})
	}
}

// TestAnUploadThatNobodyReadsStopsNobodyElse: HTTP/2's windows are of a stream
// and of the connection. An application that leaves one client's upload unread may
// have no room for another's on the same connection (RFC 9113 §5.2.2), where both
// come by one.
func TestAnUploadThatNobodyReadsStopsNobodyElse(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	stalled, release := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(release) })
	car := startGRPCSidecar(t, v, startH2C(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stalls" {
			close(stalled)
			<-release
			return
		}
		echoing(w, r)
	}), nil)
	f := grpcFront{car.addr, v}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+f.addr+"/stalls", strings.NewReader(strings.Repeat("a", 8<<20)))
	if err != nil {
		t.Fatal(err)
	}
	slow := f.client(t, "", true)
	go func() {
		if answer, err := slow.Do(r); err == nil {
			answer.Body.Close()
		}
	}()
	<-stalled
	other := f.client(t, "client", true)
	for i := range 40 { // the first may come before the windows are full
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+f.addr+"/", strings.NewReader(strings.Repeat("b", 100000)))
		if err != nil {
			t.Fatal(err)
		}
		answer, body := rawCall(t, other, r)
		if answer.StatusCode != 200 || len(body) < 100000 {
			t.Fatalf("upload %d of another client: got %d, %d bytes", i, answer.StatusCode, len(body))
		}
	}
}
