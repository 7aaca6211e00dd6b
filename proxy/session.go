package proxy

import (
	"crypto/tls"
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
	chain  trust.ID    // of the presented certificates; zero: none
	hello  bool        // a ClientHello has arrived: the peer speaks TLS
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
		s.hello = true
		return nil, nil
	}
	if s.server.config.RejectWith == RejectAlert {
		c.VerifyConnection = s.verify
	}
	return c
}

// wrap seals a new ticket. crypto/tls calls it after the client's Finished, so
// the key has been proved.
func (s *session) wrap(cs tls.ConnectionState, state *tls.SessionState) ([]byte, error) {
	if !cs.DidResume {
		s.proved = s.server.wall(time.Now())
	}
	s.chain = trust.ChainID(cs.PeerCertificates)
	stamp := make([]byte, 0, stampSize)
	stamp = append(stamp, stampVersion)
	stamp = binary.BigEndian.AppendUint64(stamp, uint64(s.proved.UnixMilli()))
	stamp = append(stamp, s.chain[:]...)
	state.Extra = append(state.Extra, stamp)
	return s.base.EncryptTicket(cs, state)
}

// unwrap opens a ticket, or returns nil for a full handshake; an error would
// end the connection, and a ticket of a client's own making must not do that.
func (s *session) unwrap(identity []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
	state, err := s.base.DecryptTicket(identity, cs)
	if err != nil || state == nil {
		return nil, nil
	}
	for _, extra := range state.Extra {
		if len(extra) != stampSize || extra[0] != stampVersion {
			continue
		}
		proved := time.UnixMilli(int64(binary.BigEndian.Uint64(extra[1:])))
		chain := trust.ID(extra[9:])
		if !s.server.mayResume(proved, chain) {
			return nil, nil
		}
		s.proved = proved
		return state, nil
	}
	return nil, nil
}

// mayResume reports whether a session may stand in for a full handshake. A
// chain that this process has not judged yet is judged in a full one.
func (s *Server) mayResume(proved time.Time, chain trust.ID) bool {
	now := s.wall(time.Now())
	if age := now.Sub(proved); age < 0 || age > s.config.SessionTimeout.Duration {
		return false
	}
	if chain == (trust.ID{}) {
		return s.admit(trust.Verdict{}).page == nil
	}
	verdict, known := s.chains.Known(s.store.Current(), chain, now)
	return known && verdict.Status == trust.Success
}

// verify refuses in the handshake where MTLS_REJECT_WITH=alert. crypto/tls
// calls it before the client has proved its key: nothing is kept of what it
// finds, and it can only refuse.
func (s *session) verify(cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 {
		return nil
	}
	verdict := s.server.store.Current().Verify(cs.PeerCertificates, s.server.wall(time.Now()))
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
