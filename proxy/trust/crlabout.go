package trust

import (
	"crypto/sha256"
	"slices"
	"time"
)

// maxChecks is how many lists that their issuer is not known to have signed are
// checked for one certificate each time: as many public-key operations. The rest count as not signed.
const maxChecks = 8

// aboutOne is what the lists of its issuer's name are asked about one certificate.
type aboutOne struct {
	revocation
	c, issuer *certificate
	worth     []*CRL // of which a signature is checked
	chosen    bool   // worth is filled in
}

// meant reports whether a list is about c, to go by its key identifier and scope.
func (a *aboutOne) meant(list *CRL) bool {
	return a.c.issuer == a.issuer.subject && list.authority.fits(a.issuer) && list.covers(a.c)
}

// standing of a list that is about c.
func (a *aboutOne) standing(list *CRL, end time.Time) standing {
	switch {
	case !a.signed(list):
		return badlySigned
	case !list.begun(a.path.now):
		return notYetValid
	case !a.path.now.Before(end):
		return expired
	}
	return current
}

// signed reports whether the issuer has signed the list; on a path that is not
// proved, where only words depend on it, that somebody believed has must do.
func (a *aboutOne) signed(list *CRL) bool {
	if !a.computable(a.issuer) {
		return list.verified()
	}
	if list.signer() == a.key() {
		return true
	}
	if !a.chosen {
		a.choose()
	}
	return slices.Contains(a.worth, list) && list.signedBy(a.issuer)
}

func (a *aboutOne) key() keyHash { return sha256.Sum256(a.issuer.RawSubjectPublicKeyInfo) }

// choose picks the lists whose signature is checked when need be. Where there are too
// many, those that a source has now, those that have begun and those of the certificate's
// own point of distribution go first, and each source has its turn, so that one that is full of forgeries leaves the others theirs.
func (a *aboutOne) choose() {
	a.chosen = true
	crls := a.snapshot.policy.CRLs
	for _, list := range crls.byIssuer[a.c.issuer] {
		if list.signer() != a.key() && (list.Revokes(a.c.SerialNumber) || a.meant(list)) {
			a.worth = append(a.worth, list)
		}
	}
	if len(a.worth) <= maxChecks {
		return
	}
	rank := func(list *CRL) (n int) {
		if crls.vanished[list] {
			n += 4
		}
		if !list.begun(a.path.now) {
			n += 2
		}
		if list.scope.point == nil || !a.meant(list) {
			n++
		}
		return n
	}
	slices.SortStableFunc(a.worth, func(x, y *CRL) int { return rank(x) - rank(y) })
	taken, turns := make(map[string]int), make(map[*CRL]int)
	for _, list := range a.worth {
		from := crls.sources[list]
		if from == nil {
			from = []string{list.Source}
		}
		turn := taken[from[0]]
		for _, source := range from {
			turn = min(turn, taken[source])
			taken[source]++
		}
		turns[list] = turn
	}
	slices.SortStableFunc(a.worth, func(x, y *CRL) int { return turns[x] - turns[y] })
	a.worth = a.worth[:maxChecks]
}
