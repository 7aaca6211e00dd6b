package trust

import (
	"cmp"
	"crypto/x509"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

func TestOfAnyHierarchyOpenSSLBelievesWhatIsBelievedHere(t *testing.T) {
	openssl := need(t, "openssl")
	all := newMint(t).hierarchies()
	if len(all) < 500 {
		t.Errorf("there are %d hierarchies, want at least 500", len(all))
	}
	accepted := make([]bool, len(all))
	const workers = 4
	t.Run("openssl", func(t *testing.T) {
		for worker := range workers {
			t.Run(strconv.Itoa(worker), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				for i := worker; i < len(all); i += workers {
					accepted[i], _, _ = askOpenSSL(t, openssl, dir, all[i].row, hierarchyTime.Unix())
				}
			})
		}
	})
	c := newComparison(t)
	for i, h := range all {
		c.add(h, accepted[i])
	}
	c.report(differences)
}

// Every name is held against every constraint.
func TestUnderAnyNameConstraintOpenSSLBelievesWhatIsBelievedHere(t *testing.T) {
	openssl := need(t, "openssl")
	m := newMint(t)
	root := m.sign(nil, m.ca("Root", m.root))
	names := m.names()
	dir := t.TempDir()
	var leaves []*x509.Certificate
	var files []string
	for _, n := range names {
		m.making = n.name
		c := m.cert("client", m.leaf)
		n.set(&c)
		leaves = append(leaves, m.sign(root, c).Cert)
		files = append(files, writeBundle(t, dir, leaves[len(leaves)-1:]))
	}
	c := newComparison(t)
	for _, constraint := range constraintAlterations() {
		// Half of them will do: OpenSSL heeds those that are not critical as well.
		if critical := !strings.HasSuffix(constraint.name, "not critical"); constraint.rule != "constraint of the root" ||
			critical != strings.Contains(constraint.name, "permits") {
			continue
		}
		m.making = constraint.name
		d := m.draft()
		constraint.apply(d)
		cas := certs(m.sign(nil, *d.root()))
		output := runOpenSSL(t, openssl, append([]string{"-CAfile", writeBundle(t, dir, cas)}, files...)...)
		for i, leaf := range leaves {
			c.add(&hierarchy{
				row:         row{name: "constraint", cas: cas, presented: []*x509.Certificate{leaf}, depth: anyDepth},
				alterations: []string{constraint.name, "names of the leaf: " + names[i].name},
			}, strings.Contains(output, files[i]+": OK\n"))
		}
	}
	c.report(nameDifferences)
}

func TestWhereX509AloneIsLooseOpenSSLIsNot(t *testing.T) {
	openssl := need(t, "openssl")
	dir := t.TempDir()
	for i, h := range newMint(t).looseHierarchies() {
		t.Run(h.name, func(t *testing.T) {
			accepted, _, output := askOpenSSL(t, openssl, dir, h.row, hierarchyTime.Unix())
			if accepted != loose[i].strict {
				t.Errorf("openssl accepts it: %v, want %v\n%s", accepted, loose[i].strict, output)
			}
			if !loose[i].strict {
				return
			}
			output = runOpenSSL(t, openssl, "-x509_strict", "-CAfile", writeBundle(t, dir, h.cas),
				"-untrusted", writeBundle(t, dir, h.presented[1:]), writeBundle(t, dir, h.presented[:1]))
			if strings.Contains(output, ": OK") {
				t.Errorf("openssl accepts it even with -x509_strict\n%s", output)
			}
		})
	}
}

// runOpenSSL returns the standard output of `openssl verify`, a line for each accepted file.
func runOpenSSL(t *testing.T, openssl string, args ...string) string {
	t.Helper()
	args = append([]string{"verify", "-no-CApath", "-no-CAstore", "-purpose", "sslclient", "-auth_level", "2",
		"-attime", strconv.FormatInt(hierarchyTime.Unix(), 10)}, args...)
	output, err := exec.Command(openssl, args...).Output() // fails when one certificate does
	if _, refused := err.(*exec.ExitError); err != nil && !refused {
		t.Fatal(err)
	}
	return string(output)
}

func writeBundle(t *testing.T, dir string, list []*x509.Certificate) string {
	t.Helper()
	file, err := os.CreateTemp(dir, "*.pem")
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.Write(pki.CertPEM(list...))
	if err = cmp.Or(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}
