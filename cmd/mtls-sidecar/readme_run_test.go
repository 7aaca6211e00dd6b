package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestTheDemoIsAsTheREADMEShowsIt(t *testing.T) {
	t.Parallel()
	need(t, "bash")
	need(t, "curl")
	demo := start(t, "demo", sidecarCommand(t, nil, "demo"))
	demo.expect(t, "Running until Ctrl-C.")
	printed := demo.tail(1000)
	found := regexp.MustCompile(`sidecar on https://(\S+), certificates in (\S+)`).FindStringSubmatch(printed)
	if found == nil {
		t.Fatalf("address and folder are not told:\n%s", printed)
	}
	address, folder := found[1], found[2]

	_, table, _ := strings.Cut(printed, "\nSENT")
	table, _, _ = strings.Cut("SENT"+table, "\n\n")
	if table = "    " + strings.ReplaceAll(table, "\n", "\n    "); !strings.Contains(readme(t, "# mtls-sidecar"), "\n"+table+"\n") {
		t.Errorf("the README does not show the table that the demo prints:\n%s", table)
	}

	var lines []string
	for line := range strings.Lines(printed) {
		if line, found := strings.CutPrefix(line, "  "); found && (strings.HasPrefix(line, "cd ") || strings.HasPrefix(line, "curl ")) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	part, _, _ := strings.Cut(readme(t, "## Try it"), "\n### ")
	shown := transcripts(t, part)
	actual := strings.NewReplacer(strings.TrimPrefix(shown[0].command, "cd "), `"`+folder+`"`, "localhost:8443", address)
	var commands []string
	for _, e := range shown {
		commands = append(commands, actual.Replace(e.command))
	}
	if !slices.Equal(lines, commands) {
		t.Errorf("the demo prints\n%s\nand the README shows\n%s", strings.Join(lines, "\n"), strings.Join(commands, "\n"))
	}
	for i, e := range shown[1:] {
		ask := exec.Command("bash", "-c", commands[i+1])
		ask.Dir = folder
		if got, err := ask.Output(); err != nil || string(got) != e.answer {
			t.Errorf("%s\ngot  %s (%v)\nwant %s", commands[i+1], got, err, e.answer)
		}
	}
}

// TestTheREADMEsWayToOnesOwnApplicationWorksAsItStands, on the very ports that it names.
func TestTheREADMEsWayToOnesOwnApplicationWorksAsItStands(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"bash", "curl", "openssl", "node"} {
		need(t, program)
	}
	part := readme(t, "### In front of your own application")
	blocks := blocksOf(t, part, "sh")
	if len(blocks) != 3 {
		t.Fatalf("got %d blocks, want application, certificates and sidecar", len(blocks))
	}
	application, certificates, sidecar := blocks[0], blocks[1], blocks[2]
	const build, serve = "go build -o /tmp/mtls-try/ ./cmd/mtls-sidecar && cd /tmp/mtls-try\n", "&& ./mtls-sidecar\n"
	if !strings.HasPrefix(certificates, build) || !strings.HasSuffix(sidecar, serve) {
		t.Fatalf("the program is not built and its folder entered, or the sidecar not started:\n%s%s", certificates, sidecar)
	}

	n, dir := startPodNetwork(t), t.TempDir()
	if err := os.Symlink(binary(t), filepath.Join(dir, "mtls-sidecar")); err != nil {
		t.Fatal(err)
	}
	bash := func(script string) *exec.Cmd {
		cmd := n.inside(t, exec.Command("bash", "-c", script))
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "MTLS_READY_UPSTREAM=true", "MTLS_DRAIN_DELAY=0s", "GORACE=atexit_sleep_ms=10")
		return cmd
	}
	if out, err := bash("set -e\n" + strings.TrimPrefix(certificates, build)).CombinedOutput(); err != nil {
		t.Fatalf("%s%v\n%s", certificates, err, out)
	}
	start(t, "the application", bash("exec "+application))
	start(t, "the sidecar", bash(strings.TrimSuffix(sidecar, serve)+"&& exec ./mtls-sidecar"))
	becomes(t, "http://"+n.ip+":9902/readyz", 200)
	shown := transcripts(t, part)
	if len(shown) < 4 {
		t.Errorf("got %d requests, want some with and without certificate, on both paths", len(shown))
	}
	for _, e := range shown {
		if got, err := bash(e.command).Output(); err != nil || string(got) != e.answer {
			t.Errorf("%s\ngot  %s (%v)\nwant %s", e.command, got, err, e.answer)
		}
	}
}

func TestEveryBlockOfVariablesInTheREADMEIsAccepted(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	v.clients()
	write(t, v.path("crl.pem"), text(t, v.path("ca.crl")))
	found := 0
	for _, block := range blocksOf(t, readme(t, "## HTTP/2 and gRPC")+readme(t, "## Behind a load balancer")+readme(t, "## Coming from …"), "sh") {
		if !strings.HasPrefix(block, "MTLS_") {
			continue
		}
		found++
		check := exec.Command(need(t, "bash"), "-c", "set -a\n"+block+"\nexec "+binary(t)+" check")
		check.Dir = v.dir
		check.Env = append(os.Environ(), "MTLS_CERT_FILE=server.crt", "MTLS_KEY_FILE=server.key", "MTLS_CLIENT_CA_FILE=ca.crt", "GORACE=atexit_sleep_ms=10")
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s%v\n%s", block, err, out)
		}
	}
	if found < 8 {
		t.Errorf("found %d blocks only", found)
	}
}
