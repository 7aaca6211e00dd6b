package trust

import (
	"testing"
	"time"

	"crypto/x509"

	"mtls-sidecar/proxy/pki"
)

func benchmarkChain(b *testing.B) (*Snapshot, []*x509.Certificate, time.Time) {
	b.Helper()
	root, err := pki.NewRoot(pki.Options{})
	must(b, root, err)
	inter, err := root.Intermediate(pki.Options{})
	must(b, inter, err)
	leaf, err := inter.Issue(pki.Options{DNSNames: []string{"client.example"}})
	must(b, leaf, err)
	return NewSnapshot(certs(root), strict()), certs(leaf.Leaf, inter), time.Now()
}

func BenchmarkVerify(b *testing.B) {
	snap, chain, now := benchmarkChain(b)
	b.ReportAllocs()
	for b.Loop() {
		if v := snap.Verify(chain, now); v.Status != Success {
			b.Fatal(v.Text())
		}
	}
}

// BenchmarkVerifyStranger is what a client without a trusted CA can cost us.
func BenchmarkVerifyStranger(b *testing.B) {
	_, chain, now := benchmarkChain(b)
	snap := NewSnapshot(nil, strict())
	b.ReportAllocs()
	for b.Loop() {
		if v := snap.Verify(chain, now); v.Status != Failed {
			b.Fatal(v.Text())
		}
	}
}

func BenchmarkChainID(b *testing.B) {
	_, chain, _ := benchmarkChain(b)
	b.ReportAllocs()
	for b.Loop() {
		ChainID(chain)
	}
}

func BenchmarkKnown(b *testing.B) {
	snap, chain, now := benchmarkChain(b)
	c, id := NewChains(), ChainID(chain)
	c.Judge(snap, id, chain, now)
	b.ReportAllocs()
	for b.Loop() {
		if _, known := c.Known(snap, id, now); !known {
			b.Fatal("forgotten")
		}
	}
}

func TestAskingForAKnownChainDoesNotAllocate(t *testing.T) {
	w := newWorld(t)
	snap, chain := NewSnapshot(certs(w.root), strict()), certs(w.leaf(w.root, pki.Options{}))
	c, id := NewChains(), ChainID(chain)
	c.Judge(snap, id, chain, w.now)
	if n := testing.AllocsPerRun(100, func() { c.Known(snap, id, w.now) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
