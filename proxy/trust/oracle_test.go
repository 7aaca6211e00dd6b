package trust

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// TestOpenSSLSaysTheSame puts the whole matrix before `openssl verify`. The
// command stops at most first errors, where nginx is left with the last, so
// what is compared is acceptance and the first error raised.
func TestOpenSSLSaysTheSame(t *testing.T) {
	openssl := need(t, "openssl")
	w := newWorld(t)
	dir := t.TempDir()
	for _, r := range w.rows() {
		t.Run(r.name, func(t *testing.T) {
			accepted, first, output := askOpenSSL(t, openssl, dir, r, w.now.Unix())
			if want := r.want == 0 || r.stricter; accepted != want {
				t.Errorf("openssl accepts it: %v, want %v\n%s", accepted, want, output)
			}
			want := r.first
			if want == 0 && !r.stricter {
				want = r.want.Code()
			}
			if first != want {
				t.Errorf("openssl's first error is %d, want %d\n%s", first, want, output)
			}
		})
	}
}

var firstError = regexp.MustCompile(`(?m)^error (\d+) at`)

func askOpenSSL(t *testing.T, openssl, dir string, r row, now int64, more ...string) (accepted bool, first int, output string) {
	t.Helper()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	args := []string{"verify", "-no-CApath", "-no-CAstore", "-purpose", "sslclient", "-auth_level", "2",
		"-attime", strconv.FormatInt(now, 10)}
	if len(r.cas) > 0 {
		args = append(args, "-CAfile", write("ca.pem", pki.CertPEM(r.cas...)))
	} else {
		args = append(args, "-no-CAfile")
	}
	if len(r.presented) > 1 {
		args = append(args, "-untrusted", write("chain.pem", pki.CertPEM(r.presented[1:]...)))
	}
	if r.depth >= 0 {
		args = append(args, "-verify_depth", strconv.Itoa(r.depth))
	}
	args = append(args, more...)
	args = append(args, write("leaf.pem", pki.CertPEM(r.presented[0])))
	out, err := exec.Command(openssl, args...).CombinedOutput()
	output = string(out)
	if match := firstError.FindStringSubmatch(output); match != nil {
		first, _ = strconv.Atoi(match[1]) // the expression admits digits only
	}
	return err == nil && strings.Contains(output, ": OK"), first, output
}

// need finds an outside program; without it the test is skipped, or fails where TEST_REQUIRE=1.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	if os.Getenv("TEST_REQUIRE") == "1" {
		t.Fatalf("%s is required and missing", program)
	}
	t.Skipf("%s is not here", program)
	return ""
}
