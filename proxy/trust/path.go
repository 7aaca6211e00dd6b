package trust

import (
	"bytes"
	"crypto/x509"
	"time"
)

const (
	// maxPath is the most certificates on a path, leaf and root included. Real
	// ones have two to five; the limit bounds the work that a client can cause.
	maxPath = 16
	// maxPresented is the most certificates that a client may send.
	maxPresented = 32
)

// path is the one chain that OpenSSL would judge. It is not the best of
// several: where two CAs bear the same name the first fitting one counts, even
// if the other would have led to success.
type path struct {
	certs    []*certificate // leaf first
	anchored bool           // it ends in a self-signed certificate of the snapshot
	fault    fault          // why it does not
	now      time.Time
	until    time.Time // see Verdict.Until
}

// build makes the path as OpenSSL 3.0's build_chain does with its default of
// looking among the trusted certificates first.
func (s *Snapshot) build(presented []*x509.Certificate, now time.Time) *path {
	p := &path{certs: make([]*certificate, 1, len(presented)+1), now: now}
	pool := make([]*certificate, 0, len(presented)-1)
	for _, c := range presented[1:] {
		pool = append(pool, newCertificate(c))
	}
	p.certs[0] = newCertificate(presented[0])
	p.bound(p.certs[0])

	limit, fromClient := s.longest(), 1
	for len(p.certs) < limit {
		top := p.certs[len(p.certs)-1]
		if anchor := p.choose(s.bySubject[top.issuer], top); anchor != nil {
			if !top.selfSigned {
				p.certs = append(p.certs, anchor)
				if anchor.selfSigned {
					p.anchored = true
					return p
				}
				pool = nil // once on trusted ground the client has no say
				continue
			}
			// A self-signed certificate must be the trusted one itself: one of
			// the same name and key identifier may have another key.
			if bytes.Equal(anchor.Raw, top.Raw) {
				p.certs[len(p.certs)-1] = anchor
				p.anchored = true
				return p
			}
		}
		if top.selfSigned {
			break
		}
		next := p.choose(p.unused(pool), top)
		if next == nil {
			break
		}
		p.certs = append(p.certs, next)
		fromClient++
	}
	p.fault = p.unanchored(fromClient)
	return p
}

// longest is how many certificates a path may have with this policy.
func (s *Snapshot) longest() int {
	if s.policy.MaxDepth < 0 || s.policy.MaxDepth > maxPath-2 {
		return maxPath
	}
	return s.policy.MaxDepth + 2
}

// choose returns the issuer of subject among candidates: the first that is
// valid now, else the one that expired last, else nil.
func (p *path) choose(candidates []*certificate, subject *certificate) *certificate {
	var nearest *certificate
	for _, c := range candidates {
		if !c.mayHaveIssued(subject) {
			continue
		}
		p.bound(c)
		if c.inDate(p.now) {
			return c
		}
		if nearest == nil || c.NotAfter.After(nearest.NotAfter) {
			nearest = c
		}
	}
	return nearest
}

// unused leaves out what is on the path already, so that CAs that signed each
// other lead nowhere rather than round.
func (p *path) unused(pool []*certificate) []*certificate {
	free := make([]*certificate, 0, len(pool))
candidates:
	for _, c := range pool {
		for _, on := range p.certs {
			if bytes.Equal(on.Raw, c.Raw) {
				continue candidates
			}
		}
		free = append(free, c)
	}
	return free
}

// unanchored names the fault of a path that does not end in a trusted root. A
// path that stopped at the limit is "too long" only in OpenSSL's first report;
// the last one is about where it stopped.
func (p *path) unanchored(fromClient int) fault {
	top := p.certs[len(p.certs)-1]
	switch {
	case top.selfSigned && len(p.certs) == 1:
		return fault{SelfSigned, top}
	case top.selfSigned:
		return fault{UntrustedRoot, top}
	case fromClient < len(p.certs):
		return fault{IssuerMissing, top}
	default:
		return fault{UnknownIssuer, top}
	}
}

// bound takes the certificate's validity into account for Verdict.Until.
func (p *path) bound(c *certificate) {
	p.boundAt(c.NotBefore, c.NotAfter)
}

// boundAt takes two instants at which something begins or ends into account.
func (p *path) boundAt(begin, end time.Time) {
	for _, t := range [...]time.Time{begin, end} {
		if t.After(p.now) && (p.until.IsZero() || t.Before(p.until)) {
			p.until = t
		}
	}
}

// chain is the path for the Verdict.
func (p *path) chain() []*x509.Certificate {
	out := make([]*x509.Certificate, len(p.certs))
	for i, c := range p.certs {
		out[i] = c.Certificate
	}
	return out
}
