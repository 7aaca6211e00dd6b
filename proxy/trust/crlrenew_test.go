package trust

import (
	"crypto/x509"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// Nobody is revoked or released by a list that should not count.

func TestAnOlderListUnrevokesNobody(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf(w.root, pki.Options{})
	good := w.leaf(w.root, pki.Options{})
	inForce := crlSpec{by: w.root, this: -hour, number: 7, revokes: certs(leaf)}
	for _, c := range []struct {
		name  string
		older crlSpec
	}{
		{"older date and lower number", crlSpec{by: w.root, this: -2 * hour, number: 6}},
		{"older date", crlSpec{by: w.root, this: -2 * hour, number: 7}},
		{"lower number", crlSpec{by: w.root, this: -hour, number: 6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			old := w.inForce(certs(w.root), w.crl(inForce))
			renewed, faults := old.Renew([]*CRL{w.crl(c.older)}, certs(w.root), w.keeping())
			wantFaults(t, faults, "is older than the one in force")
			if text := faults[0].Error(); !strings.Contains(text, "number 7 ") || !strings.Contains(text, "Test Root") ||
				!strings.Contains(text, w.now.Add(-hour).UTC().Format(time.RFC3339)) {
				t.Errorf("the fault does not tell issuer, number and date: %s", text)
			}
			if renewed != old {
				t.Errorf("what is in force has changed")
			}
			w.refusesOnly(renewed, leaf, good)
		})
	}
}

func TestABadlySignedListLeavesTheFormerInForce(t *testing.T) {
	w := newWorld(t)
	leaf, good := w.leaf(w.root, pki.Options{}), w.leaf(w.root, pki.Options{})
	old := w.inForce(certs(w.root), w.crl(crlSpec{by: w.root, revokes: certs(leaf)}))
	for _, forged := range []crlSpec{
		{by: w.root, this: -minute, number: 2, corrupt: true},
		{by: w.ca(pki.Options{}), this: -minute, number: 2, keyID: w.root.Cert.SubjectKeyId},
		{by: w.ca(pki.Options{}), this: -minute, number: 2, noKeyID: true},
	} {
		renewed, faults := old.Renew([]*CRL{w.crl(forged)}, certs(w.root), w.keeping())
		wantFaults(t, faults, "is not signed by the CA of that name")
		if renewed != old {
			t.Errorf("what is in force has changed")
		}
		w.refusesOnly(renewed, leaf, good)
	}
}

// refusesOnly wants one client refused and the other believed, under every policy.
func (w *world) refusesOnly(crls *CRLs, revoked, good *x509.Certificate) {
	w.t.Helper()
	for _, policy := range []CRLPolicy{CRLStrict, CRLLeaf, CRLAvailable} {
		if v := w.ask(crls, policy, revoked); v.Reason != Revoked {
			w.t.Errorf("%v: the revoked client is %q", policy, v.Text())
		}
		if v := w.ask(crls, policy, good); v.Status != Success {
			w.t.Errorf("%v: the good client is %q", policy, v.Text())
		}
	}
}

// The lists of an intermediate that only clients send cannot be checked when they are read.
func TestAForgedListOfAnUnknownCANeitherUnrevokesNorLocksOut(t *testing.T) {
	w := newWorld(t)
	leaf, good := w.leaf(w.inter, pki.Options{}), w.leaf(w.inter, pki.Options{})
	genuine := w.crl(crlSpec{by: w.inter, revokes: certs(leaf)})
	stranger := w.ca(pki.Options{Subject: w.inter.Cert.Subject})
	forge := func(n int) *CRL {
		return w.crl(crlSpec{by: stranger, keyID: w.inter.Cert.SubjectKeyId, this: -time.Duration(60-n) * minute, number: int64(2 + n)})
	}
	for _, proved := range []bool{true, false} {
		crls := w.inForce(certs(w.root), genuine)
		if proved {
			w.ask(crls, CRLLeaf, good, w.inter)
		}
		for n := range 20 {
			var faults []error
			crls, faults = crls.Renew([]*CRL{forge(n)}, certs(w.root), w.keeping())
			wantFaults(t, faults)
			if !proved && n == maxVanished-2 {
				break // there is no telling which of more is genuine
			}
		}
		if got := len(crls.All()); got > maxVanished+2 {
			t.Errorf("%d lists are kept", got)
		}
		for _, p := range []CRLPolicy{CRLLeaf, CRLAvailable} {
			if v := w.ask(crls, p, leaf, w.inter); v.Reason != Revoked {
				t.Errorf("proved %v, %v: the revoked client is %q", proved, p, v.Text())
			}
			if v := w.ask(crls, p, good, w.inter); v.Status != Success {
				t.Errorf("proved %v, %v: the good client is %q", proved, p, v.Text())
			}
		}
		// The source is mended. Forgeries that claim to be newer cannot be told from
		// what a damaged source has lost, and stay until they end, but come last.
		crls, _ = crls.Renew([]*CRL{genuine}, certs(w.root), w.keeping())
		if got := crls.All(); !slices.Contains(got, genuine) || len(got) > maxWaiting+1 {
			t.Errorf("proved %v: %d lists are left, want the genuine one and %d at most", proved, len(got), maxWaiting)
		}
		if v := w.ask(crls, CRLAvailable, leaf, w.inter); v.Reason != Revoked {
			t.Errorf("proved %v: the source is mended, and the revoked client is %q", proved, v.Text())
		}
	}
}

// Who signed it cannot be told, but that it is of no use can.
func TestAnOldListOfAnUnknownCAIsTold(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf(w.inter, pki.Options{})
	newer, older := w.crl(crlSpec{by: w.inter, number: 2, revokes: certs(leaf)}), w.crl(crlSpec{by: w.inter, this: -2 * hour})
	crls := w.inForce(certs(w.root), newer)
	w.ask(crls, CRLLeaf, leaf, w.inter) // proves it
	for range 2 {
		var faults []error
		crls, faults = crls.Renew([]*CRL{older}, certs(w.root), w.keeping())
		wantFaults(t, faults, "is older than the one in force")
		if v := w.ask(crls, CRLAvailable, leaf, w.inter); v.Reason != Revoked {
			t.Errorf("the revoked client is %q", v.Text())
		}
	}
	_, faults := crls.Renew([]*CRL{older, newer}, certs(w.root), w.keeping())
	wantFaults(t, faults) // an old file beside the new one
}

func TestAForgedListGoesOnceItsCAIsKnown(t *testing.T) {
	w := newWorld(t)
	forged := w.crl(crlSpec{by: w.stranger, name: w.inter.Cert.RawSubject, keyID: w.inter.Cert.SubjectKeyId})
	crls := w.inForce(certs(w.root), forged)
	if len(crls.All()) != 1 {
		t.Fatalf("a list of an unknown CA is not kept")
	}
	crls, faults := crls.Renew([]*CRL{forged}, certs(w.root, w.inter), w.keeping())
	wantFaults(t, faults, "is not signed by the CA of that name")
	if len(crls.All()) != 0 {
		t.Errorf("it stays in force")
	}
}

func TestAListOfTheFutureWaitsForItsTime(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf(w.root, pki.Options{})
	now := w.crl(crlSpec{by: w.root, next: 4 * hour})
	future := w.crl(crlSpec{by: w.root, this: hour, next: 3 * hour, number: 2})
	crls := w.inForce(certs(w.root), now)
	crls, faults := crls.Renew([]*CRL{future}, certs(w.root), w.keeping())
	wantFaults(t, faults)
	if got := crls.All(); !slices.Equal(got, []*CRL{future, now}) {
		t.Errorf("%d lists in force, want both", len(got))
	}
	if v := w.ask(crls, CRLStrict, leaf); v.Status != Success || !v.Until.Equal(w.now.Add(hour)) {
		t.Errorf("%q until %v, want SUCCESS until the other begins", v.Text(), v.Until)
	}
	crls, faults = crls.Renew([]*CRL{future}, certs(w.root), Keep{Now: w.now.Add(hour)})
	wantFaults(t, faults)
	if got := crls.All(); !slices.Equal(got, []*CRL{future}) {
		t.Errorf("%d lists in force when its time has come, want it alone", len(got))
	}
}

func TestListsOfTheFutureDoNotPileUp(t *testing.T) {
	w := newWorld(t)
	crls := w.inForce(certs(w.root), w.crl(crlSpec{by: w.root}))
	for n := range 20 {
		future := w.crl(crlSpec{by: w.root, this: hour + time.Duration(n)*minute, next: 9 * hour, number: int64(n)})
		crls, _ = crls.Renew([]*CRL{future}, certs(w.root), w.keeping())
	}
	if got := len(crls.All()); got != maxWaiting+1 {
		t.Errorf("%d lists, want the one in force and %d that wait", got, maxWaiting)
	}
}

func TestAnEndedListMakesNoRoomForAnOlder(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf(w.root, pki.Options{})
	ended := w.crl(crlSpec{by: w.root, next: -minute, number: 2, revokes: certs(leaf)})
	older := w.crl(crlSpec{by: w.root, this: -2 * hour, next: 9 * hour})
	crls := w.inForce(certs(w.root), ended)
	crls, faults := crls.Renew([]*CRL{ended, older}, certs(w.root), w.keeping())
	wantFaults(t, faults)
	if v := w.ask(crls, CRLAvailable, leaf); v.Reason != Revoked {
		t.Errorf("the revoked client is %q", v.Text())
	}
}

func TestANewerListThatHasEndedDoesNotLockOut(t *testing.T) {
	w := newWorld(t)
	current := w.crl(crlSpec{by: w.root})
	ended := w.crl(crlSpec{by: w.root, this: -hour / 2, next: -minute, number: 2})
	crls := w.inForce(certs(w.root), current)
	crls, faults := crls.Renew([]*CRL{ended}, certs(w.root), w.keeping())
	wantFaults(t, faults)
	if v := w.ask(crls, CRLStrict, w.leaf(w.root, pki.Options{})); v.Status != Success {
		t.Errorf("a good client is %q", v.Text())
	}
}

// TestOnlyANewerListOfTheCAReleasesAnybody reads at random what a source may
// deliver: lists newer and older, forged, dated in the future, ended, or none at all. Whoever
// is revoked by a proved list that was in force stays so until a newer proved list says otherwise.
func TestOnlyANewerListOfTheCAReleasesAnybody(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf(w.root, pki.Options{})
	mimic := w.ca(pki.Options{})
	random := rand.New(rand.NewPCG(5, 6))
	for range 150 {
		var crls *CRLs
		var newest *CRL // proved, begun, of those read so far
		revoked := make(map[*CRL]bool)
		for range 6 {
			var read []*CRL
			for range random.IntN(3) {
				at := time.Duration(random.IntN(20)-14) * minute
				l := crlSpec{by: w.root, this: at - time.Second/2, next: at + time.Duration(1+random.IntN(30))*minute, number: int64(at/minute) + 20}
				forged := random.IntN(4) == 0
				if forged {
					l.by, l.keyID = mimic, w.root.Cert.SubjectKeyId
				}
				if random.IntN(2) == 0 {
					l.revokes = certs(leaf)
				}
				list := w.crl(l)
				read, revoked[list] = append(read, list), l.revokes != nil
				if !forged && list.begun(w.now) && (newest == nil || newerFirst(list, newest) < 0) {
					newest = list
				}
			}
			crls, _ = crls.Renew(read, certs(w.root), w.keeping())
			if v := w.ask(crls, CRLAvailable, leaf); newest != nil && revoked[newest] && v.Reason != Revoked {
				t.Fatalf("revoked by number %v of %v, the client is %q", newest.Number, newest.ThisUpdate, v.Text())
			}
			if got := len(crls.All()); got > maxVanished+2+2 { // the last reading's, and in force
				t.Fatalf("%d lists are kept", got)
			}
		}
	}
}
