package trust

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

func TestNoCertificateIsNone(t *testing.T) {
	w := newWorld(t)
	if v := NewSnapshot(certs(w.root), strict()).Verify(nil, w.now); v.Status != None || v.Text() != "NONE" {
		t.Errorf("no certificate gives %q, want NONE", v.Text())
	}
}

func TestNothingIsBelievedWithoutASnapshot(t *testing.T) {
	w := newWorld(t)
	var store Store
	v := store.Current().Verify(certs(w.leaf(w.root, pki.Options{})), w.now)
	if v.Status != Failed {
		t.Errorf("the verdict of an empty store is %q, want a failure", v.Text())
	}
}

func TestTextIsNginxs(t *testing.T) {
	for _, c := range []struct {
		v    Verdict
		want string
	}{
		{Verdict{}, "NONE"},
		{Verdict{Status: Success}, "SUCCESS"},
		{Verdict{Status: Failed, Reason: Expired}, "FAILED:certificate has expired"},
		{Verdict{Status: Failed, Reason: SelfSigned}, "FAILED:self-signed certificate"},
	} {
		if got := c.v.Text(); got != c.want {
			t.Errorf("%+v is %q, want %q", c.v, got, c.want)
		}
	}
}

func TestUntilIsTheNextBoundaryOfAnyCertificateLookedAt(t *testing.T) {
	w := newWorld(t)
	in := func(d time.Duration) time.Time { return w.now.Add(d) }
	early := w.sub(w.root, pki.Options{NotAfter: in(2 * time.Hour)})
	for _, c := range []struct {
		name  string
		leaf  *x509.Certificate
		extra *pki.Authority
		want  time.Time
	}{
		{"the leaf ends first", w.leaf(w.root, pki.Options{NotAfter: in(time.Hour)}), nil, in(time.Hour)},
		{"the intermediate ends first", w.leaf(early, pki.Options{NotAfter: in(3 * time.Hour)}), early, in(2 * time.Hour)},
		{"the leaf has not begun", w.leaf(w.root, pki.Options{NotBefore: in(time.Minute)}), nil, in(time.Minute)},
		{"the leaf is over, its root is not", w.leaf(w.root, pki.Options{NotAfter: in(-time.Minute)}), nil, w.root.Cert.NotAfter},
	} {
		v := NewSnapshot(certs(w.root), strict()).Verify(append(certs(c.leaf), authorities(c.extra)...), w.now)
		if !v.Until.Equal(c.want) {
			t.Errorf("%s: until %v, want %v", c.name, v.Until, c.want)
		}
		if v.Holds(v.Until) || !v.Holds(v.Until.Add(-time.Nanosecond)) {
			t.Errorf("%s: the verdict does not end exactly at Until", c.name)
		}
	}
}

func authorities(a *pki.Authority) []*x509.Certificate {
	if a == nil {
		return nil
	}
	return certs(a)
}

// TestAVerdictHoldsUntilItSays: asked again at any time before Until, the
// answer is the same. Two intermediates of one name, one of them worthless, take
// turns in being valid, so that the path changes with time.
func TestAVerdictHoldsUntilItSays(t *testing.T) {
	w := newWorld(t)
	minute := func(n int) time.Time { return w.now.Add(time.Duration(n) * time.Minute) }
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		span := func() pki.Options {
			from := random.IntN(60)
			return pki.Options{Subject: pkix.Name{CommonName: "Turn"}, NoKeyIDs: true,
				NotBefore: minute(from), NotAfter: minute(from + 1 + random.IntN(60))}
		}
		good, bad := w.sub(w.root, span()), w.sub(w.root, span())
		o := span()
		o.Subject = pkix.Name{CommonName: "client"}
		chain := certs(w.leaf(good, o), bad, good)
		snap := NewSnapshot(certs(w.root), strict())
		var last Verdict
		for n := -1; n < 130; n++ {
			now := minute(n)
			v := snap.Verify(chain, now)
			if n >= 0 && last.Holds(now) && (v.Status != last.Status || v.Reason != last.Reason) {
				t.Fatalf("round %d: %q held until %v, but at %v it is %q", round, last.Text(), last.Until, now, v.Text())
			}
			if n < 0 || !last.Holds(now) {
				last = v
			}
		}
	}
}

func TestVerifyIsPureAndSafeForManyAtOnce(t *testing.T) {
	w := newWorld(t)
	snap := NewSnapshot(certs(w.root), strict())
	for _, chain := range [][]*x509.Certificate{
		certs(w.leaf(w.inter, pki.Options{}), w.inter),
		certs(w.leaf(w.stranger, pki.Options{}), w.stranger),
	} {
		want := snap.Verify(chain, w.now)
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for range 20 {
					if got := snap.Verify(chain, w.now); !reflect.DeepEqual(got, want) {
						t.Errorf("the verdict changed from %q to %q", want.Text(), got.Text())
					}
				}
			})
		}
		group.Wait()
	}
}

func TestASnapshotDoesNotChangeWithWhatItWasMadeFrom(t *testing.T) {
	w := newWorld(t)
	cas := certs(w.root, w.root, w.stranger)
	snap := NewSnapshot(cas, strict())
	chain := certs(w.leaf(w.root, pki.Options{}))
	cas[0], cas[1], cas[2] = w.stranger.Cert, nil, nil
	given := snap.CAs()
	if want := certs(w.root, w.stranger); !slices.Equal(given, want) {
		t.Errorf("the CAs are not those of the file in its order, once each")
	}
	given[0], given[1] = nil, nil
	if v := snap.Verify(chain, w.now); v.Status != Success {
		t.Errorf("after changing both lists the verdict is %q, want SUCCESS", v.Text())
	}
	if snap.CAs()[0] != w.root.Cert {
		t.Errorf("changing the list of CAs has changed the snapshot's")
	}
}

// TestALongChainCostsLittle presents what a hostile client would: as many
// certificates as fit, all CAs of the same name with different keys, and CAs
// that have signed each other in circles.
func TestALongChainCostsLittle(t *testing.T) {
	w := newWorld(t)
	snap := NewSnapshot(certs(w.root), strict())
	name := pkix.Name{CommonName: "Maze"}
	maze := []*pki.Authority{w.ca(pki.Options{Subject: name, NoKeyIDs: true})}
	for i := range 99 {
		maze = append(maze, w.sub(maze[i/2], pki.Options{Subject: pkix.Name{CommonName: fmt.Sprint("Maze ", i%3)}, NoKeyIDs: true}))
	}
	leaf := w.leaf(maze[99], pki.Options{})
	for _, size := range []int{1, 2, maxPath, maxPresented - 1, maxPresented, 99} {
		chain := certs(leaf)
		for _, a := range maze[len(maze)-size:] {
			chain = append(chain, a.Cert)
		}
		v := snap.Verify(chain, w.now)
		if v.Status != Failed {
			t.Errorf("%d certificates of a maze are %q", size, v.Text())
		}
		if len(v.Chain) > maxPath {
			t.Errorf("the path is %d long, want at most %d", len(v.Chain), maxPath)
		}
		if got, want := v.Reason == ChainTooLong, size+1 > maxPresented; got != want {
			t.Errorf("%d presented: %v, want refusal for their number: %v", size+1, v.Reason, want)
		}
	}
}

func TestCAsThatSignedEachOtherLeadNowhere(t *testing.T) {
	w := newWorld(t)
	a := w.ca(pki.Options{Subject: pkix.Name{CommonName: "A"}})
	b := w.ca(pki.Options{Subject: pkix.Name{CommonName: "B"}})
	ab := w.sub(b, pki.Options{Subject: a.Cert.Subject, Key: a.Key})
	ba := w.sub(a, pki.Options{Subject: b.Cert.Subject, Key: b.Key})
	leaf := w.leaf(a, pki.Options{})
	for _, c := range []struct {
		name string
		cas  []*x509.Certificate
		want Reason
	}{
		{"both sent", certs(w.root), UnknownIssuer},
		{"both trusted, but neither is a root", certs(ab, ba), IssuerMissing},
		{"one root trusted", certs(b), 0},
	} {
		v := NewSnapshot(c.cas, strict()).Verify(certs(leaf, ab, ba), w.now)
		if v.Reason != c.want {
			t.Errorf("%s: %v, want %v", c.name, v.Reason, c.want)
		}
		if len(v.Chain) > maxPath {
			t.Errorf("%s: the path is %d long", c.name, len(v.Chain))
		}
	}
}

func TestLongListsOfNamesAndConstraintsAreNotCompared(t *testing.T) {
	w := newWorld(t)
	var permitted, names []string
	for i := range 2000 {
		permitted = append(permitted, fmt.Sprintf("%d.example.com", i))
		names = append(names, fmt.Sprintf("x.%d.example.com", i))
	}
	root := w.ca(pki.Options{PermittedDNS: permitted})
	v := NewSnapshot(certs(root), strict()).Verify(certs(w.leaf(root, pki.Options{DNSNames: names})), w.now)
	if v.Reason != Rejected {
		t.Errorf("four million comparisons: %q, want a refusal", v.Text())
	}
}

func TestAHugeKeyIsNotComputedWith(t *testing.T) {
	w := newWorld(t)
	oversize := *w.inter.Cert
	key := rsaKey(t, 2048).PublicKey
	huge := key
	huge.N = new(big.Int).Lsh(key.N, 8192)
	oversize.PublicKey = &huge
	leaf := *w.leaf(w.inter, pki.Options{})
	leaf.SignatureAlgorithm = x509.SHA256WithRSA
	v := NewSnapshot(nil, strict()).Verify([]*x509.Certificate{&leaf, &oversize}, w.now)
	if v.Reason != IssuerKeyUnusable {
		t.Errorf("a key of %d bits: %v, want %v", huge.N.BitLen(), v.Reason, IssuerKeyUnusable)
	}
}

func TestTheSmallestRSAKeyIsTheOperatorsChoice(t *testing.T) {
	w := newWorld(t)
	root := w.ca(pki.Options{Key: rsaKey(t, 2048)})
	leaf := w.leaf(root, pki.Options{Key: rsaKey(t, 1024)})
	for _, c := range []struct {
		bits int
		want Reason
	}{{0, 0}, {1024, 0}, {2048, WeakKey}, {3072, WeakCAKey}} {
		v := NewSnapshot(certs(root), Policy{MaxDepth: -1, MinRSABits: c.bits}).Verify(certs(leaf), w.now)
		if v.Reason != c.want {
			t.Errorf("at least %d bits: %v, want %v", c.bits, v.Reason, c.want)
		}
	}
}

func TestOfSeveralExpiredIssuersTheLatestIsTheCulprit(t *testing.T) {
	w := newWorld(t)
	key := rsaKey(t, 2048)
	ended := func(ago time.Duration) *pki.Authority {
		return w.sub(w.root, pki.Options{Key: key, NotBefore: w.now.Add(-9 * time.Hour), NotAfter: w.now.Add(-ago)})
	}
	first, last, middle := ended(3*time.Hour), ended(time.Hour), ended(2*time.Hour)
	v := NewSnapshot(certs(w.root), strict()).Verify(certs(w.leaf(first, pki.Options{}), first, last, middle), w.now)
	if v.Reason != Expired || v.Culprit != last.Cert {
		t.Errorf("%q because of the one that ended %v, want %v", v.Text(), v.Culprit.NotAfter, last.Cert.NotAfter)
	}
}
