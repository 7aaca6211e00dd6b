package trust

import (
	"crypto/sha256"
	"crypto/x509"
	"maps"
	"slices"
	"strings"
	"time"
)

// Keep says as of when lists are renewed, and how long they count.
type Keep struct {
	Now   time.Time
	Grace time.Duration // how long past NextUpdate a list counts (MTLS_CRL_GRACE)
	// Unread are the files and folders that could not be read: nobody knows which
	// lists they have now, so that those that they had stay.
	Unread []string
}

// Renew returns the lists in force after a reading of all sources, and what was wrong
// with some of them, each error a *CRLError. c itself is returned when nothing changed; it may be nil.
//
// A list of a CA among cas, the trusted certificates, must bear its signature; one
// that does not is refused, and so is one that the list in force supersedes. What is newer by
// its number or its date alone stands beside the other, and both refuse whom they
// name. A proved list stays, whether a source has it or not, and even past its
// end, until another supersedes it: nobody who cannot sign for the CA makes it go.
//
// The lists of CAs that only clients send cannot be checked here, and wait until a client proves
// them, as do lists dated in the future. Of each source the newest that have
// begun have room (maxWaiting), so that no source crowds out another's. When no source has
// them any longer they stay until they end, as far as there is room (maxVanished), or until one of
// their kind that a source has is proved.
func (c *CRLs) Renew(read []*CRL, cas []*x509.Certificate, keep Keep) (*CRLs, []error) {
	r := newRenewal(cas, keep)
	old := c.All()
	r.hold(old)
	fresh := r.unknown(read)
	r.shed() // first, so that nothing is refused for the sake of a list that goes
	for _, h := range fresh {
		r.join(h)
	}
	renewed := r.settle()
	if c != nil && slices.Equal(old, renewed.All()) && maps.EqualFunc(c.sources, renewed.sources, slices.Equal) && maps.Equal(c.vanished, renewed.vanished) {
		return c, r.faults
	}
	return renewed, r.faults
}

// series is what successive lists have in common: those of one signer replace each
// other. The authority key identifier is no part of it, since some CAs come to add it.
type series struct {
	issuer           string
	onlyUser, onlyCA bool
	point            string // empty: none
}

func seriesOf(list *CRL) series {
	return series{list.issuer, list.scope.onlyUser, list.scope.onlyCA, string(list.scope.point)}
}

// keyHash is the SHA-256 of a public key; zero: of none.
type keyHash [sha256.Size]byte

// signer is the key that was last proved to have signed the list.
func (c *CRL) signer() keyHash {
	if proved := c.signature.proved.Load(); proved != nil {
		return *proved
	}
	return keyHash{}
}

// held is a list that may be in force after the renewal.
type held struct {
	*CRL
	sources []string // that have it; empty: none any longer
	signer  keyHash  // whose signature was proved; zero: nobody's
	trusted bool     // the signer is one of the trusted CAs
}

func (h *held) read() bool { return len(h.sources) > 0 }

// unread reports whether the list comes from what could not be read this time.
func (k Keep) unread(h *held) bool {
	return slices.ContainsFunc(k.Unread, func(path string) bool {
		return h.Source == path || strings.HasPrefix(h.Source, strings.TrimSuffix(path, "/")+"/")
	})
}

func (h *held) proved() bool { return h.signer != keyHash{} }

// from returns the sources that the list is put down to.
func (h *held) from() []string {
	if h.read() {
		return h.sources
	}
	return []string{h.Source}
}

// renewal is one call of Renew.
type renewal struct {
	keep   Keep
	cas    map[string][]*certificate // by canonical subject
	series map[series][]*held
	faults []error
}

func newRenewal(cas []*x509.Certificate, keep Keep) *renewal {
	r := &renewal{keep: keep, cas: make(map[string][]*certificate), series: make(map[series][]*held)}
	for _, raw := range cas {
		ca := newCertificate(raw)
		ca.trusted = true
		r.cas[ca.subject] = append(r.cas[ca.subject], ca)
	}
	return r
}

// prove finds out whose signature the list bears, and reports false when it can only be
// from trusted CAs and is not. A key that has proved it before still counts.
func (r *renewal) prove(h *held) bool {
	known := false
	for _, ca := range r.cas[h.issuer] {
		if ca.malformed || !h.authority.fits(ca) {
			continue
		}
		known = true
		if h.signedBy(ca) {
			h.signer, h.trusted = sha256.Sum256(ca.RawSubjectPublicKeyInfo), true
			return true
		}
	}
	h.signer = h.CRL.signer()
	return h.proved() || !known
}

// hold takes over what was in force. A list whose CA has become known since, and
// has not signed it, goes.
func (r *renewal) hold(lists []*CRL) {
	for _, list := range lists {
		if h := (&held{CRL: list}); r.prove(h) {
			r.add(h)
		}
	}
}

func (r *renewal) add(h *held) {
	s := seriesOf(h.CRL)
	r.series[s] = append(r.series[s], h)
}

// unknown notes which sources have which list and returns those that were not in force, once each,
// the newest first, so that of two in one reading the older finds the newer in force.
func (r *renewal) unknown(read []*CRL) []*held {
	byDigest := make(map[[32]byte]*held, len(read))
	for _, group := range r.series {
		for _, h := range group {
			byDigest[h.Digest] = h
		}
	}
	var fresh []*held
	for _, list := range read {
		if list == nil {
			continue
		}
		h := byDigest[list.Digest]
		if h == nil {
			h = &held{CRL: list}
			byDigest[list.Digest] = h
			fresh = append(fresh, h)
		}
		if !slices.Contains(h.sources, list.Source) {
			h.sources = append(h.sources, list.Source)
		}
	}
	slices.SortFunc(fresh, func(a, b *held) int { return newerFirst(a.CRL, b.CRL) })
	return fresh
}

// join adds a list that was not in force before, unless it is a forgery or out of
// date. What nobody has proved is not measured by the others: it may be of another
// CA of the same name.
func (r *renewal) join(h *held) {
	if !r.prove(h) {
		r.refuse(h, h.describe()+" is not signed by the CA of that name",
			"it is not used; fetch it anew from the CA, or add the CA that has signed it to the client CA file")
		return
	}
	newer := r.superseding(h)
	switch {
	case newer == nil:
		r.add(h)
	case !newer.read(): // else it is an old file beside the new one
		r.tellOlder(h, newer)
	}
}

func (r *renewal) tellOlder(h, newer *held) {
	r.refuse(h, h.describe()+" is older than the one in force, "+newer.describe(),
		"the newer one stays in force; have the CA's latest list delivered")
}

// refuse tells, for each source, of a list that does not come into force.
func (r *renewal) refuse(h *held, fault, remedy string) {
	for _, source := range h.from() {
		r.faults = append(r.faults, &CRLError{Path: source, Fault: fault, Remedy: remedy})
	}
}

// doubt tells of one that is in force, or waits, all the same.
func (r *renewal) doubt(h *held, fault, remedy string) {
	r.faults = append(r.faults, &CRLError{Path: h.Source, Fault: fault, Remedy: remedy, Kept: true})
}

// superseding returns the newest list in force, of the same signer, that supersedes h
// by its number or date: of two that are equal in both one goes without a word.
func (r *renewal) superseding(h *held) *held {
	if !h.proved() {
		return nil
	}
	var newest *held
	for _, other := range r.series[seriesOf(h.CRL)] {
		if other.signer == h.signer && other.begun(r.keep.Now) && other.supersedes(h.CRL) && h.olderThan(other.CRL) &&
			(newest == nil || newerFirst(other.CRL, newest.CRL) < 0) {
			newest = other
		}
	}
	return newest
}
