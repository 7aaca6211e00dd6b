package trust

import (
	"crypto/x509"
	"slices"
	"sync/atomic"
	"time"
)

// Policy is what the operator demands beyond a valid chain.
type Policy struct {
	// MaxDepth is the most intermediates between leaf and root, nginx's
	// ssl_verify_depth with OpenSSL 1.1.0 or later; 0: the root itself must
	// have issued the leaf. Negative: no limit but maxPath.
	MaxDepth int
	// MinRSABits is the smallest RSA modulus of any certificate on the path, root
	// included; OpenSSL's security level 2 has 2048. Zero: no limit.
	MinRSABits int
	// CRLs are the revocation lists in force. Nil: none is configured, and
	// nothing is checked; that is not the same as none at hand.
	CRLs *CRLs
	// CRLPolicy says of which certificates a current list is demanded.
	CRLPolicy CRLPolicy
	// CRLGrace is how long a list counts as current past its NextUpdate; nginx has none.
	CRLGrace time.Duration
}

// Snapshot is what is trusted at one time. It is immutable: all methods may be
// called from any goroutine, and its certificates must not be changed.
type Snapshot struct {
	*content
	generation atomic.Uint64 // zero until published
}

// content is what decides. Snapshots of the same content give the same verdicts.
type content struct {
	policy    Policy
	cas       []*x509.Certificate
	bySubject map[string][]*certificate       // by canonical subject, in file order
	rootPools map[*certificate]*x509.CertPool // of each self-signed CA: itself alone
	identity  *identity
}

// identity is compared by its address, so it must have a size.
type identity struct{ _ byte }

// NewSnapshot takes the trusted certificates in the order of their files, which
// decides between CAs of the same name as in OpenSSL. Only self-signed ones
// are anchors; the others serve as intermediates. Without any, no client can
// be verified.
func NewSnapshot(cas []*x509.Certificate, p Policy) *Snapshot {
	s := &Snapshot{content: &content{
		policy:    p,
		bySubject: make(map[string][]*certificate),
		rootPools: make(map[*certificate]*x509.CertPool),
		identity:  new(identity),
	}}
	seen := make(map[string]bool, len(cas))
	for _, raw := range cas {
		if raw == nil || seen[string(raw.Raw)] {
			continue
		}
		seen[string(raw.Raw)] = true
		s.cas = append(s.cas, raw)
		c := newCertificate(raw)
		c.trusted = true
		s.bySubject[c.subject] = append(s.bySubject[c.subject], c)
		if c.selfSigned {
			pool := x509.NewCertPool()
			pool.AddCert(raw)
			s.rootPools[c] = pool
		}
	}
	return s
}

// CAs returns the trusted certificates in file order, duplicates removed.
func (s *Snapshot) CAs() []*x509.Certificate { return slices.Clone(s.cas) }

// Generation is the number that the Store gave the snapshot when it was
// published: one for the first, growing by one; zero before.
func (s *Snapshot) Generation() uint64 { return s.generation.Load() }

// copyUnpublished returns a snapshot of the same content without a generation.
func (s *Snapshot) copyUnpublished() *Snapshot { return &Snapshot{content: s.content} }

// identity returns what tells this content from any other, for whoever must not
// keep the content itself, revocation lists and all, from being collected.
func (s *Snapshot) identity() *identity {
	if s == nil {
		return nil
	}
	return s.content.identity
}
