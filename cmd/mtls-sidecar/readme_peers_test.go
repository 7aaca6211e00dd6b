package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// "Coming from …" shows for each peer what one has and what one writes instead. Both
// are run as they stand there, each in a network of its own, and asked the same.

// comingFrom is a peer, and what has to be the same before and after.
type comingFrom struct {
	heading, language string
	file              string // for the configuration
	before, after     string // what the block leaves out
	prepare           func(t *testing.T, v *vault)
	command           func(t *testing.T, dir string) []string
	told              []string // headers that the application must be told alike
	requests          []string // arguments of curl
}

const (
	here         = "https://localhost:8443"
	withClient   = " --cert client.crt --key client.key"
	withStranger = " --cert stranger.crt --key stranger.key"
	withRevoked  = " --cert revoked.crt --key revoked.key"
)

func TestWhatTheREADMEWritesForAnotherTerminatorAnswersAsItDoes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]comingFrom{
		"Nginx": {
			heading: "### nginx", language: "nginx", file: "nginx.conf",
			before: "daemon off; pid nginx.pid; error_log stderr; events {}\nhttp { access_log off; server { listen 8443 ssl; ssl_certificate server.crt; ssl_certificate_key server.key;\n",
			after:  "}}\n",
			command: func(t *testing.T, dir string) []string {
				return []string{need(t, "nginx"), "-p", dir, "-c", filepath.Join(dir, "nginx.conf")}
			},
			told: []string{"verified", "dn", "x-client-serial"},
			requests: []string{here, here + withClient, here + withStranger, here + " -H VERIFIED:SUCCESS -H DN:CN=admin -H X-Client-Serial:1",
				here + "/admin/x", here + "/admin/x" + withClient},
		},
		"HAProxy": {
			heading: "### HAProxy", language: "haproxy", file: "haproxy.cfg",
			before: "defaults\nmode http\ntimeout client 1m\ntimeout server 1m\ntimeout connect 1m\nfrontend f\n", after: "default_backend b\nbackend b\nserver s 127.0.0.1:8080\n",
			prepare: func(t *testing.T, v *vault) {
				write(t, v.path("server.pem"), text(t, v.path("server.crt"))+text(t, v.path("server.key")))
				write(t, v.path("crl.pem"), text(t, v.path("ca.crl")))
			},
			command: func(t *testing.T, _ string) []string {
				return []string{need(t, "haproxy"), "-db", "-f", "haproxy.cfg"}
			},
			// Without a certificate the README says what differs.
			told:     []string{"x-ssl-client-verify", "x-ssl-client-dn", "x-ssl-client-cn"},
			requests: []string{here + withClient, here + withStranger, here + withRevoked, here + " -H X-SSL-Client-Verify:1" + withClient},
		},
		"ExpressGateway": {
			heading: "### Express Gateway", language: "yaml", file: "gateway.config.yml",
			command: func(t *testing.T, dir string) []string {
				return []string{need(t, "node"), filepath.Join(expressGateway(t), "gateway.js"), dir}
			},
			requests: []string{here, here + withClient, here + withStranger, here + "/api/x", here + "/api/x" + withClient, here + "/api/x" + withStranger, here + "/API/x"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

func (c comingFrom) run(t *testing.T) {
	need(t, "curl")
	node := need(t, "node")
	v := newVault(t)
	v.clients()
	if c.prepare != nil {
		c.prepare(t, v)
	}
	part := readme(t, c.heading)
	write(t, v.path(c.file), c.before+blocksOf(t, part, c.language)[0]+c.after)
	write(t, v.path("mtls.env"), blocksOf(t, part, "sh")[0])

	const application = "require('http').createServer((q, a) => a.end(JSON.stringify(q.headers))).listen(8080, '127.0.0.1', () => console.log('listens'))"
	serve := func(what string, line []string) *podNetwork {
		n := startPodNetwork(t)
		start(t, "the application", n.inside(t, exec.Command(node, "-e", application))).expect(t, "listens")
		cmd := n.inside(t, exec.Command(line[0], line[1:]...))
		cmd.Dir, cmd.Env = v.dir, append(os.Environ(), "MTLS_DRAIN_DELAY=0s", "GORACE=atexit_sleep_ms=10")
		start(t, what, cmd)
		// Whatever the answer is, there is one.
		if !settlesSoon(func() bool {
			return n.inside(t, exec.Command("curl", "-sk", "-o", v.path("ignored"), here)).Run() == nil
		}) {
			t.Fatalf("%s does not answer", what)
		}
		return n
	}
	peer := serve(c.heading, c.command(t, v.dir))
	sidecar := serve("the sidecar", []string{need(t, "bash"), "-c", "set -a; . ./mtls.env; set +a; MTLS_CERT_FILE=server.crt MTLS_KEY_FILE=server.key exec " + binary(t)})
	for _, request := range c.requests {
		want, got := c.ask(t, peer, v.dir, request), c.ask(t, sidecar, v.dir, request)
		if !slices.Equal(got, want) {
			t.Errorf("%s\nbefore: %q\nafter:  %q", request, want, got)
		}
	}
}

// ask returns the status, 000 for a handshake that was refused, and what the
// application was told.
func (c comingFrom) ask(t *testing.T, n *podNetwork, dir, request string) []string {
	t.Helper()
	cmd := n.inside(t, exec.Command("curl", append([]string{"-sk", "-w", "\n%{http_code}"}, strings.Fields(request)...)...))
	cmd.Dir = dir
	out, _ := cmd.Output() // a refused handshake is an error, and an answer
	at := strings.LastIndex(string(out), "\n")
	body, status := string(out)[:at], string(out)[at+1:]
	answer := []string{status}
	if status == "200" {
		told := map[string]string{}
		if err := json.Unmarshal([]byte(body), &told); err != nil {
			t.Fatalf("%s: %v: %s", request, err, out)
		}
		for _, name := range c.told {
			answer = append(answer, name+": "+told[name])
		}
	}
	return answer
}

// expressGateway is the folder in which it is installed.
func expressGateway(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs("../../deploy/examples/express-gateway")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "express-gateway")); err != nil {
		missing(t, "Express Gateway is not installed: run npm ci in deploy/examples/express-gateway")
	}
	return folder
}
