package trust

import (
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"time"
)

// Keep says how long lists stay in force whose source no longer has them.
type Keep struct {
	Now   time.Time     // as of when
	Grace time.Duration // how long past NextUpdate a list counts (MTLS_CRL_GRACE)
	// Unread says that a source could not be read or asked, so that nobody knows which
	// lists it has. Then none goes for its age: even an expired list refuses
	// those that it names.
	Unread bool
}

// maxWaiting is how many lists of one issuer, key and scope may wait besides those
// in force, since nobody has proved their signature or their time has not come. Each
// may cost a client of that issuer a signature check.
const maxWaiting = 4

// Renew returns the lists in force after a reading of all sources, and what was wrong
// with some of them, each error a *CRLError. c itself is returned when nothing changed; it may be nil.
//
// A list of a CA among cas, the trusted certificates, must bear its signature; one
// that does not, or that is older than the list in force, is refused, and the list
// in force stays. The lists of CAs that only clients send cannot be checked here: beside the last
// one that was proved a few newer ones wait until a client proves them. A list dated
// in the future waits likewise. What no source has any longer stays until it ends.
func (c *CRLs) Renew(read []*CRL, cas []*x509.Certificate, keep Keep) (*CRLs, []error) {
	r := newRenewal(cas, keep)
	old := c.All()
	r.hold(old)
	var faults []error
	for _, list := range r.unknown(read) {
		if fault := r.join(list); fault != nil {
			faults = append(faults, fault)
		}
	}
	renewed := newCRLs(r.settle())
	if c != nil && slices.Equal(old, renewed.All()) {
		return c, faults
	}
	return renewed, faults
}

// series is what successive lists have in common: they replace each other.
type series struct {
	issuer, keyID      string
	caIssuer, caSerial string
	onlyUser, onlyCA   bool
	point              string // empty: none
}

func seriesOf(list *CRL) series {
	s := series{
		issuer: list.issuer, keyID: string(list.authority.keyID), caIssuer: list.authority.issuer,
		onlyUser: list.scope.onlyUser, onlyCA: list.scope.onlyCA, point: string(list.scope.point),
	}
	if list.authority.serial != nil {
		s.caSerial = list.authority.serial.String()
	}
	return s
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
	read   bool    // a source has it
	signer keyHash // whose signature was proved; zero: nobody's
}

// renewal is one call of Renew.
type renewal struct {
	keep   Keep
	cas    map[string][]*certificate // by canonical subject
	series map[series][]*held
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

// signer finds out whose signature the list bears. When it is none of the trusted
// CAs that it can be from, a key that has proved it before still counts.
func (r *renewal) signer(list *CRL) (who keyHash, known bool) {
	for _, ca := range r.cas[list.issuer] {
		if ca.malformed || !list.authority.fits(ca) {
			continue
		}
		known = true
		if list.signedBy(ca) {
			return sha256.Sum256(ca.RawSubjectPublicKeyInfo), true
		}
	}
	return list.signer(), known
}

// hold takes over what was in force. A list whose CA has become known since, and
// has not signed it, goes.
func (r *renewal) hold(lists []*CRL) {
	for _, list := range lists {
		who, known := r.signer(list)
		if known && who == (keyHash{}) {
			continue
		}
		s := seriesOf(list)
		r.series[s] = append(r.series[s], &held{CRL: list, signer: who})
	}
}

// unknown notes which lists were read again and returns the others, once each,
// the newest first, so that of two in one reading the older finds the newer in force.
func (r *renewal) unknown(read []*CRL) []*CRL {
	var fresh []*CRL
	seen := make(map[[32]byte]bool, len(read))
	for _, list := range read {
		if list == nil || seen[list.Digest] {
			continue
		}
		seen[list.Digest] = true
		group := r.series[seriesOf(list)]
		if at := slices.IndexFunc(group, func(h *held) bool { return h.Digest == list.Digest }); at >= 0 {
			group[at].read = true
		} else {
			fresh = append(fresh, list)
		}
	}
	slices.SortFunc(fresh, newerFirst)
	return fresh
}

// join adds a list that was not in force before, unless it is a forgery or out of date.
func (r *renewal) join(list *CRL) error {
	who, known := r.signer(list)
	if known && who == (keyHash{}) {
		return &CRLError{
			Path:   list.Source,
			Fault:  list.describe() + " is not signed by the CA of that name",
			Remedy: "it is not used; fetch it anew from the CA, or add the CA that has signed it to the client CA file",
		}
	}
	s := seriesOf(list)
	if newer := r.inForce(s, who); newer != nil && list.olderThan(newer.CRL) {
		if newer.read {
			return nil // an old file beside the new one
		}
		return &CRLError{
			Path:   list.Source,
			Fault:  list.describe() + " is older than the one in force, " + newer.describe(),
			Remedy: "the newer one stays in force; have the CA's latest list delivered, or restart if the CA has begun its numbers anew",
		}
	}
	r.series[s] = append(r.series[s], &held{CRL: list, read: true, signer: who})
	return nil
}

// inForce returns the newest proved list of a series that has begun, by the same
// signer where that is known.
func (r *renewal) inForce(s series, signer keyHash) *held {
	var newest *held
	for _, h := range r.series[s] {
		same := h.signer != keyHash{} && (signer == keyHash{} || h.signer == signer)
		if same && h.begun(r.keep.Now) && (newest == nil || newerFirst(h.CRL, newest.CRL) < 0) {
			newest = h
		}
	}
	return newest
}

// settle returns what stays of all series.
func (r *renewal) settle() []*CRL {
	var lists []*CRL
	for _, group := range r.series {
		slices.SortFunc(group, func(a, b *held) int { return newerFirst(a.CRL, b.CRL) })
		for _, h := range slices.Concat(r.rule(group), r.wait(group)) {
			lists = append(lists, h.CRL)
		}
	}
	return lists
}

// gone reports whether a list has neither a source nor time left.
func (r *renewal) gone(h *held) bool {
	return !h.read && !r.keep.Unread && r.ended(h)
}

func (r *renewal) ended(h *held) bool { return !r.keep.Now.Before(h.end(r.keep.Grace)) }

// rule returns the lists of a series, newest first, that are proved and have begun: of each
// signer the newest, and where that has ended the newest that has not.
func (r *renewal) rule(group []*held) []*held {
	var ruling []*held
	best := make(map[keyHash]standing)
	for _, h := range group {
		if h.signer == (keyHash{}) || !h.begun(r.keep.Now) || r.gone(h) {
			continue
		}
		is := current
		if r.ended(h) {
			is = expired
		}
		if is > best[h.signer] {
			best[h.signer] = is
			ruling = append(ruling, h)
		}
	}
	return ruling
}

// wait returns the lists of a series that may come to rule. What the sources have now
// comes first; an unproved list that they no longer have waits only while they
// have no proved one.
func (r *renewal) wait(group []*held) []*held {
	proved := slices.ContainsFunc(group, func(h *held) bool { return h.read && h.signer != keyHash{} })
	var now, before []*held
	for _, h := range group {
		unproved := h.signer == keyHash{}
		switch {
		case !unproved && h.begun(r.keep.Now), r.gone(h):
		case h.read:
			now = append(now, h)
		case !unproved || !proved:
			before = append(before, h)
		}
	}
	waiting := append(now, before...)
	return waiting[:min(len(waiting), maxWaiting)]
}
