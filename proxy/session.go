package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"time"

	"mtls-sidecar/proxy/trust"
)

// session ties the TLS tickets of one connection to our belief. crypto/tls
// would resume any session whose leaf has not expired; we resume only what was
// fully proved less than MTLS_SESSION_TIMEOUT ago, by a client whose verdict
// today is SUCCESS, or that may come without a certificate.
type session struct {
	server *Server
	base   *tls.Config // whose ticket keys seal and open
	own    *tls.Config // of this connection alone
	chain  trust.ID    // of the presented certificates; zero: none
	hello  bool        // a ClientHello has arrived: the peer speaks TLS
	began  time.Time   // when it did
	// proved is when the client last proved its key in a full handshake. It is
	// copied when a resumed session is renewed, so that none renews itself for
	// ever.
	proved time.Time
}

// stamp is what we add to a session ticket: version, time of the full
// handshake, hash of the presented chain.
const (
	stampVersion = 1
	stampSize    = 1 + 8 + len(trust.ID{})
)

// config is the connection's own, since the callbacks need the connection.
func (s *session) config() *tls.Config {
	s.base = s.server.tls.Load()
	c := s.base.Clone()
	c.Time = s.server.clock
	c.WrapSession = s.wrap
	c.UnwrapSession = s.unwrap
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		s.hello, s.began = true, time.Now()
		return nil, nil
	}
	c.VerifyConnection = s.verify
	s.own = c
	return c
}

// wrap seals a new ticket. crypto/tls calls it after the client's
// CertificateVerify, or once the ticket's own secret was proved, so the key has
// been proved.
func (s *session) wrap(cs tls.ConnectionState, state *tls.SessionState) ([]byte, error) {
	if !cs.DidResume {
		s.proved = s.server.wall(time.Now())
	}
	s.chain = trust.ChainID(cs.PeerCertificates)
	if sessionSize(cs) > maxSession {
		return noTicket(cs.Version), nil
	}
	stamp := make([]byte, 0, stampSize)
	stamp = append(stamp, stampVersion)
	stamp = binary.BigEndian.AppendUint64(stamp, uint64(s.proved.UnixMilli()))
	stamp = append(stamp, s.chain[:]...)
	state.Extra = append(state.Extra, stamp)
	ticket, err := s.base.EncryptTicket(cs, state)
	if len(ticket) > maxSession+sealing {
		return noTicket(cs.Version), nil
	}
	return ticket, err
}

// unwrap opens a ticket, or returns nil for a full handshake; an error would
// end the connection, and a ticket of a client's own making must not do that.
func (s *session) unwrap(identity []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
	if len(identity) > maxSession+sealing {
		return nil, nil
	}
	state, err := s.base.DecryptTicket(identity, cs)
	if err != nil || state == nil {
		return nil, nil
	}
	for _, extra := range state.Extra {
		if len(extra) != stampSize || extra[0] != stampVersion {
			continue
		}
		proved := time.UnixMilli(int64(binary.BigEndian.Uint64(extra[1:])))
		if !s.server.mayResume(state, proved, trust.ID(extra[9:])) {
			return nil, nil
		}
		s.proved = proved
		return state, nil
	}
	return nil, nil
}

// mayResume reports whether a session may stand in for a full handshake.
func (s *Server) mayResume(state *tls.SessionState, proved time.Time, id trust.ID) bool {
	now := s.wall(time.Now())
	if age := now.Sub(proved); age < 0 || age > s.config.SessionTimeout.Duration {
		return false
	}
	if id == (trust.ID{}) {
		return s.admit(trust.Verdict{}).page == nil
	}
	if s.standing(id, nil, now).Status == trust.Success {
		return true
	}
	// Another replica may have judged the chain, or this one before it was
	// started anew: then the session alone knows it.
	chain := carriedChain(state, id)
	return chain != nil && s.standing(id, chain, now).Status == trust.Success
}

// standing is what is believed today of a chain that was proved in an earlier
// handshake, or presented in this one. Nobody is asked, and what is known already of the CAs' answers counts. A chain that this process has not judged yet is judged if it is given
// (nil: it is not at hand), and never stored: its holder has proved nothing so far.
func (s *Server) standing(id trust.ID, chain []*x509.Certificate, now time.Time) trust.Verdict {
	snapshot := s.store.Current()
	verdict, known := s.chains.Known(snapshot, id, now)
	switch {
	case known:
	case chain == nil:
		return trust.Verdict{Status: trust.Failed, Reason: trust.Rejected}
	default:
		verdict = snapshot.Verify(chain, now)
	}
	verdict, _ = s.recall(verdict, now)
	return verdict
}

// verify refuses in the handshake where MTLS_REJECT_WITH=alert. crypto/tls
// calls it before the client has proved its key: nothing is kept of what it
// finds, and it can only refuse. It is also the last occasion to tell that there
// is to be no ticket, which crypto/tls looks for on this goroutine thereafter.
func (s *session) verify(cs tls.ConnectionState) error {
	if sessionSize(cs) > maxSession {
		s.own.SessionTicketsDisabled = true
	}
	if s.server.config.RejectWith != RejectAlert || len(cs.PeerCertificates) == 0 {
		return nil
	}
	verdict := s.server.standing(trust.ChainID(cs.PeerCertificates), cs.PeerCertificates, s.server.wall(time.Now()))
	if s.server.admit(verdict).page != nil {
		return &refusedError{verdict}
	}
	return nil
}

// refusedError is a certificate refused in the handshake.
type refusedError struct{ verdict trust.Verdict }

func (e *refusedError) Error() string {
	return "client certificate refused: " + e.verdict.Reason.Text()
}
