package trust

import (
	"container/list"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"sync"
	"time"
)

// ID names a presented chain. The zero ID names none.
type ID [sha256.Size]byte

// ChainID is the SHA-256 over all certificates as presented, each DER preceded by its
// length in four bytes so that no two chains read alike. An empty chain has the zero ID.
func ChainID(chain []*x509.Certificate) ID {
	if len(chain) == 0 {
		return ID{}
	}
	h := sha256.New()
	var length [4]byte
	for _, c := range chain {
		binary.BigEndian.PutUint32(length[:], uint32(len(c.Raw)))
		h.Write(length[:])
		h.Write(c.Raw)
	}
	return ID(h.Sum(nil))
}

// maxChains is how many chains are remembered, each at most maxChainBytes and all
// together at most maxChainsBytes of DER; parsed, certificates take some two to
// four times that. A believed client that presents another ballast each time can thus
// not fill the memory.
const (
	maxChains      = 4096
	maxChainBytes  = 32 << 10
	maxChainsBytes = 16 << 20
)

// Chains remembers the verdicts on chains that were believed, so that neither
// a known client's full handshake nor a resumed session costs signature checks.
// When there are too many, the one not used for longest is forgotten. Chains
// that were never believed are not kept: strangers could push out the others.
type Chains struct {
	max     int
	mu      sync.Mutex
	entries map[ID]*list.Element
	recent  *list.List // of *known, most recently used first
	bytes   int        // of DER in all of them
}

// known is a chain with the verdict last reached, and under which belief.
type known struct {
	id      ID
	chain   []*x509.Certificate
	bytes   int
	belief  *identity
	judged  time.Time
	verdict Verdict
}

// NewChains returns an empty memory for 4096 chains.
func NewChains() *Chains { return newChains(maxChains) }

func newChains(limit int) *Chains {
	return &Chains{max: limit, entries: make(map[ID]*list.Element), recent: list.New()}
}

// Judge returns the verdict on a chain, remembered or reached now. id must be
// ChainID(chain). Call it only after the handshake has proved that the client
// holds the key of chain[0]: it stores the chain.
func (c *Chains) Judge(snap *Snapshot, id ID, chain []*x509.Certificate, now time.Time) Verdict {
	if len(chain) == 0 {
		return Verdict{}
	}
	if verdict, ok := c.Known(snap, id, now); ok {
		return verdict
	}
	verdict := snap.Verify(chain, now)
	if bytes := sizeOf(chain); verdict.Status == Success && bytes <= maxChainBytes {
		c.remember(&known{id, chain, bytes, snap.identity(), now, verdict})
	}
	return verdict
}

// Known returns the verdict on a chain that Judge has stored, reached afresh
// when something else was trusted then, it has run out, or the clock was set back;
// false when the chain is not known. It never stores a chain.
func (c *Chains) Known(snap *Snapshot, id ID, now time.Time) (Verdict, bool) {
	c.mu.Lock()
	element, ok := c.entries[id]
	if !ok {
		c.mu.Unlock()
		return Verdict{}, false
	}
	c.recent.MoveToFront(element)
	k := element.Value.(*known)
	c.mu.Unlock()

	if k.belief == snap.identity() && k.verdict.Holds(now) && !now.Before(k.judged) {
		return k.verdict, true
	}
	verdict := snap.Verify(k.chain, now) // outside the lock: it may cost signature checks
	c.remember(&known{id, k.chain, k.bytes, snap.identity(), now, verdict})
	return verdict, true
}

// remember stores k, replacing what is known of the same chain. An entry is
// never changed once stored, so readers need the lock only to find it.
func (c *Chains) remember(k *known) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if element, ok := c.entries[k.id]; ok {
		element.Value = k
		c.recent.MoveToFront(element)
		return
	}
	c.entries[k.id] = c.recent.PushFront(k)
	c.bytes += k.bytes
	for c.recent.Len() > c.max || c.bytes > maxChainsBytes {
		oldest := c.recent.Back()
		forgotten := c.recent.Remove(oldest).(*known)
		delete(c.entries, forgotten.id)
		c.bytes -= forgotten.bytes
	}
}

func sizeOf(chain []*x509.Certificate) (bytes int) {
	for _, c := range chain {
		bytes += len(c.Raw)
	}
	return bytes
}
