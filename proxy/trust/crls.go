package trust

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"maps"
	"slices"
	"time"
)

// CRLs are the revocation lists in force, by issuer. It is immutable. A nil
// *CRLs means that no list is configured and nothing is checked; one without
// any list is a different thing: CRLStrict refuses everybody then. What Verify makes of them:
//
// Whom a list names that the issuer has signed is refused, whatever the list's dates, unless
// another one of the same scope supersedes it: a current one, or, when the list has
// itself ended, any later one that has begun. That a certificate may pass, as far as a policy demands
// it, only a current list that is about it says. Of lists that nobody is known
// to have signed a few are looked at for each certificate (maxChecks).
type CRLs struct {
	byIssuer map[string][]*CRL // by canonical name, newest first
	// sources are those that had a list when it was last read, where that is not its
	// Source alone: Verify cannot check the signatures of all lists, and gives each
	// source its turn.
	sources map[*CRL][]string
	// vanished are those that no source has now: they come last.
	vanished map[*CRL]bool
}

// All returns the lists in a stable order: by issuer, and of each the newest first.
func (c *CRLs) All() []*CRL {
	if c == nil {
		return nil
	}
	var all []*CRL
	for _, issuer := range slices.Sorted(maps.Keys(c.byIssuer)) {
		all = append(all, c.byIssuer[issuer]...)
	}
	return all
}

// Ended returns of each CA, as far as it is known to have signed lists, the one that
// ended last when all of them have: nothing current is left.
func (c *CRLs) Ended(now time.Time) []*CRL {
	type ca struct {
		issuer string
		key    keyHash
	}
	last := map[ca]*CRL{}
	all := c.All()
	for _, list := range all {
		by := ca{list.issuer, list.signer()}
		if was := last[by]; list.verified() && (was == nil || list.NextUpdate.After(was.NextUpdate)) {
			last[by] = list
		}
	}
	return slices.DeleteFunc(all, func(list *CRL) bool {
		return last[ca{list.issuer, list.signer()}] != list || now.Before(list.NextUpdate)
	})
}

// For returns the lists of the issuer's name of a certificate, newest first: those
// that are consulted about it. Not all of them need be of its issuer's key or about
// its kind of certificate.
func (c *CRLs) For(certificate *x509.Certificate) []*CRL {
	if c == nil {
		return nil
	}
	return slices.Clone(c.byIssuer[canonicalName(certificate.RawIssuer)])
}

// newCRLs takes lists that are to be in force.
func newCRLs(lists []*CRL) *CRLs {
	c := &CRLs{byIssuer: make(map[string][]*CRL)}
	for _, list := range lists {
		c.byIssuer[list.issuer] = append(c.byIssuer[list.issuer], list)
	}
	for _, lists := range c.byIssuer {
		slices.SortFunc(lists, newerFirst)
	}
	return c
}

// newerFirst orders lists of one issuer. Of two made in the same second the longer is taken
// for the newer; the digest only makes the order stable.
func newerFirst(a, b *CRL) int {
	if by := b.ThisUpdate.Compare(a.ThisUpdate); by != 0 {
		return by
	}
	if a.Number != nil && b.Number != nil {
		if by := b.Number.Cmp(a.Number); by != 0 {
			return by
		}
	}
	if by := b.Entries() - a.Entries(); by != 0 {
		return by
	}
	return bytes.Compare(a.Digest[:], b.Digest[:])
}

// supersedes reports whether c takes the place of other, a list of the same signer
// and scope: it is newer, and older in nothing. Of two lists of which one has
// the newer date and the other the higher number (the CA's clock or its numbers were
// set back) neither does, and a revocation by either counts.
func (c *CRL) supersedes(other *CRL) bool {
	return !c.olderThan(other) && newerFirst(c, other) < 0
}

// olderThan reports whether c must not take the place of other: neither its number
// nor its date may go back (RFC 5280 §5.2.3).
func (c *CRL) olderThan(other *CRL) bool {
	if c.Number != nil && other.Number != nil && c.Number.Cmp(other.Number) < 0 {
		return true
	}
	return c.ThisUpdate.Before(other.ThisUpdate)
}

// begun reports whether now is at or after ThisUpdate.
func (c *CRL) begun(now time.Time) bool { return !now.Before(c.ThisUpdate) }

// end is the instant from which the list no longer counts as current. OpenSSL
// (X509_cmp_time) takes the second of nextUpdate for over, and so do we.
func (c *CRL) end(grace time.Duration) time.Time { return c.NextUpdate.Add(grace) }

// describe names the list in messages: whose it is, its number and its date.
func (c *CRL) describe() string {
	number := ""
	if c.Number != nil {
		number = fmt.Sprintf("number %v ", c.Number)
	}
	return fmt.Sprintf("the CRL of %s (%sof %s)", readableName(c.RawIssuer), number, c.ThisUpdate.UTC().Format(time.RFC3339))
}

// readableName is a DER Name for people to read.
func readableName(raw []byte) string {
	var rdns pkix.RDNSequence
	if rest, err := asn1.Unmarshal(raw, &rdns); err != nil || len(rest) > 0 {
		return fmt.Sprintf("the issuer %x", raw)
	}
	return fmt.Sprintf("%q", rdns.String())
}
