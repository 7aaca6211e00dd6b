package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// replica is a sidecar with key material for its tickets, and a clock.
type replica struct {
	*sidecar
	clock    *movedClock
	material [][]byte
}

// startReplica runs a sidecar with the material in files, or without (nil).
func startReplica(t testing.TB, upstream string, material [][]byte, entries ...string) *replica {
	t.Helper()
	var paths []string
	for _, content := range material {
		paths = append(paths, keyFile(t, content, 0o440))
	}
	s, clock := startWithClock(t, upstream, append(entries, "MTLS_TICKET_KEY_FILES="+strings.Join(paths, ","))...)
	return &replica{s, clock, material}
}

// believes replaces the CAs, as a reload does.
func (r *replica) believes(t testing.TB, cas ...*x509.Certificate) {
	t.Helper()
	r.trusts(cas...)
	if err := r.tickets.use(r.material, cas); err != nil {
		t.Fatal(err)
	}
	r.tickets.apply(r.tls.Load(), r.clock.now())
}

// everyKeying runs a test over both TLS versions, with random ticket keys and
// with those of a file.
func everyKeying(t *testing.T, test func(t *testing.T, version uint16, material [][]byte)) {
	t.Helper()
	bothVersions(t, func(t *testing.T, version uint16) {
		t.Run("random keys", func(t *testing.T) { test(t, version, nil) })
		t.Run("key file", func(t *testing.T) { test(t, version, [][]byte{keyMaterial(t, 80)}) })
	})
}

// change is what happens between a client's first connection and its second.
type change struct {
	name  string
	entry string // of the server's environment
	// back is the server that the client comes back to; nil: the first, as it was.
	back         func(t *testing.T, first *replica, upstream string) *replica
	random, file bool // resumed, by the kind of ticket keys
	want         expectation
}

func changes() []change {
	return []change{
		{name: "nothing", random: true, file: true, want: believed},
		{
			name: "the CA is replaced", want: expectation{status: 400},
			back: func(t *testing.T, first *replica, _ string) *replica {
				first.believes(t, anotherCA(t))
				return first
			},
		},
		{
			// The set of CAs is in keys made of a file: every session is made anew.
			name: "a CA is added", random: true, file: false, want: believed,
			back: func(t *testing.T, first *replica, _ string) *replica {
				first.believes(t, testCA(t).ca.Cert, anotherCA(t))
				return first
			},
		},
		{
			name: "the mode is on now", file: true, want: believed,
			back: func(t *testing.T, first *replica, upstream string) *replica {
				return startReplica(t, upstream, first.material, "MTLS_VERIFY_CLIENT=on")
			},
		},
		{
			name: "the mode is on now, with alerts", file: true, want: believed,
			back: func(t *testing.T, first *replica, upstream string) *replica {
				return startReplica(t, upstream, first.material, "MTLS_VERIFY_CLIENT=on", "MTLS_REJECT_WITH=alert")
			},
		},
		{
			name: "the mode is off now", want: expectation{200, "NONE", ""},
			back: func(t *testing.T, first *replica, upstream string) *replica {
				return startReplica(t, upstream, first.material, "MTLS_VERIFY_CLIENT=off")
			},
		},
		{
			name: "the certificate expires", entry: "MTLS_SESSION_TIMEOUT=24h", want: expectation{status: 400},
			back: func(_ *testing.T, first *replica, _ string) *replica {
				first.clock.set(2 * time.Hour)
				return first
			},
		},
		{
			name: "the session is too old", entry: "MTLS_SESSION_TIMEOUT=10m", want: believed,
			back: func(_ *testing.T, first *replica, _ string) *replica {
				first.clock.set(11 * time.Minute)
				return first
			},
		},
		{
			name: "the chain is unknown to this process", file: true, want: believed,
			back: func(t *testing.T, first *replica, upstream string) *replica {
				return startReplica(t, upstream, first.material)
			},
		},
		{
			name: "the chain is unknown to this process, and expired", entry: "MTLS_SESSION_TIMEOUT=24h", want: expectation{status: 400},
			back: func(t *testing.T, first *replica, upstream string) *replica {
				second := startReplica(t, upstream, first.material, "MTLS_SESSION_TIMEOUT=24h")
				second.clock.set(2 * time.Hour)
				return second
			},
		},
		{
			name: "the chain is unknown to this process, and its CA untrusted", want: expectation{status: 400},
			back: func(t *testing.T, first *replica, upstream string) *replica {
				second := startReplica(t, upstream, first.material)
				second.believes(t, anotherCA(t))
				return second
			},
		},
	}
}

func TestWhateverChangesAResumedSessionIsJudgedByToday(t *testing.T) {
	everyKeying(t, func(t *testing.T, version uint16, material [][]byte) {
		app := startBackend(t, answering(okAnswer))
		for _, test := range changes() {
			t.Run(test.name, func(t *testing.T) {
				first := startReplica(t, app.url, material, strings.Fields(test.entry)...)
				v := newVisitor(version, issue(t, pki.Options{NotAfter: time.Now().Add(time.Hour)}))
				v.visits(t, first.sidecar, app, believed, false)
				back := first
				if test.back != nil {
					back = test.back(t, first, app.url)
				}
				resumed := test.random
				if material != nil {
					resumed = test.file
				}
				v.visits(t, back.sidecar, app, test.want, resumed)
			})
		}
	})
}

func TestOpenSSLResumesAcrossSidecarsThatShareAKeyFile(t *testing.T) {
	openssl(t)
	arguments := presents(t, issue(t, pki.Options{}))
	material := [][]byte{keyMaterial(t, 80), keyMaterial(t, 48)}
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		first, second := startReplica(t, app.url, material), startReplica(t, app.url, material)
		rotated := startReplica(t, app.url, [][]byte{keyMaterial(t, 80), material[0]})
		stranger := startReplica(t, app.url, [][]byte{keyMaterial(t, 80)})
		elsewhere := startReplica(t, app.url, material)
		elsewhere.believes(t, testCA(t).ca.Cert, anotherCA(t))
		session := filepath.Join(t.TempDir(), "session")
		for _, visit := range []struct {
			name   string
			server *replica
			begins string
			flag   string
		}{
			{"the first time", first, "New, ", "-sess_out"},
			{"at another replica", second, "Reused, ", "-sess_in"},
			{"where the keys were rotated", rotated, "Reused, ", "-sess_in"},
			{"where the keys are others", stranger, "New, ", "-sess_in"},
			{"where the CAs are others", elsewhere, "New, ", "-sess_in"},
		} {
			out := sClient(t, visit.server.sidecar, version, append(arguments, visit.flag, session)...)
			protocol := map[uint16]string{tls.VersionTLS12: "TLSv1.2", tls.VersionTLS13: "TLSv1.3"}[version]
			if !strings.Contains(out, visit.begins+protocol) || !strings.Contains(out, "HTTP/1.1 200 OK") {
				t.Errorf("%s: want %s%s and 200, got\n%s", visit.name, visit.begins, protocol, out)
			}
			if got, want := told(app.seen(t)), toldAs("SUCCESS", "CN=client"); got != want {
				t.Errorf("%s: the application was told %s, want %s", visit.name, got, want)
			}
		}
	})
}
