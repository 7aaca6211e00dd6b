package main_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// curlAnswer is what a run of curl came to.
type curlAnswer struct {
	exit   int // curl's exit code, 0 for any HTTP answer
	status int // HTTP status, 0 when there was none
	body   string
	stderr string
}

// curl runs the real thing in dir. -q keeps the user's own settings out.
func curl(t *testing.T, dir string, args ...string) curlAnswer {
	t.Helper()
	return curlWith(t, dir, nil, args...)
}

// curlWith is curl with further environment variables, "NAME=value".
func curlWith(t *testing.T, dir string, env []string, args ...string) curlAnswer {
	t.Helper()
	bodyFile := filepath.Join(t.TempDir(), "body")
	all := append([]string{"-q", "-sS", "-4", "--noproxy", "*", "--max-time", "30",
		"-o", bodyFile, "-w", "%{http_code}"}, args...)
	cmd := exec.Command(need(t, "curl"), all...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("running curl: %v", err)
	}
	body, _ := os.ReadFile(bodyFile) // curl makes none when there was no answer
	status, _ := strconv.Atoi(string(out))
	return curlAnswer{cmd.ProcessState.ExitCode(), status, string(body), stderr.String()}
}
