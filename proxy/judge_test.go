package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
	"mtls-sidecar/proxy/trust"
)

// movedClock is the time of day, shifted.
type movedClock struct{ offset atomic.Int64 }

func (c *movedClock) now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

func (c *movedClock) set(offset time.Duration) { c.offset.Store(int64(offset)) }

// startWithClock is startSidecar with a clock that the test moves.
func startWithClock(t testing.TB, upstream string, entries ...string) (*sidecar, *movedClock) {
	t.Helper()
	clock := &movedClock{}
	s := newSidecar(t, upstream, entries...)
	s.clock = clock.now
	s.start(t)
	return s, clock
}

// trusts publishes a snapshot with these CAs alone.
func (s *sidecar) trusts(cas ...*x509.Certificate) {
	s.store.Publish(trust.NewSnapshot(cas, trust.Policy{MaxDepth: -1, MinRSABits: 2048}))
}

// anotherCA is a CA of the same name as the test's, with another key.
func anotherCA(t testing.TB) *x509.Certificate {
	t.Helper()
	ca, err := pki.NewRoot(pki.Options{Subject: testCA(t).ca.Cert.Subject})
	if err != nil {
		t.Fatal(err)
	}
	return ca.Cert
}

// believed is the expectation for issue's plain client certificate.
var believed = expectation{200, "SUCCESS", "CN=client"}

func TestAnOpenConnectionLosesBeliefWhenItsCertificateExpires(t *testing.T) {
	for _, entries := range [][]string{
		{"MTLS_REJECT_WITH=page"},
		{"MTLS_REJECT_WITH=alert"},
		{"MTLS_REJECT_WITH=alert", "MTLS_VERIFY_CLIENT=on"},
	} {
		t.Run(strings.Join(entries, " "), func(t *testing.T) {
			app := startBackend(t, answering(okAnswer))
			s, clock := startWithClock(t, app.url, entries...)
			c := s.dial(t, issue(t, pki.Options{NotAfter: time.Now().Add(time.Hour)}))
			c.asks(app, believed)
			clock.set(59 * time.Minute)
			c.asks(app, believed)
			clock.set(61 * time.Minute)
			body := c.asks(app, expectation{status: 400})
			if !strings.Contains(body, "<code>expired</code>") {
				t.Errorf("the page does not say expired:\n%s", body)
			}
			if rest, err := c.rest(); rest != "" || err != nil {
				t.Errorf("after the page: got %q and %v, want a clean end", rest, err)
			}
		})
	}
}

func TestAnOpenConnectionLosesBeliefWhenAnIntermediateExpires(t *testing.T) {
	intermediate, err := testCA(t).ca.Intermediate(pki.Options{NotAfter: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := intermediate.Issue(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	leaf = pki.With(leaf, intermediate.Cert)
	app := startBackend(t, answering(okAnswer))
	s, clock := startWithClock(t, app.url, "MTLS_INVALID_CERT=failed")
	c := s.dial(t, &leaf)
	c.asks(app, believed)
	clock.set(2 * time.Hour)
	c.asks(app, expectation{200, "FAILED:certificate has expired", ""})
}

func TestAnOpenConnectionGainsBeliefWhenItsCertificateBegins(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s, clock := startWithClock(t, app.url, "MTLS_INVALID_CERT=failed")
	c := s.dial(t, issue(t, pki.Options{NotBefore: time.Now().Add(time.Hour)}))
	c.asks(app, expectation{200, "FAILED:certificate is not yet valid", ""})
	clock.set(2 * time.Hour)
	c.asks(app, believed)
	clock.set(48 * time.Hour)
	c.asks(app, expectation{200, "FAILED:certificate has expired", ""})
}

func TestAnOpenConnectionIsJudgedByTheSnapshotOfToday(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_INVALID_CERT=failed")
	ca, other := testCA(t).ca.Cert, anotherCA(t)
	c := s.dial(t, issue(t, pki.Options{}))
	nobody := s.dial(t, nil)
	for range 2 {
		c.asks(app, believed)
		nobody.asks(app, expectation{200, "NONE", ""})
		s.trusts(other)
		c.asks(app, expectation{200, "FAILED:unable to verify the first certificate", ""})
		nobody.asks(app, expectation{200, "NONE", ""})
		s.trusts(other, ca)
	}
	c.asks(app, believed)
}

func TestAnOpenConnectionIsRefusedOnceItsCAIsNoLongerTrusted(t *testing.T) {
	for _, rejectWith := range []string{"page", "alert"} {
		t.Run(rejectWith, func(t *testing.T) {
			app := startBackend(t, answering(okAnswer))
			s := startSidecar(t, app.url, "MTLS_REJECT_WITH="+rejectWith)
			c := s.dial(t, issue(t, pki.Options{}))
			c.asks(app, believed)
			s.trusts(anotherCA(t))
			c.asks(app, expectation{status: 400})
			if rest, err := c.rest(); rest != "" || err != nil {
				t.Errorf("after the page: got %q and %v, want a clean end", rest, err)
			}
		})
	}
}

// identityLines are the memo's lines of the only open connection. A request
// must have been answered and none be under way.
func (s *sidecar) identityLines(t *testing.T) *byte {
	t.Helper()
	s.conns.mu.Lock()
	defer s.conns.mu.Unlock()
	if len(s.conns.conns) != 1 {
		t.Fatalf("open connections: got %d, want 1", len(s.conns.conns))
	}
	for c := range s.conns.conns {
		return &c.memo.answer.lines[0]
	}
	return nil
}

func TestAVerdictIsReachedOnceForAConnectionAndASnapshot(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s, clock := startWithClock(t, app.url)
	c := s.dial(t, issue(t, pki.Options{}))
	c.asks(app, believed)
	first := s.identityLines(t)
	clock.set(time.Hour)
	c.asks(app, believed)
	if s.identityLines(t) != first {
		t.Error("the second request was judged afresh under the same snapshot")
	}
	s.trusts(testCA(t).ca.Cert)
	c.asks(app, believed)
	if s.identityLines(t) == first {
		t.Error("a new snapshot did not lead to a new judgement")
	}
}

func TestAnIdentityLargerThanItsLimitIsRefusedNotShortened(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_MAX_IDENTITY_BYTES=256")
	fits := issue(t, pki.Options{Subject: pkix.Name{CommonName: strings.Repeat("n", 200)}})
	s.dial(t, fits).asks(app, expectation{200, "SUCCESS", "CN=" + strings.Repeat("n", 200)})
	tooLarge := issue(t, pki.Options{Subject: pkix.Name{CommonName: strings.Repeat("n", 300)}})
	body := s.dial(t, tooLarge).asks(app, expectation{status: 431})
	if !strings.Contains(body, "<code>identity_too_large</code>") {
		t.Errorf("the page does not name its reason:\n%s", body)
	}
}

func TestACertificateWithoutItsKeyIsNotBelievedNorRemembered(t *testing.T) {
	for _, version := range tlsVersions {
		for _, rejectWith := range []string{"page", "alert"} {
			t.Run(version.name+"/"+rejectWith, func(t *testing.T) {
				app := startBackend(t, answering(okAnswer))
				s := startSidecar(t, app.url, "MTLS_REJECT_WITH="+rejectWith)
				stolen := issue(t, pki.Options{Subject: pkix.Name{CommonName: "victim"}})
				chain := []*x509.Certificate{stolen.Leaf}
				stolen.PrivateKey = issue(t, pki.Options{}).PrivateKey
				if err := s.handshakeOnly(t, clientOf(version.version, stolen)); err == nil {
					t.Error("the handshake came through without the certificate's key")
				}
				app.sawNothing(t)
				waitFor(t, "a logged failure", func() bool { return len(s.logged("handshake failed")) == 1 })
				if _, known := s.chains.Known(s.store.Current(), trust.ChainID(chain), time.Now()); known {
					t.Error("the chain is remembered though its key was not proved")
				}
				s.logsNothingOf(t, "victim")
			})
		}
	}
}

// handshakeOnly shakes hands and waits for the server's word on it, which in
// TLS 1.3 comes after the client has finished. It returns nil when the server
// was content: it then waits for a request, and the client ends the connection.
func (s *sidecar) handshakeOnly(t testing.TB, config *tls.Config) error {
	t.Helper()
	conn, err := tls.Dial("tcp", s.addr, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(hang))
	if _, err := conn.Write([]byte(getRequest)); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}
