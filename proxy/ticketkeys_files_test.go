package proxy

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// keyMaterial is what a key file holds: random bytes.
func keyMaterial(t testing.TB, n int) []byte {
	t.Helper()
	content := make([]byte, n)
	if _, err := rand.Read(content); err != nil {
		t.Fatal(err)
	}
	return content
}

// keyFile writes key material with a mode, whatever the umask is.
func keyFile(t testing.TB, content []byte, mode os.FileMode) string {
	t.Helper()
	// Not t.TempDir: a comma in the test's name would end a list's element.
	folder, err := os.MkdirTemp("", "ticket-key-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	path := filepath.Join(folder, "ticket.key")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTicketKeyFilesAreReadWholeAndInOrder(t *testing.T) {
	var paths []string
	var want [][]byte
	for i, size := range []int{48, 32, 80} {
		content := keyMaterial(t, size)
		want = append(want, content)
		paths = append(paths, keyFile(t, content, []os.FileMode{0o600, 0o440, 0o640}[i]))
	}
	got, err := readTicketKeys(paths)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("got %x, want %x", got, want)
	}
	if got, err := readTicketKeys(nil); len(got) > 0 || err != nil {
		t.Errorf("without files: got %x and %v", got, err)
	}
}

// Kubernetes mounts a Secret as a link to a link to a folder of its own.
func TestATicketKeyFileIsFoundBehindSymbolicLinks(t *testing.T) {
	folder := t.TempDir()
	content := keyMaterial(t, 80)
	for _, step := range []error{
		os.Mkdir(filepath.Join(folder, "..2026"), 0o755),
		os.WriteFile(filepath.Join(folder, "..2026", "key"), content, 0o440),
		os.Symlink("..2026", filepath.Join(folder, "..data")),
		os.Symlink(filepath.Join("..data", "key"), filepath.Join(folder, "key")),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	got, err := readTicketKeys([]string{filepath.Join(folder, "key")})
	if err != nil || len(got) != 1 || !bytes.Equal(got[0], content) {
		t.Errorf("got %x and %v, want %x", got, err, content)
	}
	if err := os.Chmod(filepath.Join(folder, "..2026", "key"), 0o444); err != nil {
		t.Fatal(err)
	}
	_, err = readTicketKeys([]string{filepath.Join(folder, "key")})
	wantFault(t, err, "MTLS_TICKET_KEY_FILES: "+filepath.Join(folder, "key")+": ", "0444", "defaultMode: 0440")
}

func TestEveryFaultOfATicketKeyFileNamesVariablePathAndRemedy(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(hang, func() {
		t.Error("the pipe was waited for")
		if writer, err := os.OpenFile(pipe, os.O_WRONLY, 0); err == nil {
			writer.Close()
		}
	}).Stop()
	once := keyMaterial(t, 48)
	paths := map[string]string{
		"missing":                 filepath.Join(t.TempDir(), "none"),
		"a folder":                t.TempDir(),
		"a pipe":                  pipe,
		"readable by everybody":   keyFile(t, keyMaterial(t, 80), 0o444),
		"readable by others only": keyFile(t, keyMaterial(t, 80), 0o604),
		"writable by everybody":   keyFile(t, keyMaterial(t, 80), 0o602),
		"one byte repeated":       keyFile(t, bytes.Repeat([]byte{'A'}, 32), 0o600),
		"zeros":                   keyFile(t, make([]byte, 80), 0o600),
	}
	for _, size := range []int{0, 1, 16, 31, 33, 47, 49, 64, 79, 81, 1 << 20} {
		paths[fmt.Sprintf("%d bytes", size)] = keyFile(t, keyMaterial(t, size), 0o600)
	}
	all := []string{keyFile(t, once, 0o600)} // a good one
	for name, path := range paths {
		all = append(all, path)
		t.Run(name, func(t *testing.T) {
			got, err := readTicketKeys([]string{path})
			wantFault(t, err, "MTLS_TICKET_KEY_FILES: "+path+": ")
			if name == "a folder" || name == "a pipe" {
				wantFault(t, err, "is not a regular file")
			}
			if got != nil {
				t.Errorf("got %d keys with the error", len(got))
			}
		})
	}
	twice := keyFile(t, once, 0o600)
	all = append(all, twice)
	got, err := readTicketKeys(all)
	if got != nil || len(parts(err)) != len(paths)+1 {
		t.Errorf("all together: got %d keys and %d errors, want none and %d", len(got), len(parts(err)), len(paths)+1)
	}
	wantFault(t, err, "MTLS_TICKET_KEY_FILES: "+twice+": holds the same bytes as "+all[0])
	for line := range strings.Lines(err.Error()) {
		if !strings.HasPrefix(line, "MTLS_TICKET_KEY_FILES: ") || !strings.Contains(line, "; ") {
			t.Errorf("a line without its variable or without a remedy: %s", line)
		}
	}
}

func TestNoErrorRepeatsKeyMaterial(t *testing.T) {
	secret := []byte("five-and-thirty bytes of a password")
	twice := keyMaterial(t, 80)
	_, err := readTicketKeys([]string{
		keyFile(t, secret, 0o600), keyFile(t, secret[:32], 0o444), keyFile(t, twice, 0o600), keyFile(t, twice, 0o600),
	})
	if err == nil {
		t.Fatal("got no error")
	}
	for _, content := range [][]byte{secret, twice} {
		for _, text := range []string{
			string(content), hex.EncodeToString(content), base64.StdEncoding.EncodeToString(content), fmt.Sprint(content), fmt.Sprintf("%q", content),
		} {
			if strings.Contains(err.Error(), text[:8]) {
				t.Errorf("the error repeats %q:\n%v", text[:8], err)
			}
		}
	}
}
