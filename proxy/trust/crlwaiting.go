package trust

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
)

const (
	// maxWaiting is how many lists of one issuer's name and one source may wait.
	// Verify looks at each for every client of that issuer.
	maxWaiting = 16
	// maxVanished and maxVanishedBytes are how many lists of one source stay that it no
	// longer has: it may lose many at once, but not more with each version. Proved
	// lists of trusted CAs are not counted.
	maxVanished      = 256
	maxVanishedBytes = 32 << 20
	// maxSources is how many times that may be there in all.
	maxSources = 16
)

// waits reports whether a list is not in force yet, for want of proof or since its time has not come.
func (r *renewal) waits(h *held) bool { return !h.proved() || !h.begun(r.keep.Now) }

func (r *renewal) ended(h *held) bool { return !r.keep.Now.Before(h.end(r.keep.Grace)) }

// shed lets lists go that no source has any longer: those that have ended
// unproved, and what there is no room for.
func (r *renewal) shed() {
	var vanished []*held
	for _, group := range r.series {
		for _, h := range group {
			if !h.read() && !r.keep.unread(h) {
				vanished = append(vanished, h)
			}
		}
	}
	slices.SortFunc(vanished, r.worthiest)
	type place struct {
		waits  bool
		source string
	}
	type room struct{ lists, bytes int }
	taken, all := make(map[place]room), make(map[bool]room)
	gone := make(map[*held]bool)
	for _, h := range vanished {
		at := place{r.waits(h), h.Source}
		here, everywhere, size := taken[at], all[at.waits], h.serials.bytes()
		switch {
		case h.trusted && !at.waits:
		case !h.proved() && r.ended(h):
			gone[h] = true
		case here.lists >= maxVanished || here.bytes+size > maxVanishedBytes ||
			everywhere.lists >= maxVanished*maxSources || everywhere.bytes+size > maxVanishedBytes*maxSources:
			gone[h] = true
			if h.proved() {
				r.refuse(h, h.describe()+" is no longer there, and too many others are not either",
					"it is no longer used; have its source give it, or a newer one, again")
			}
		default:
			taken[at] = room{here.lists + 1, here.bytes + size}
			all[at.waits] = room{everywhere.lists + 1, everywhere.bytes + size}
		}
	}
	for s, group := range r.series {
		r.series[s] = slices.DeleteFunc(group, func(h *held) bool { return gone[h] })
	}
}

// worthiest orders lists by how much would be lost with them: first what a source
// has, then what is proved, then what has begun, then the newest.
func (r *renewal) worthiest(a, b *held) int {
	rank := func(h *held) (n int) {
		for _, good := range []bool{h.read(), h.proved(), h.begun(r.keep.Now)} {
			n *= 2
			if good {
				n++
			}
		}
		return n
	}
	return cmp.Or(rank(b)-rank(a), newerFirst(a.CRL, b.CRL))
}

// settle returns what is in force, or waits, of all series.
func (r *renewal) settle() *CRLs {
	var stay []*held
	for _, group := range r.series {
		stay = append(stay, r.stay(group)...)
	}
	slices.SortFunc(stay, r.worthiest)
	type place struct {
		waits          bool
		source, issuer string
	}
	taken := make(map[place]int)
	var lists []*CRL
	sources, vanished := make(map[*CRL][]string), make(map[*CRL]bool)
	for _, h := range stay {
		waits, turn := r.waits(h), -1
		for _, source := range h.from() {
			at := place{waits, source, h.issuer}
			if turn < 0 || taken[at] < turn {
				turn = taken[at]
			}
			taken[at]++
		}
		if waits && turn >= maxWaiting {
			if h.read() {
				r.refuse(h, h.describe()+fmt.Sprintf(" has no room to wait beside %d others from there that nobody has proved or that have not begun", maxWaiting),
					"it is not used; add its CA to the client CA file, or have the source give fewer lists of that CA")
			}
			continue
		}
		if newer := r.shading(h); newer != nil {
			r.doubt(h, h.describe()+" is older than the one in force, "+newer.describe(),
				"the newer one stays in force; have the CA's latest list delivered")
		} else if other := r.beside(h); other != nil {
			r.doubt(h, h.describe()+" is older, by its number or its date, than the one in force, "+other.describe(),
				"both refuse whom they name until the CA publishes one that is newer in both; have it do so, or restart if it has begun its numbers anew on purpose")
		}
		if lists = append(lists, h.CRL); !slices.Equal(h.from(), []string{h.Source}) {
			sources[h.CRL] = h.from()
		}
		if !h.proved() && !h.read() && !r.keep.unread(h) {
			vanished[h.CRL] = true
		}
	}
	renewed := newCRLs(lists)
	renewed.sources, renewed.vanished = sources, vanished
	return renewed
}

// stay returns the lists of a series that are not superseded: what is current by
// what is current, and what has ended also by what has ended later. An
// unproved list that no source has any longer goes when the sources have a proved one
// of the same authority key identifier that is not older: it was a forgery, or has been replaced.
func (r *renewal) stay(group []*held) []*held {
	var proved, stay []*held
	for _, h := range group {
		if h.proved() {
			proved = append(proved, h)
		}
	}
	for _, h := range group {
		switch {
		case !r.waits(h):
			if slices.ContainsFunc(proved, func(by *held) bool { return r.replaces(by, h) }) {
				continue
			}
		case !h.proved() && !h.read() && !r.keep.unread(h):
			if slices.ContainsFunc(proved, func(by *held) bool {
				return by.read() && !by.olderThan(h.CRL) && sameAuthority(by.authority, h.authority)
			}) {
				continue
			}
		}
		stay = append(stay, h)
	}
	return stay
}

// shading returns a proved list that no source has any longer, than which a waiting one
// is older if it is of the same CA, as its key identifier has it. That is worth
// telling, but proves nothing: another CA may have brought about the same identifier.
func (r *renewal) shading(h *held) *held {
	if h.proved() || h.authority.keyID == nil || !h.read() {
		return nil
	}
	for _, by := range r.series[seriesOf(h.CRL)] {
		if by.proved() && !by.read() && by.begun(r.keep.Now) && h.olderThan(by.CRL) && sameAuthority(by.authority, h.authority) {
			return by
		}
	}
	return nil
}

// beside returns a list in force, ended or not, that no source has any longer, than which a newly read one
// of the same signer is older in one thing. Both are in force, but the CA's clock or
// numbers have gone back.
func (r *renewal) beside(h *held) *held {
	if r.waits(h) || !h.read() {
		return nil
	}
	for _, other := range r.series[seriesOf(h.CRL)] {
		if other.signer == h.signer && !other.read() && other.begun(r.keep.Now) && h.olderThan(other.CRL) {
			return other
		}
	}
	return nil
}

func (r *renewal) replaces(by, h *held) bool {
	return by.signer == h.signer && by.begun(r.keep.Now) && by.supersedes(h.CRL) && (!r.ended(by) || r.ended(h))
}

// sameAuthority reports whether two key identifiers say the same.
func sameAuthority(a, b authorityKeyID) bool {
	if (a.serial == nil) != (b.serial == nil) || a.serial != nil && a.serial.Cmp(b.serial) != 0 {
		return false
	}
	return a.issuer == b.issuer && bytes.Equal(a.keyID, b.keyID)
}
