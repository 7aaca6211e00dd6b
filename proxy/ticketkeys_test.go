package proxy

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"sync"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// The derivation by RFC 5869 §2.2 and §2.3, step by step, for one block and no salt.
func TestATicketKeyIsTheHKDFOfTheWholeFile(t *testing.T) {
	cas := []*x509.Certificate{testCA(t).ca.Cert, anotherCA(t)}
	first, second := sha256.Sum256(cas[0].Raw), sha256.Sum256(cas[1].Raw)
	if bytes.Compare(first[:], second[:]) > 0 {
		first, second = second, first
	}
	set := sha256.Sum256(append(first[:], second[:]...))
	mac := func(key []byte, parts ...[]byte) []byte {
		h := hmac.New(sha256.New, key)
		for _, part := range parts {
			h.Write(part)
		}
		return h.Sum(nil)
	}
	for _, size := range ticketFileSizes {
		content := keyMaterial(t, size)
		want := mac(mac(make([]byte, sha256.Size), content), []byte("mtls-sidecar session tickets 1 "), set[:], []byte{1})
		if got := derived(t, content, cas...); !bytes.Equal(got[:], want) {
			t.Errorf("%d bytes: got %x, want %x", size, got, want)
		}
		for i := range content { // the last byte counts as the first does
			content[i] ^= 1
			if got := derived(t, content, cas...); bytes.Equal(got[:], want) {
				t.Fatalf("%d bytes: byte %d makes no difference", size, i)
			}
			content[i] ^= 1
		}
	}
}

// derived is the key that a file gives under some client CAs.
func derived(t *testing.T, content []byte, cas ...*x509.Certificate) [32]byte {
	t.Helper()
	k := newTicketKeys(time.Minute)
	if err := k.use([][]byte{content}, cas); err != nil {
		t.Fatal(err)
	}
	return k.shared[0]
}

func TestTicketKeysGoWithTheSetOfClientCAsNotWithItsOrder(t *testing.T) {
	content := keyMaterial(t, 80)
	a, b, c := testCA(t).ca.Cert, anotherCA(t), anotherCA(t)
	key := derived(t, content, a, b)
	for name, same := range map[string][]*x509.Certificate{"another order": {b, a}, "one of them twice": {a, b, a}} {
		if derived(t, content, same...) != key {
			t.Errorf("%s gives another key", name)
		}
	}
	for name, other := range map[string][]*x509.Certificate{
		"one less": {a}, "the other less": {b}, "one more": {a, b, c}, "one replaced": {a, c}, "none": nil,
	} {
		if derived(t, content, other...) == key {
			t.Errorf("%s gives the same key", name)
		}
	}
}

// someSession is a session without a certificate, as crypto/tls encodes one.
func someSession(t testing.TB) *tls.SessionState {
	t.Helper()
	encoded := append([]byte{3, 4, 1, 0x13, 1}, make([]byte, 8)...) // TLS 1.3, server, AES-128-GCM; made in 1970
	encoded = append(encoded, 1, 's')                               // the secret
	encoded = append(encoded, make([]byte, 3+1+1+3+3)...)
	state, err := tls.ParseSessionState(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// sealer is a base configuration under keys.
func sealer(k *ticketKeys, now time.Time) *tls.Config {
	config := &tls.Config{}
	k.apply(config, now)
	return config
}

func seal(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	ticket, err := config.EncryptTicket(tls.ConnectionState{}, someSession(t))
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func opens(t testing.TB, config *tls.Config, ticket []byte) bool {
	t.Helper()
	state, err := config.DecryptTicket(ticket, tls.ConnectionState{})
	if err != nil {
		t.Fatal(err)
	}
	return state != nil
}

func TestTheFirstTicketKeyFileSealsAndAllOpen(t *testing.T) {
	old, current, next := keyMaterial(t, 80), keyMaterial(t, 48), keyMaterial(t, 32)
	now := time.Now()
	with := func(material ...[]byte) *tls.Config {
		k := newTicketKeys(time.Minute)
		if err := k.use(material, []*x509.Certificate{testCA(t).ca.Cert}); err != nil {
			t.Fatal(err)
		}
		return sealer(k, now)
	}
	both, turned := with(current, old), with(next, current)
	for _, test := range []struct {
		name     string
		sealed   *tls.Config
		opened   *tls.Config
		possible bool
	}{
		{"before a rotation, after it", both, turned, true},
		{"after a rotation, where it has not come yet", turned, both, false},
		{"by the first, where it is the only one", both, with(current), true},
		{"by the first, where only the second is", both, with(old), false},
		{"by the second alone, where it is the second", with(old), both, true},
		{"by the same files in another order", with(old, current), both, true},
	} {
		if got := opens(t, test.opened, seal(t, test.sealed)); got != test.possible {
			t.Errorf("%s: opens %t, want %t", test.name, got, test.possible)
		}
	}
}

func TestRandomTicketKeysTurnOncePerSessionLifetime(t *testing.T) {
	for _, test := range []struct{ timeout, period time.Duration }{
		{5 * time.Minute, 10 * time.Minute}, {time.Second, 10 * time.Minute}, {time.Hour, time.Hour},
	} {
		k := newTicketKeys(test.timeout)
		begin := time.Now()
		base := sealer(k, begin)
		first := seal(t, base)
		at := func(offset time.Duration, sealsAnew, firstOpens bool) {
			t.Helper()
			before := seal(t, base)
			k.apply(base, begin.Add(offset))
			// A key seals first and opens alone where nothing else is.
			alone := &tls.Config{}
			alone.SetSessionTicketKeys(k.own[:1])
			if got := !opens(t, alone, before); got != sealsAnew {
				t.Errorf("period %s, after %s: a new key seals: %t, want %t", test.period, offset, got, sealsAnew)
			}
			if !opens(t, base, before) {
				t.Errorf("period %s, after %s: the last ticket no longer opens", test.period, offset)
			}
			if got := opens(t, base, first); got != firstOpens {
				t.Errorf("period %s, after %s: the first ticket opens: %t, want %t", test.period, offset, got, firstOpens)
			}
		}
		at(time.Second, false, true)
		at(test.period-1, false, true)
		at(test.period, true, true)
		at(2*test.period-1, false, true)
		at(2*test.period, true, false)
		at(10*test.period, true, false)
		at(9*test.period, true, false) // somebody has set the clock back
	}
}

// A renewed server certificate comes with a new base configuration.
func TestRandomTicketKeysLiveOnInANewConfiguration(t *testing.T) {
	k := newTicketKeys(time.Minute)
	now := time.Now()
	ticket := seal(t, sealer(k, now))
	if err := k.use(nil, []*x509.Certificate{anotherCA(t)}); err != nil {
		t.Fatal(err)
	}
	if !opens(t, sealer(k, now), ticket) {
		t.Error("a session was lost by a reload")
	}
	if opens(t, sealer(newTicketKeys(time.Minute), now), ticket) {
		t.Error("another process opens the ticket")
	}
}

func TestTicketKeysGoOverFromFilesToRandomOnesAndBack(t *testing.T) {
	k := newTicketKeys(time.Minute)
	now := time.Now()
	cas := []*x509.Certificate{testCA(t).ca.Cert}
	material := [][]byte{keyMaterial(t, 80)}
	use := func(material [][]byte) *tls.Config {
		if err := k.use(material, cas); err != nil {
			t.Fatal(err)
		}
		return sealer(k, now)
	}
	random := seal(t, use(nil))
	shared := seal(t, use(material))
	if opens(t, use(material), random) || opens(t, use(nil), shared) {
		t.Error("a ticket opens under keys that are not in use")
	}
	if !opens(t, use(material), shared) || !opens(t, use(nil), random) {
		t.Error("a ticket does not open under its own keys")
	}
}

func TestTicketKeysMayTurnWhileTheyAreInUse(t *testing.T) {
	k := newTicketKeys(time.Minute)
	begin := time.Now()
	base := sealer(k, begin)
	state := someSession(t)
	material := [][]byte{keyMaterial(t, 80)}
	cas := []*x509.Certificate{testCA(t).ca.Cert}
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range 50 {
				switch worker {
				case 0:
					k.apply(base, begin.Add(time.Duration(i)*5*time.Minute))
				case 1:
					if err := k.use(material[:i%2], cas); err != nil {
						t.Error(err)
					}
				default:
					ticket, err := base.Clone().EncryptTicket(tls.ConnectionState{}, state)
					if err != nil {
						t.Error(err)
					}
					if _, err := base.DecryptTicket(ticket, tls.ConnectionState{}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
}

// One file serves several servers, as is done with nginx: what one with other
// clients has sealed does not even open here.
func TestTicketsOfTheSameFileUnderAnotherCADoNotOpen(t *testing.T) {
	content := [][]byte{keyMaterial(t, 80)}
	other, err := pki.NewRoot(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	here, there := newTicketKeys(time.Minute), newTicketKeys(time.Minute)
	if err := here.use(content, []*x509.Certificate{testCA(t).ca.Cert}); err != nil {
		t.Fatal(err)
	}
	if err := there.use(content, []*x509.Certificate{other.Cert}); err != nil {
		t.Fatal(err)
	}
	if opens(t, sealer(here, time.Now()), seal(t, sealer(there, time.Now()))) {
		t.Error("the ticket opens")
	}
}
