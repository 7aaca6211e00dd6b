package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy"
)

const systemdUnits = "../../deploy/systemd"

// unitValues are the values of a setting in units, in their order; an empty one takes
// back those before it, as systemd has it.
func unitValues(t *testing.T, setting string, files ...string) (all []string) {
	t.Helper()
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(systemdUnits, file))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			value, is := strings.CutPrefix(strings.TrimSpace(line), setting+"=")
			switch {
			case is && value == "":
				all = nil
			case is:
				all = append(all, value)
			}
		}
	}
	return all
}

// unitEnvironment is what the units set; the last of several values counts.
func unitEnvironment(t *testing.T, files ...string) (environ []string) {
	t.Helper()
	last := map[string]string{}
	for _, entry := range unitValues(t, "Environment", files...) {
		name, value, _ := strings.Cut(entry, "=")
		last[name] = strings.ReplaceAll(value, "%d", "/run/credentials/mtls-sidecar.service")
	}
	for name, value := range last {
		environ = append(environ, name+"="+value)
	}
	slices.Sort(environ)
	return environ
}

func TestTheUnitsSetVariablesThatExistAndWaitForTheDrain(t *testing.T) {
	for _, files := range [][]string{
		{"mtls-sidecar.service"},
		{"mtls-sidecar.service", "files-in-place.conf"},
		{"mtls-sidecar.service", "port-443.conf"},
	} {
		config, err := proxy.Environment(unitEnvironment(t, files...))
		if err != nil {
			t.Errorf("%s: %v", files, err)
			continue
		}
		stop := unitValues(t, "TimeoutStopSec", files...)
		wait, err := time.ParseDuration(stop[len(stop)-1])
		if drain := config.DrainDelay.Duration + config.DrainTimeout.Duration; err != nil || wait <= drain {
			t.Errorf("%s: the service manager waits %s (%v) for a drain of %s", files, wait, err, drain)
		}
		var copies []string
		for _, credential := range unitValues(t, "LoadCredential", files...) {
			name, path, _ := strings.Cut(credential, ":")
			if !filepath.IsAbs(path) {
				t.Errorf("%s: %s is loaded from the folder of all credentials", files, credential)
			}
			copies = append(copies, "/run/credentials/mtls-sidecar.service/"+name)
		}
		for _, path := range slices.Concat(config.CertFile, config.KeyFile, config.ClientCAFile) {
			if strings.HasPrefix(path, "/run/credentials/") && !slices.Contains(copies, path) {
				t.Errorf("%s: %s is no credential that is loaded: %q", files, path, copies)
			}
		}
	}
}

// Both are about the units as files: no service manager need run.
func TestSystemdUnderstandsTheUnitsAndFindsThemConfined(t *testing.T) {
	analyze := need(t, "systemd-analyze")
	units := []string{"mtls-sidecar.service", "files-in-place.conf", "port-443.conf"}
	for _, dropIns := range [][]string{nil, units[1:2], units[2:], units[1:]} {
		folder := t.TempDir()
		copyUnit := func(name, to string) {
			text, err := os.ReadFile(filepath.Join(systemdUnits, name))
			if err != nil {
				t.Fatal(err)
			}
			// They are checked where they are not installed.
			text = []byte(strings.ReplaceAll(string(text), "=/usr/local/bin/mtls-sidecar\n", "="+binary(t)+"\n"))
			if err := os.WriteFile(filepath.Join(folder, to), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		copyUnit(units[0], units[0])
		if err := os.Mkdir(filepath.Join(folder, units[0]+".d"), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range dropIns {
			copyUnit(name, filepath.Join(units[0]+".d", name))
		}
		unit := filepath.Join(folder, units[0])
		for _, args := range [][]string{
			{"verify", "--man=no", unit},
			{"security", "--no-pager", "--offline=yes", "--threshold=20", unit}, // 2.0 of 10; 9.6 with no setting at all
		} {
			out, err := exec.Command(analyze, args...).CombinedOutput()
			// A setting that it does not know is told, and passes.
			if err != nil || args[0] == "verify" && strings.Contains(string(out), "mtls-sidecar") {
				t.Errorf("with %q: systemd-analyze %s: %v\n%s", dropIns, args[0], err, out)
			}
		}
	}
}
