package proxy

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
	"mtls-sidecar/proxy/trust"
)

// remembered is a session as crypto/tls hands it over to be sealed, and the
// connection it was made of.
type remembered struct {
	state *tls.SessionState
	cs    tls.ConnectionState
}

// handshakeOf is a real handshake of crypto/tls with itself.
func handshakeOf(t testing.TB, version uint16, certificate *tls.Certificate) remembered {
	t.Helper()
	var session remembered
	config := &tls.Config{Certificates: []tls.Certificate{testCA(t).server}, ClientAuth: tls.RequestClientCert}
	config.WrapSession = func(cs tls.ConnectionState, state *tls.SessionState) ([]byte, error) {
		state.Extra = append(state.Extra, make([]byte, stampSize))
		session = remembered{state, cs}
		return []byte{0}, nil
	}
	client := clientOf(version, certificate)
	client.ClientSessionCache = &tickets{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	failed := make(chan error, 1)
	go func() {
		conn, err := (&tls.Dialer{Config: client}).Dial("tcp", listener.Addr().String())
		if err == nil {
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(hang))
			_, err = conn.Read(make([]byte, 1)) // TLS 1.3 sends the ticket before it
		}
		failed <- err
	}()
	socket, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	_ = socket.SetDeadline(time.Now().Add(hang))
	if _, err := tls.Server(socket, config).Write([]byte{'.'}); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	if session.state == nil {
		t.Fatal("crypto/tls made no session")
	}
	return session
}

// presentable are clients whose sessions differ in shape.
func presentable(t testing.TB) map[string]*tls.Certificate {
	t.Helper()
	plain := issue(t, pki.Options{})
	chain := pki.With(*plain, testCA(t).ca.Cert, anotherCA(t))
	stapled := chain
	stapled.OCSPStaple = bytes.Repeat([]byte("staple"), 100)
	stapled.SignedCertificateTimestamps = [][]byte{[]byte("first"), []byte("second timestamp")}
	return map[string]*tls.Certificate{
		"one certificate": plain, "several": &chain, "several, with a staple and timestamps of its own": &stapled,
	}
}

// If this fails after an upgrade of Go, the layout has changed: chains that a
// process does not know cost a full handshake until certificatesIn is put right.
func TestTheCertificatesAreWhereCryptoTLSKeepsThemInASession(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		for name, certificate := range presentable(t) {
			session := handshakeOf(t, version, certificate)
			if got, want := len(session.cs.PeerCertificates), len(certificate.Certificate); got != want {
				t.Fatalf("%s: crypto/tls tells of %d certificates, want %d", name, got, want)
			}
			got := carriedChain(session.state, trust.ChainID(session.cs.PeerCertificates))
			if !slices.EqualFunc(got, session.cs.PeerCertificates, (*x509.Certificate).Equal) {
				t.Errorf("%s: got %d certificates, want the %d presented", name, len(got), len(certificate.Certificate))
			}
		}
		none := handshakeOf(t, version, nil)
		if got := carriedChain(none.state, trust.ID{}); got != nil {
			t.Errorf("no certificate: got %d", len(got))
		}
	})
}

func TestACarriedChainCountsOnlyUnderItsOwnName(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		certificate := presentable(t)["several"]
		session := handshakeOf(t, version, certificate)
		chain := session.cs.PeerCertificates
		for name, other := range map[string][]*x509.Certificate{
			"the leaf alone": chain[:1], "without the leaf": chain[1:],
			"another order": {chain[0], chain[2], chain[1]}, "another leaf": {issue(t, pki.Options{}).Leaf, chain[1], chain[2]}, "none": nil,
		} {
			if got := carriedChain(session.state, trust.ChainID(other)); got != nil {
				t.Errorf("%s: got %d certificates", name, len(got))
			}
		}
	})
}

func TestASessionCutShortCarriesNoChain(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		session := handshakeOf(t, version, presentable(t)["several"])
		encoded, err := session.state.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		ends := len(encoded)
		for ends > 0 && certificatesIn(encoded[:ends-1]) != nil {
			ends--
		}
		// What follows the list is verified_chains (empty) and TLS 1.2's curve.
		if after := len(encoded) - ends; after > 5 {
			t.Errorf("the list was read whole with %d bytes missing", after)
		}
		for n := range ends {
			if got := certificatesIn(encoded[:n]); got != nil {
				t.Fatalf("cut after %d of %d bytes: got %d certificates", n, len(encoded), len(got))
			}
		}
	})
}

func TestTheSizeOfASessionIsKnownBeforeItIsMade(t *testing.T) {
	const tooMuch = 64 // lengths of what is absent, and of a shorter secret
	bothVersions(t, func(t *testing.T, version uint16) {
		clients := presentable(t)
		clients["none"] = nil
		for name, certificate := range clients {
			session := handshakeOf(t, version, certificate)
			encoded, err := session.state.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if got := sessionSize(session.cs); got < len(encoded) || got > len(encoded)+tooMuch {
				t.Errorf("%s: got %d, want %d or a little more", name, got, len(encoded))
			}
		}
	})
}

func FuzzSessionCertificates(f *testing.F) {
	for _, version := range tlsVersions {
		for _, certificate := range presentable(f) {
			encoded, err := handshakeOf(f, version.version, certificate).state.Bytes()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(encoded)
			f.Add(encoded[:len(encoded)/2])
		}
	}
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, encoded []byte) {
		certificates := certificatesIn(encoded)
		total := 0
		for _, der := range certificates {
			total += 3 + len(der) + 2
		}
		if total > len(encoded) {
			t.Errorf("%d bytes of certificates in %d bytes", total, len(encoded))
		}
		// Of a session that crypto/tls has written itself it reads the same back.
		// Others it may write differently; there the hash of the chain decides.
		state, err := tls.ParseSessionState(encoded)
		if err != nil {
			return
		}
		if again, err := state.Bytes(); err != nil || !bytes.Equal(again, encoded) {
			return
		}
		if got := carriedChain(state, trust.ID{1}); got != nil {
			t.Errorf("a chain of %d certificates passes for one of another hash", len(got))
		}
	})
}
