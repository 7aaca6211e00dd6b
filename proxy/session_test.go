package proxy

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"sync"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// tickets is a client's memory of sessions that counts what the server sends.
type tickets struct {
	mu       sync.Mutex
	latest   *tls.ClientSessionState
	received int
	forge    func(ticket []byte) []byte // what is presented in place of a ticket; nil: the ticket
}

func (k *tickets) Get(string) (*tls.ClientSessionState, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.latest == nil || k.forge == nil {
		return k.latest, k.latest != nil
	}
	ticket, state, err := k.latest.ResumptionState()
	if err != nil {
		return nil, false
	}
	forged, err := tls.NewResumptionState(k.forge(ticket), state)
	return forged, err == nil
}

func (k *tickets) Put(_ string, session *tls.ClientSessionState) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if session != nil { // nil: the server did not take it
		k.latest = session
		k.received++
	}
}

func (k *tickets) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.received
}

// visitor is a client that comes back with what it remembers.
type visitor struct {
	version     uint16
	certificate *tls.Certificate
	sessions    *tickets
}

func newVisitor(version uint16, certificate *tls.Certificate) *visitor {
	return &visitor{version, certificate, &tickets{}}
}

func (v *visitor) config() *tls.Config {
	config := clientOf(v.version, v.certificate)
	config.ClientSessionCache = v.sessions
	return config
}

// visits makes one connection with one request. It compares what the
// application is told, and whether the session was resumed.
func (v *visitor) visits(t *testing.T, s *sidecar, b *backend, want expectation, resumed bool) {
	t.Helper()
	before := v.sessions.count()
	c := s.dialWith(t, v.config())
	if got := c.ConnectionState().DidResume; got != resumed {
		t.Errorf("resumed: got %t, want %t", got, resumed)
	}
	c.asks(b, want)
	if v.sessions.count() == before {
		t.Error("the server gave no session ticket")
	}
	c.Close()
}

// bothVersions runs a test over TLS 1.2 and 1.3: crypto/tls resumes in
// different places.
func bothVersions(t *testing.T, test func(t *testing.T, version uint16)) {
	t.Helper()
	for _, v := range tlsVersions {
		t.Run(v.name, func(t *testing.T) { test(t, v.version) })
	}
}

func TestAResumedSessionTellsTheSame(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		for _, rejectWith := range []string{"page", "alert"} {
			s := startSidecar(t, app.url, "MTLS_REJECT_WITH="+rejectWith)
			v := newVisitor(version, issue(t, pki.Options{}))
			v.visits(t, s, app, believed, false)
			v.visits(t, s, app, believed, true)
			v.visits(t, s, app, believed, true)
		}
	})
}

func TestAResumedSessionTellsTheSameOfAChainOfSeveral(t *testing.T) {
	intermediate, err := testCA(t).ca.Intermediate(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := intermediate.Issue(pki.Options{Subject: pkix.Name{CommonName: "below"}})
	if err != nil {
		t.Fatal(err)
	}
	leaf = pki.With(leaf, intermediate.Cert)
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		s := startSidecar(t, app.url)
		v := newVisitor(version, &leaf)
		v.visits(t, s, app, expectation{200, "SUCCESS", "CN=below"}, false)
		v.visits(t, s, app, expectation{200, "SUCCESS", "CN=below"}, true)
	})
}

func TestASessionIsNotResumedAfterItsTime(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		s, clock := startWithClock(t, app.url, "MTLS_SESSION_TIMEOUT=10m")
		v := newVisitor(version, issue(t, pki.Options{}))
		v.visits(t, s, app, believed, false)
		clock.set(11 * time.Minute)
		v.visits(t, s, app, believed, false)
		v.visits(t, s, app, believed, true)
	})
}

func TestASessionCannotRenewItselfForEver(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		s, clock := startWithClock(t, app.url, "MTLS_SESSION_TIMEOUT=10m")
		v := newVisitor(version, issue(t, pki.Options{}))
		v.visits(t, s, app, believed, false)
		for _, minute := range []int{3, 6, 9} {
			clock.set(time.Duration(minute) * time.Minute)
			v.visits(t, s, app, believed, true) // with a new ticket each time
		}
		clock.set(11 * time.Minute)
		v.visits(t, s, app, believed, false)
	})
}

func TestASessionFromTheFutureIsNotResumed(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		s, clock := startWithClock(t, app.url)
		v := newVisitor(version, issue(t, pki.Options{}))
		v.visits(t, s, app, believed, false)
		clock.set(-10 * time.Minute) // somebody has set the clock right
		v.visits(t, s, app, believed, false)
	})
}

func TestASessionIsNotResumedWhenItsLeafHasExpired(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		s, clock := startWithClock(t, app.url, "MTLS_SESSION_TIMEOUT=24h")
		v := newVisitor(version, issue(t, pki.Options{NotAfter: time.Now().Add(time.Hour)}))
		v.visits(t, s, app, believed, false)
		clock.set(2 * time.Hour)
		v.visits(t, s, app, expectation{status: 400}, false)
	})
}

func TestASessionIsNotResumedWhenAnIntermediateHasExpired(t *testing.T) {
	intermediate, err := testCA(t).ca.Intermediate(pki.Options{NotAfter: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := intermediate.Issue(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	leaf = pki.With(leaf, intermediate.Cert)
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		s, clock := startWithClock(t, app.url, "MTLS_SESSION_TIMEOUT=24h")
		v := newVisitor(version, &leaf)
		v.visits(t, s, app, believed, false)
		v.visits(t, s, app, believed, true)
		clock.set(2 * time.Hour)
		v.visits(t, s, app, expectation{status: 400}, false)
	})
}

func TestASessionIsResumedUnderASnapshotThatStillTrustsItsCA(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		s := startSidecar(t, app.url)
		v := newVisitor(version, issue(t, pki.Options{}))
		v.visits(t, s, app, believed, false)
		s.trusts(anotherCA(t), testCA(t).ca.Cert)
		v.visits(t, s, app, believed, true)
	})
}

func TestASessionIsNotResumedOnceItsCAIsNoLongerTrusted(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		s := startSidecar(t, app.url)
		v := newVisitor(version, issue(t, pki.Options{}))
		v.visits(t, s, app, believed, false)
		s.trusts(anotherCA(t))
		v.visits(t, s, app, expectation{status: 400}, false)
		v.visits(t, s, app, expectation{status: 400}, false)
		// The key was proved in a full handshake a moment ago, so belief in the CA
		// was all that was missing.
		s.trusts(testCA(t).ca.Cert)
		v.visits(t, s, app, believed, true)
	})
}

func TestASessionWithoutBeliefIsNeverResumed(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		stranger, err := pki.SelfSigned(pki.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			entry string
			want  expectation
		}{
			{"MTLS_INVALID_CERT=reject", expectation{status: 400}},
			{"MTLS_INVALID_CERT=failed", expectation{200, "FAILED:self-signed certificate", ""}},
			{"MTLS_INVALID_CERT=none", expectation{200, "NONE", ""}},
			{"MTLS_VERIFY_CLIENT=optional_no_ca", expectation{200, "FAILED:self-signed certificate", ""}},
		} {
			s := startSidecar(t, app.url, test.entry)
			v := newVisitor(version, &stranger)
			v.visits(t, s, app, test.want, false)
			v.visits(t, s, app, test.want, false)
		}
	})
}
