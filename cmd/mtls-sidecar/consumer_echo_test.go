package main_test

import (
	"crypto/tls"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// echoed are all presets that MTLS_HEADERS knows by name, and entries of an operator's own.
var echoed = []string{
	"nginx", "rfc9440", "xfcc", "ingress-nginx", "haproxy", "traefik", "aws-alb", "apache", "tomcat",
	"puppet", "foreman", "aspnet", "azure", "gcp", "cloudflare", "keycloak-haproxy",
	`X-Who="$ssl_client_s_dn, until $ssl_client_v_end" X-Verdict=$ssl_client_verify Cluster=blue`,
}

// TestWhatTheApplicationSawCannotBeToldToIt: a client that sends every header that the application
// was sent, as it was and in two other spellings, changes nothing: what comes is the same, once
// each, in the same order.
func TestWhatTheApplicationSawCannotBeToldToIt(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	for _, preset := range echoed {
		t.Run(preset, func(t *testing.T) {
			t.Parallel()
			application := startRecorder(t)
			car := c.car(t, application.port(t), preset)
			clients := []row{{"nothing", nil}, {"plain", &c.plain}, {"chained", &c.chained}, {"stranger", &c.stranger}}
			for _, r := range clients {
				saw := respelt(application.fields(t, car, r.cert))
				for _, liar := range clients {
					// What one client's application saw, sent by each of them.
					honest := application.fields(t, car, liar.cert)
					got := application.fields(t, car, liar.cert, saw...)
					if !slices.Equal(got, honest) {
						t.Errorf("%s sent what the application saw of %s:\n got %q\nwant %q", liar.name, r.name, got, honest)
					}
				}
			}
		})
	}
}

// respelt adds to each line two more with its name in another spelling.
func respelt(lines []string) []string {
	var all []string
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ":")
		folded := strings.NewReplacer("-", "_", "_", "-").Replace(strings.ToLower(name))
		all = append(all, l, folded+":"+value, strings.ToUpper(name)+":"+value)
	}
	return all
}

func (r *recorder) port(t *testing.T) int {
	t.Helper()
	_, text, err := net.SplitHostPort(r.addr)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// fields asks through the sidecar and returns the lines that the application
// saw, but for Host, which a request has one of, and X-Request-Id, which is new
// for each request that has none.
func (r *recorder) fields(t *testing.T, car *sidecar, cert *tls.Certificate, sent ...string) []string {
	t.Helper()
	status, _ := car.ask(t, cert, "/", sent...)
	saw := r.take()
	if status != 200 || saw == nil {
		t.Fatalf("got status %d, want 200\n%s", status, car.tail(20))
	}
	var lines []string
	for _, f := range saw.fields {
		if name := fold(f[0]); name != "host" && name != "x-request-id" {
			lines = append(lines, f[0]+": "+f[1])
		}
	}
	return lines
}
