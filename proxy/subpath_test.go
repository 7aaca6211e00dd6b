package proxy

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// What a container sees in /proc/self/mountinfo (proc_pid_mountinfo(5)). MOUNTS
// stands for the lines of what is mounted.
const mountinfo = `1203 1100 0:291 / / rw,relatime master:412 - overlay overlay rw,lowerdir=/var/lib/x,upperdir=/var/lib/y
1204 1203 0:294 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
1205 1203 0:295 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
MOUNTS1210 1203 259:1 /var/lib/kubelet/pods/9f/etc-hosts /etc/hosts rw,relatime - ext4 /dev/root rw,discard
1211 1205 0:292 / /dev/shm rw,nosuid,nodev,noexec,relatime shared:5 master:3 propagate_from:2 - tmpfs shm rw,size=65536k
`

// withMounts writes such a table with these mounted, each given as the kernel writes it.
func withMounts(t *testing.T, points ...string) string {
	t.Helper()
	var lines strings.Builder
	for i, point := range points {
		fmt.Fprintf(&lines, "%d 1203 0:%d /volume %s ro,relatime - tmpfs tmpfs rw,size=8k,inode64\n", 1300+i, 400+i, point)
	}
	return inFolder(t, "mountinfo", []byte(strings.Replace(mountinfo, "MOUNTS", lines.String(), 1)))
}

// escaped is a path as the kernel writes it there (mangle_path): blanks, newlines and
// backslashes in octal digits.
func escaped(path string) string {
	return strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace(path)
}

func TestAFileMountedByItselfIsWarnedAboutAndAVolumeIsNot(t *testing.T) {
	ca := pki.CertPEM(testCA(t).ca.Cert)
	outer, err := filepath.EvalSymlinks(t.TempDir())
	works(t, err)
	for _, test := range []struct {
		name, folder string
		kubernetes   bool
		mounted      func(folder string) []string
		warned       bool
	}{
		{"nothing mounted", "plain", false, func(string) []string { return nil }, false},
		{"the volume", "volume", true, func(folder string) []string { return []string{escaped(folder)} }, false},
		{"the volume, and the folder of its data", "data", true, func(folder string) []string {
			return []string{escaped(folder), escaped(folder + "/..data")}
		}, false},
		{"the file", "file", false, func(folder string) []string { return []string{escaped(folder + "/ca.crt")} }, true},
		{"the file, with a blank in its path", "with blank", false, func(folder string) []string { return []string{escaped(folder + "/ca.crt")} }, true},
		{"the file, with all that is escaped", "tab\tnewline\nback\\slash \"quote' ü", false, func(folder string) []string { return []string{escaped(folder + "/ca.crt")} }, true},
		{"digits that look like an escape", `blank\040`, false, func(folder string) []string { return []string{escaped(outer+"/blank ") + "/ca.crt"} }, false},
		{"another file of that folder", "other", false, func(folder string) []string { return []string{escaped(folder + "/tls.crt")} }, false},
		{"a file whose path only begins so", "begins", false, func(folder string) []string {
			return []string{escaped(folder + "/ca.crt.old"), escaped(folder + "/ca.cr")}
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := filepath.Join(outer, test.folder)
			works(t, os.Mkdir(folder, 0o700))
			if test.kubernetes {
				swapData(t, folder, contents{"ca.crt": ca})
			} else {
				put(t, folder+"/ca.crt", ca)
			}
			config := settings(t)
			config.ClientCAFile = List{folder + "/ca.crt"} // an entry could not hold these names
			m := &Material{}
			m.warnSubPath(config, withMounts(t, test.mounted(folder)...))
			switch {
			case !test.warned && len(m.Warnings) > 0:
				t.Errorf("warned of %q", m.Warnings)
			case test.warned && (len(m.Warnings) != 1 || !strings.HasPrefix(m.Warnings[0], folder+"/ca.crt") || !strings.Contains(m.Warnings[0], "subPath") || !strings.Contains(m.Warnings[0], "; ")):
				t.Errorf("got %q, want one warning about the file, with what to do", m.Warnings)
			}
		})
	}
}

func TestAMountedFileIsFoundByALinkAndByARelativePathAndOnce(t *testing.T) {
	outer, err := filepath.EvalSymlinks(t.TempDir())
	works(t, err)
	t.Chdir(outer)
	put(t, "both.pem", pki.CertPEM(testCA(t).ca.Cert))
	works(t, os.Symlink("both.pem", "linked.pem"))
	table := withMounts(t, escaped(filepath.Join(outer, "both.pem")))
	for _, path := range []string{"both.pem", "./both.pem", "linked.pem", filepath.Join(outer, "both.pem")} {
		config := settings(t)
		config.CertFile, config.KeyFile = List{path}, List{path}
		m := &Material{}
		m.warnSubPath(config, table)
		if len(m.Warnings) != 1 || !strings.HasPrefix(m.Warnings[0], path+" ") {
			t.Errorf("%s: got %q, want one warning", path, m.Warnings)
		}
	}
}

// Each variable that names a file is looked at.
func TestEveryMountedFileIsWarnedAbout(t *testing.T) {
	folder, err := filepath.EvalSymlinks(t.TempDir())
	works(t, err)
	var names, points []string
	at := func(name string) string {
		path := filepath.Join(folder, name)
		put(t, path, nil)
		names, points = append(names, path), append(points, path)
		return path
	}
	config := environment(t, "MTLS_CERT_FILE="+at("a"), "MTLS_KEY_FILE="+at("b"), "MTLS_KEY_PASSPHRASE_FILE="+at("c"),
		"MTLS_CLIENT_CA_FILE="+at("d")+","+at("e"), "MTLS_CA_HINTS="+at("f"), "MTLS_CRL="+at("g")+",http://ca.example/h", "MTLS_TICKET_KEY_FILES="+at("i")+","+at("j"))
	m := &Material{}
	m.warnSubPath(config, withMounts(t, points...))
	for _, name := range names {
		if !slices.ContainsFunc(m.Warnings, func(warning string) bool { return strings.HasPrefix(warning, name+" ") }) {
			t.Errorf("%s: no warning", name)
		}
	}
	if len(m.Warnings) != len(names) {
		t.Errorf("got %d warnings for %d files", len(m.Warnings), len(names))
	}
}

func TestATableThatIsDamagedOrMissingWarnsOfNothing(t *testing.T) {
	config := settings(t)
	path, err := filepath.EvalSymlinks(config.ClientCAFile[0])
	works(t, err)
	good := fmt.Sprintf("1300 1203 0:400 /volume %s ro - tmpfs tmpfs rw\n", escaped(path))
	for name, test := range map[string]struct {
		table  string
		warned int
	}{
		"short lines before": {"\n1 2 3\n4\n" + good, 1},
		"a bad escape":       {"1300 1203 0:400 /volume /bad\\0 ro - tmpfs tmpfs rw\n" + good, 1},
		"a very long line":   {"1299 1203 0:1 / / rw - overlay overlay rw,lowerdir=" + strings.Repeat("/l:", 40<<10) + "\n" + good, 1},
		"empty":              {"", 0},
		"bytes":              {"\x00\xff\x80\n\n\\", 0},
	} {
		m := &Material{}
		m.warnSubPath(config, inFolder(t, "mountinfo", []byte(test.table)))
		if len(m.Warnings) != test.warned {
			t.Errorf("%s: got %q, want %d warnings", name, m.Warnings, test.warned)
		}
	}
	m := &Material{}
	m.warnSubPath(config, filepath.Join(t.TempDir(), "none"))
	if len(m.Warnings) != 0 {
		t.Errorf("without a table: got %q", m.Warnings)
	}
}
