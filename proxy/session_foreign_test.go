package proxy

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
	"mtls-sidecar/proxy/trust"
)

// sharesTicketsWith gives both servers the very same ticket key, whatever their CAs
// are.
func (s *sidecar) sharesTicketsWith(t *testing.T, other *sidecar) {
	t.Helper()
	var key [32]byte
	if _, err := rand.Read(key[:]); err != nil {
		t.Fatal(err)
	}
	for _, one := range []*sidecar{s, other} {
		one.tickets.mu.Lock()
		one.tickets.shared = [][32]byte{key}
		one.tickets.mu.Unlock()
		one.tickets.apply(one.tls.Load(), time.Now())
	}
}

var nobody = expectation{200, "NONE", ""}

func TestASessionWithoutACertificateIsNotResumedWhereOneIsRequired(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		s := startSidecar(t, app.url, "MTLS_VERIFY_CLIENT=on")
		v := newVisitor(version, nil)
		v.visits(t, s, app, expectation{status: 400}, false)
		v.visits(t, s, app, expectation{status: 400}, false)
		v.certificate = issue(t, pki.Options{})
		v.visits(t, s, app, believed, false)
		v.visits(t, s, app, believed, true)
	})
}

func TestAChainThatThisProcessHasNotJudgedIsResumedFromTheTicket(t *testing.T) {
	leaf, _ := issueBelow(t)
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		for _, certificate := range []*tls.Certificate{issue(t, pki.Options{}), &leaf} {
			first, second := startSidecar(t, app.url), startSidecar(t, app.url)
			first.sharesTicketsWith(t, second)
			v := newVisitor(version, certificate)
			v.visits(t, first, app, believed, false)
			v.visits(t, second, app, believed, true)
			v.visits(t, second, app, believed, true)
			v.visits(t, first, app, believed, true)
		}
	})
}

func TestWhatATicketSaysOfAChainIsNotStoredBeforeTheHandshakeHasEnded(t *testing.T) {
	s := newSidecar(t, "http://127.0.0.1:1")
	chain := []*x509.Certificate{issue(t, pki.Options{}).Leaf}
	id := trust.ChainID(chain)
	now := time.Now()
	if got := s.standing(id, nil, now).Status; got != trust.Failed {
		t.Errorf("an unknown chain that is not at hand: got status %d, want Failed", got)
	}
	if got := s.standing(id, chain, now).Status; got != trust.Success {
		t.Errorf("an unknown chain: got status %d, want Success", got)
	}
	if _, known := s.chains.Known(s.store.Current(), id, now); known {
		t.Error("the chain was stored")
	}
}

func TestATicketOfAnotherServerLeadsToAFullHandshake(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		first, second := startSidecar(t, app.url), startSidecar(t, app.url)
		v := newVisitor(version, issue(t, pki.Options{}))
		v.visits(t, second, app, believed, false)
		v.visits(t, first, app, believed, false)
		v.visits(t, second, app, believed, false)
	})
}

func TestAForgedTicketLeadsToAFullHandshakeNotToAnError(t *testing.T) {
	forgeries := map[string]func([]byte) []byte{
		"one bit changed": func(ticket []byte) []byte {
			ticket = bytes.Clone(ticket)
			ticket[len(ticket)/2] ^= 1
			return ticket
		},
		"cut short":  func(ticket []byte) []byte { return ticket[:len(ticket)-1] },
		"one byte":   func([]byte) []byte { return []byte{1} },
		"zeros":      func(ticket []byte) []byte { return make([]byte, len(ticket)) },
		"very large": func([]byte) []byte { return bytes.Repeat([]byte{0xff}, 8<<10) },
	}
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		s := startSidecar(t, app.url)
		v := newVisitor(version, issue(t, pki.Options{}))
		v.visits(t, s, app, believed, false)
		for name, forge := range forgeries {
			t.Run(name, func(t *testing.T) {
				v.sessions.forge = forge
				v.visits(t, s, app, believed, false)
				v.sessions.forge = nil
				v.visits(t, s, app, believed, true)
			})
		}
	})
}

// Another program with the same ticket keys, or another release of this one,
// may have sealed the ticket.
func TestATicketWithoutOurStampLeadsToAFullHandshake(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		s := startSidecar(t, app.url)
		v := newVisitor(version, issue(t, pki.Options{}))
		v.visits(t, s, app, believed, false)
		for name, altered := range map[string]func(stamp []byte) [][]byte{
			"none":            func([]byte) [][]byte { return nil },
			"another version": func(stamp []byte) [][]byte { return [][]byte{append([]byte{stampVersion + 1}, stamp[1:]...)} },
			"too short":       func(stamp []byte) [][]byte { return [][]byte{stamp[:len(stamp)-1]} },
			"too long":        func(stamp []byte) [][]byte { return [][]byte{append(bytes.Clone(stamp), 0)} },
			"another chain": func(stamp []byte) [][]byte {
				return [][]byte{append(bytes.Clone(stamp[:len(stamp)-1]), stamp[len(stamp)-1]^1)}
			},
			"somebody else's": func([]byte) [][]byte { return [][]byte{[]byte("another program's"), {}} },
		} {
			t.Run(name, func(t *testing.T) {
				v.sessions.forge = func(ticket []byte) []byte {
					config := s.tls.Load()
					state, err := config.DecryptTicket(ticket, tls.ConnectionState{})
					if err != nil || state == nil {
						t.Fatalf("the server's own ticket does not open: %v", err)
					}
					if len(state.Extra) != 1 {
						t.Fatalf("stamps: got %d, want 1", len(state.Extra))
					}
					state.Extra = altered(state.Extra[0])
					sealed, err := config.EncryptTicket(tls.ConnectionState{}, state)
					if err != nil {
						t.Fatal(err)
					}
					return sealed
				}
				v.visits(t, s, app, believed, false)
				v.sessions.forge = nil
				v.visits(t, s, app, believed, true)
			})
		}
	})
}

// The stamp says which chain was judged; a ticket whose certificates are
// others' must not profit by it. Only a holder of the ticket key could make
// one, and the judgement of the connection goes by the certificates.
func TestAStampOfAnotherChainGivesNoBelief(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		s := startSidecar(t, app.url)
		good := newVisitor(version, issue(t, pki.Options{}))
		good.visits(t, s, app, believed, false)
		state := opened(t, s, good.sessions)
		stranger, err := pki.SelfSigned(pki.Options{})
		if err != nil {
			t.Fatal(err)
		}
		bad := newVisitor(version, &stranger)
		bad.visits(t, s, app, expectation{status: 400}, false)
		bad.sessions.forge = func([]byte) []byte {
			forged := opened(t, s, bad.sessions)
			forged.Extra = state.Extra
			sealed, err := s.tls.Load().EncryptTicket(tls.ConnectionState{}, forged)
			if err != nil {
				t.Fatal(err)
			}
			return sealed
		}
		s.dialWith(t, bad.config()).asks(app, expectation{status: 400})
	})
}

// opened is the server's side of the ticket that a client holds.
func opened(t *testing.T, s *sidecar, k *tickets) *tls.SessionState {
	t.Helper()
	ticket, _, err := k.latest.ResumptionState()
	if err != nil {
		t.Fatal(err)
	}
	state, err := s.tls.Load().DecryptTicket(ticket, tls.ConnectionState{})
	if err != nil || state == nil {
		t.Fatalf("the server's own ticket does not open: %v", err)
	}
	return state
}
