package proxy

import (
	"crypto/tls"
	"net"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// What the sidecar does with a request does not depend on what has carried it. So
// the tests of its behaviour run in every mode in which a client can come, with the
// same tables and the same expectations.

// mode is how the clients of a test come.
type mode string

const (
	overHTTP1 mode = "http1"   // each test by its own name
	overHTTP2 mode = "http2"   // what a test says in HTTP/1.1 goes out as HTTP/2
	resumed   mode = "resumed" // HTTP/1.1 with a TLS session that is resumed, where the sidecar lets it
)

// behaviour is a test that runs in every mode.
type behaviour struct {
	test  func(*testing.T)
	not   map[mode]string // where it does not run, and why
	alone bool            // it measures what others running beside it would disturb
}

func (b behaviour) name() string {
	full := runtime.FuncForPC(reflect.ValueOf(b.test).Pointer()).Name()
	return full[strings.LastIndexByte(full, '.')+1:]
}

// TestInEveryMode runs what `go test` has run over HTTP/1.1 once more in each
// other mode: -run TestInEveryMode/TestABodyGoesOnAsItComes/http2 is one of them.
func TestInEveryMode(t *testing.T) {
	for _, b := range behaviours() {
		t.Run(b.name(), func(t *testing.T) {
			if !b.alone {
				t.Parallel() // most of them wait most of the time
			}
			for _, m := range []mode{overHTTP2, resumed} {
				if b.not[m] == "" {
					t.Run(string(m), b.test)
				}
			}
		})
	}
}

// modeOf tells how the clients of a test come. It is in the test's name, so that the
// helpers that connect need not be told.
func modeOf(t testing.TB) mode {
	parts := strings.Split(t.Name(), "/")
	if parts[0] == "TestInEveryMode" && len(parts) > 2 {
		return mode(parts[2])
	}
	return overHTTP1
}

// arranged is a client's configuration for the mode of the test.
func (s *sidecar) arranged(t testing.TB, config *tls.Config) *tls.Config {
	t.Helper()
	switch modeOf(t) {
	case overHTTP2:
		if config.NextProtos == nil {
			config = config.Clone()
			config.NextProtos = []string{"h2"}
		}
	case resumed:
		if config.ClientSessionCache == nil {
			config = s.visited(t, config)
		}
	}
	return config
}

// carried makes a client of a connection, over what was agreed on in the
// handshake.
func (c *client) carried() *client {
	c.t.Helper()
	switch c.ConnectionState().NegotiatedProtocol {
	case "h2":
		c.h2 = newH2Client(c.t, c.Conn, c.tail.ended)
		c.r.Reset(c.h2)
	default:
		if modeOf(c.t) == overHTTP2 {
			c.t.Fatal("the sidecar does not speak HTTP/2")
		}
	}
	return c
}

// firstTicket is a client's memory of sessions that tells when it has one.
type firstTicket struct {
	tickets
	came chan struct{}
}

func (k *firstTicket) Put(key string, session *tls.ClientSessionState) {
	k.tickets.Put(key, session)
	select {
	case k.came <- struct{}{}:
	default:
	}
}

// visited makes a connection, on which nothing is asked, so that the next one can
// resume its session. A client that is refused gets no session, and comes as it is.
func (s *sidecar) visited(t testing.TB, config *tls.Config) *tls.Config {
	t.Helper()
	sessions := &firstTicket{came: make(chan struct{}, 1)}
	config = config.Clone()
	config.ClientSessionCache = sessions
	before := s.open()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: hang}, "tcp", s.addr, config)
	if err != nil {
		return config
	}
	_ = conn.SetDeadline(time.Now().Add(hang))
	over := make(chan struct{})
	go func() { // in TLS 1.3 tickets come after the handshake
		defer close(over)
		_, _ = conn.Read(make([]byte, 1))
	}()
	select {
	case <-sessions.came:
	case <-over:
	}
	conn.Close()
	<-over
	waitFor(t, "the first connection is gone", func() bool { return s.open() <= before })
	return config
}

// Were no session resumed, the mode would show nothing.
func TestTheModeOfResumedSessionsResumesThem(t *testing.T) {
	s := startSidecar(t, startBackend(t, answering(okAnswer)).url)
	for _, certificate := range []*tls.Certificate{nil, &testCA(t).client} {
		bothVersions(t, func(t *testing.T, version uint16) {
			c := s.dialWith(t, s.visited(t, clientOf(version, certificate)))
			if !c.ConnectionState().DidResume {
				t.Error("the session was not resumed")
			}
			c.send(simpleGet)
			c.wantAnswer("GET", 200, "ok")
		})
	}
}

// classified fails a test that runs a sidecar and that nobody has thought of in
// which modes to run.
func classified(t testing.TB) {
	t.Helper()
	if _, ok := t.(*testing.T); !ok || modeOf(t) != overHTTP1 {
		return
	}
	name, _, _ := strings.Cut(t.Name(), "/")
	if !slices.ContainsFunc(behaviours(), func(b behaviour) bool { return b.name() == name }) && !isOfOneCarrier(name) {
		t.Errorf("%s is in no mode: add it to behaviours, or to ofOneCarrier under a reason", name)
	}
}
