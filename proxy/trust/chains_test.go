package trust

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
	"weak"

	"mtls-sidecar/proxy/pki"
)

func TestAKnownChainIsNotJudgedTwice(t *testing.T) {
	w := newWorld(t)
	snap := NewSnapshot(certs(w.root), strict())
	chain := certs(w.leaf(w.root, pki.Options{}))
	id := ChainID(chain)
	c := NewChains()
	if _, known := c.Known(snap, id, w.now); known {
		t.Errorf("a chain is known before it was judged")
	}
	if v := c.Judge(snap, id, chain, w.now); v.Status != Success {
		t.Errorf("the first judgement is %q", v.Text())
	}
	// A chain of another length under the same ID shows who answers: memory or Verify.
	forged := certs(w.leaf(w.stranger, pki.Options{}))
	if v := c.Judge(snap, id, forged, w.now); v.Status != Success {
		t.Errorf("the known chain was judged again: %q", v.Text())
	}
	if v, known := c.Known(snap, id, w.now); !known || v.Status != Success {
		t.Errorf("after its judgement the chain is known: %v, %q", known, v.Text())
	}
}

func TestAKnownChainIsJudgedAfreshWhenSomethingChanged(t *testing.T) {
	w := newWorld(t)
	old, next := NewSnapshot(certs(w.root), strict()), NewSnapshot(certs(w.stranger), strict())
	chain := certs(w.leaf(w.root, pki.Options{NotBefore: w.now, NotAfter: w.now.Add(time.Minute)}))
	id := ChainID(chain)
	for _, c := range []struct {
		name string
		snap *Snapshot
		now  time.Time
		want Reason
	}{
		{"nothing changed", old, w.now, 0},
		{"just before its end", old, w.now.Add(time.Minute - 1), 0},
		{"at its end", old, w.now.Add(time.Minute), Expired},
		{"the clock was set back", old, w.now.Add(-time.Second), NotYetValid},
		{"the CA is gone", next, w.now, UnknownCA},
		{"there is no snapshot", nil, w.now, UnknownIssuer},
	} {
		chains := NewChains()
		chains.Judge(old, id, chain, w.now)
		v, known := chains.Known(c.snap, id, c.now)
		if !known || v.Reason != c.want {
			t.Errorf("%s: known %v, %v, want %v", c.name, known, v.Reason, c.want)
		}
		if v, _ := chains.Known(old, id, w.now); v.Status != Success {
			t.Errorf("%s: back to what was, it is %q", c.name, v.Text())
		}
	}
}

// entry is what c remembers of a chain; it is replaced when the chain is judged again.
func (c *Chains) entry(id ID) *known { return c.entries[id].Value.(*known) }

func TestAKnownChainIsNotJudgedAgainUnderTheSameContent(t *testing.T) {
	w := newWorld(t)
	var store Store
	store.Publish(NewSnapshot(certs(w.root), strict()))
	chain := certs(w.leaf(w.root, pki.Options{}))
	id := ChainID(chain)
	c := NewChains()
	c.Judge(store.Current(), id, chain, w.now)
	judged := c.entry(id)
	store.Renew()
	if v, known := c.Known(store.Current(), id, w.now); !known || v.Status != Success || c.entry(id) != judged {
		t.Errorf("of a renewed snapshot it is %q, judged again: %v", v.Text(), c.entry(id) != judged)
	}
	store.Publish(NewSnapshot(certs(w.root), strict()))
	if c.Known(store.Current(), id, w.now); c.entry(id) == judged {
		t.Errorf("for new content it was not judged again")
	}
}

func TestARevokedClientIsNoLongerKnownAsGood(t *testing.T) {
	w := newWorld(t)
	chain := certs(w.leaf(w.root, pki.Options{}))
	id := ChainID(chain)
	policy := strict()
	policy.CRLs = newCRLs([]*CRL{w.crl(crlSpec{by: w.root, next: minute})})
	before := NewSnapshot(certs(w.root), policy)
	policy.CRLs = newCRLs([]*CRL{w.crl(crlSpec{by: w.root, number: 2, revokes: chain})})
	after := NewSnapshot(certs(w.root), policy)
	c := NewChains()
	for _, step := range []struct {
		name string
		snap *Snapshot
		at   time.Duration
		want Reason
	}{
		{"good", before, 0, 0}, {"the list has ended", before, minute, CRLExpired}, {"the clock was set back", before, 0, 0},
		{"revoked", after, 0, Revoked}, {"good under the old list", before, 0, 0},
	} {
		if v := c.Judge(step.snap, id, chain, w.now.Add(step.at)); v.Reason != step.want {
			t.Errorf("%s: %v, want %v", step.name, v.Reason, step.want)
		}
	}
}

// A remembered chain must not keep the lists of its day, which may take tens of megabytes.
func TestRememberedChainsDoNotKeepOldSnapshots(t *testing.T) {
	w := newWorld(t)
	chain := certs(w.leaf(w.root, pki.Options{}))
	c := NewChains()
	old := weak.Make(func() *content {
		policy := strict()
		policy.CRLs = newCRLs([]*CRL{w.crl(crlSpec{by: w.root})})
		snap := NewSnapshot(certs(w.root), policy)
		if v := c.Judge(snap, ChainID(chain), chain, w.now); v.Status != Success {
			t.Fatalf("%q", v.Text())
		}
		return snap.content
	}())
	runtime.GC()
	if old.Value() != nil {
		t.Errorf("the snapshot is still in memory")
	}
	if _, known := c.Known(NewSnapshot(certs(w.root), strict()), ChainID(chain), w.now); !known {
		t.Errorf("the chain was forgotten with it")
	}
}

func TestStrangersAreNotRemembered(t *testing.T) {
	w := newWorld(t)
	snap := NewSnapshot(certs(w.root), strict())
	chain := certs(w.leaf(w.stranger, pki.Options{}))
	c := NewChains()
	if v := c.Judge(snap, ChainID(chain), chain, w.now); v.Status != Failed {
		t.Errorf("a stranger is %q", v.Text())
	}
	if _, known := c.Known(snap, ChainID(chain), w.now); known {
		t.Errorf("a chain that was never believed is remembered")
	}
}

func TestAnEmptyChainIsNone(t *testing.T) {
	c := NewChains()
	if v := c.Judge(NewSnapshot(nil, strict()), ChainID(nil), nil, time.Now()); v.Status != None {
		t.Errorf("no certificate is %q", v.Text())
	}
	if ChainID(nil) != (ID{}) {
		t.Errorf("the ID of no certificate is not zero")
	}
}

func TestTheChainNotUsedForLongestIsForgotten(t *testing.T) {
	w := newWorld(t)
	snap := NewSnapshot(certs(w.root), strict())
	c := newChains(3)
	var ids []ID
	for range 5 {
		chain := certs(w.leaf(w.root, pki.Options{}))
		ids = append(ids, ChainID(chain))
		c.Judge(snap, ids[len(ids)-1], chain, w.now)
		c.Known(snap, ids[0], w.now) // the first stays in use
	}
	var known []bool
	for _, id := range ids {
		_, ok := c.Known(snap, id, w.now)
		known = append(known, ok)
	}
	if want := []bool{true, false, false, true, true}; !slices.Equal(known, want) {
		t.Errorf("known are %v, want %v", known, want)
	}
	if len(c.entries) != 3 || c.recent.Len() != 3 {
		t.Errorf("%d and %d entries, want 3", len(c.entries), c.recent.Len())
	}
}

func TestTheIDTellsChainsApart(t *testing.T) {
	cert := func(raw string) *x509.Certificate { return &x509.Certificate{Raw: []byte(raw)} }
	seen := make(map[ID]string)
	for _, chain := range [][]*x509.Certificate{
		{cert("ab"), cert("c")}, {cert("a"), cert("bc")}, {cert("abc")}, {cert("c"), cert("ab")}, {cert("abc"), cert("")},
	} {
		id := ChainID(chain)
		if other, ok := seen[id]; ok {
			t.Errorf("%v and %v have one ID", chain, other)
		}
		seen[id] = fmt.Sprint(chain)
	}
}

func TestManyConnectionsMayAskAtOnce(t *testing.T) {
	w := newWorld(t)
	snaps := []*Snapshot{NewSnapshot(certs(w.root), strict()), NewSnapshot(certs(w.root), strict())}
	var chains [][]*x509.Certificate
	for range 4 {
		chains = append(chains, certs(w.leaf(w.root, pki.Options{})))
	}
	c := newChains(3)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := range 50 {
				chain := chains[(i+n)%len(chains)]
				if v := c.Judge(snaps[n%2], ChainID(chain), chain, w.now); v.Status != Success {
					t.Errorf("%q", v.Text())
				}
				c.Known(snaps[(n+1)%2], ChainID(chain), w.now)
			}
		})
	}
	group.Wait()
}

func TestBallastBehindACertificateDoesNotFillTheMemory(t *testing.T) {
	w := newWorld(t)
	snap := NewSnapshot(certs(w.root), strict())
	ballast := func(bytes int) *x509.Certificate {
		return w.leaf(w.stranger, pki.Options{ExtraExtensions: []pkix.Extension{{Id: oidUnknown, Value: make([]byte, bytes)}}})
	}
	leaf := w.leaf(w.root, pki.Options{})

	c := NewChains()
	for i := range 1000 { // 20 MiB
		c.Judge(snap, ID{1, byte(i >> 8), byte(i)}, certs(leaf, ballast(20<<10)), w.now)
		if c.bytes > maxChainsBytes {
			t.Fatalf("%d chains take %d bytes, want %d at most", c.recent.Len(), c.bytes, maxChainsBytes)
		}
	}
	if n := c.recent.Len(); n < maxChainsBytes/(22<<10) || n >= 1000 || n != len(c.entries) {
		t.Errorf("%d chains are remembered under %d names, want what fits", n, len(c.entries))
	}
	if _, known := c.Known(snap, ID{1, 999 >> 8, 999 & 0xff}, w.now); !known {
		t.Errorf("the last chain is not remembered")
	}
	if v := c.Judge(snap, ID{2}, certs(leaf, ballast(maxChainBytes)), w.now); v.Status != Success {
		t.Errorf("a believed client with a large chain gets %q", v.Text())
	}
	if _, known := c.Known(snap, ID{2}, w.now); known {
		t.Errorf("a chain above %d bytes is remembered", maxChainBytes)
	}
}
