package trust

import (
	"crypto/x509/pkix"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// askAt judges a chain under the root at a time to come.
func (w *world) askAt(after time.Duration, crls *CRLs, p CRLPolicy, chain ...any) Verdict {
	return NewSnapshot(certs(w.root), Policy{MaxDepth: -1, MinRSABits: 2048, CRLs: crls, CRLPolicy: p}).Verify(certs(chain...), w.now.Add(after))
}

// A CA that has set its clock or its numbers back makes lists of which one is newer by
// the date and the other by the number. Nobody can tell which of them the CA means.
func TestAListThatIsNewerInOneThingAloneStandsBesideTheOther(t *testing.T) {
	w := newWorld(t)
	first, second, good := w.leaf(w.root, pki.Options{}), w.leaf(w.root, pki.Options{}), w.leaf(w.root, pki.Options{})
	inForce := w.crl(crlSpec{by: w.root, this: -hour, number: 7, revokes: certs(first)})
	for _, c := range []struct {
		name  string
		other crlSpec
	}{
		{"older date, though a higher number", crlSpec{by: w.root, this: -2 * hour, number: 8, revokes: certs(second)}},
		{"lower number, though a newer date", crlSpec{by: w.root, this: -minute, number: 6, revokes: certs(second)}},
	} {
		other := w.crl(c.other)
		one, faults := w.inForce(certs(w.root), inForce).Renew([]*CRL{other}, certs(w.root), w.keeping())
		wantFaults(t, faults, "is older, by its number or its date, than the one in force")
		for how, crls := range map[string]*CRLs{"one after the other": one, "at once": w.inForce(certs(w.root), other, inForce)} {
			for _, p := range []CRLPolicy{CRLStrict, CRLLeaf, CRLAvailable} {
				if v := w.ask(crls, p, first); v.Reason != Revoked {
					t.Errorf("%s, %s, %v: revoked by the first, the client is %q", c.name, how, p, v.Text())
				}
				if v := w.ask(crls, p, second); v.Reason != Revoked {
					t.Errorf("%s, %s, %v: revoked by the other, the client is %q", c.name, how, p, v.Text())
				}
				if v := w.ask(crls, p, good); v.Status != Success {
					t.Errorf("%s, %s, %v: the good client is %q", c.name, how, p, v.Text())
				}
			}
		}
		// What is newer in both takes the place of both, and releases.
		crls, faults := one.Renew([]*CRL{w.crl(crlSpec{by: w.root, this: -minute / 2, number: 9})}, certs(w.root), w.keeping())
		wantFaults(t, faults)
		if v := w.ask(crls, CRLStrict, first); v.Status != Success || len(crls.All()) != 1 {
			t.Errorf("%s: released by a newer list, the client is %q, with %d lists", c.name, v.Text(), len(crls.All()))
		}
	}
}

// A CA had published a list for later, and then made another at once, to revoke somebody.
func TestAWithdrawnListOfTheFutureReleasesNobodyWhenItsTimeComes(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf(w.root, pki.Options{})
	future := w.crl(crlSpec{by: w.root, this: hour, next: 48 * hour, number: 2})
	atOnce := w.crl(crlSpec{by: w.root, this: -minute, next: 48 * hour, number: 3, revokes: certs(leaf)})
	for _, read := range [][]*CRL{{atOnce}, {atOnce, future}} {
		crls, faults := w.inForce(certs(w.root), future).Renew(read, certs(w.root), w.keeping())
		wantFaults(t, faults)
		for _, after := range []time.Duration{0, hour} { // its time comes without a renewal
			if v := w.askAt(after, crls, CRLStrict, leaf); v.Reason != Revoked {
				t.Errorf("%d lists read, %v later: the revoked client is %q", len(read), after, v.Text())
			}
		}
		for range 2 {
			crls, _ = crls.Renew(read, certs(w.root), Keep{Now: w.now.Add(hour)})
			if v := w.askAt(hour, crls, CRLStrict, leaf); v.Reason != Revoked {
				t.Errorf("%d lists read, renewed: the revoked client is %q", len(read), v.Text())
			}
		}
	}
	crls, _ := (*CRLs)(nil).Renew([]*CRL{atOnce, future}, certs(w.root), Keep{Now: w.now.Add(hour)})
	if v := w.askAt(hour, crls, CRLStrict, leaf); v.Reason != Revoked {
		t.Errorf("started afterwards: the revoked client is %q", v.Text())
	}
}

func TestAListOfOtherScopeSupersedesNone(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf(w.root, pki.Options{})
	whole := w.crl(crlSpec{by: w.root, revokes: certs(leaf)})
	users := w.crl(crlSpec{by: w.root, this: -minute, number: 2, scope: onlyUserCerts})
	if v := w.ask(w.inForce(certs(w.root), whole, users), CRLStrict, leaf); v.Reason != Revoked {
		t.Errorf("revoked by the list for all, the client is %q", v.Text())
	}
	released := w.crl(crlSpec{by: w.root, this: -minute, number: 2, noKeyID: true})
	if v := w.ask(w.inForce(certs(w.root), whole, released), CRLStrict, leaf); v.Status != Success {
		t.Errorf("released by a list without the key identifier of the former, the client is %q", v.Text())
	}
}

// TestARevocationStandsUntilAListThatIsNewerInAllTakesItBack reads at random, in the course
// of an hour, lists whose numbers do not follow their dates, forged ones, and none.
func TestARevocationStandsUntilAListThatIsNewerInAllTakesItBack(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf(w.root, pki.Options{})
	mimic := w.ca(pki.Options{})
	random := rand.New(rand.NewPCG(11, 12))
	released := 0
	for range 150 {
		var crls *CRLs
		var genuine, begun []*CRL // of those read; those that had begun then
		names := make(map[*CRL]bool)
		for now := time.Duration(0); now < hour; now += time.Duration(random.IntN(20)) * minute {
			var read []*CRL
			for range random.IntN(3) {
				at := now + time.Duration(random.IntN(20)-14)*minute
				l := crlSpec{by: w.root, this: at - time.Second/2, next: at + time.Duration(1+random.IntN(30))*minute, number: int64(1 + random.IntN(4))}
				forged := random.IntN(4) == 0
				if forged {
					l.by, l.keyID = mimic, w.root.Cert.SubjectKeyId
				}
				if random.IntN(2) == 0 {
					l.revokes = certs(leaf)
				}
				list := w.crl(l)
				read, names[list] = append(read, list), l.revokes != nil
				if forged {
					continue
				}
				genuine = append(genuine, list)
				if list.begun(w.now.Add(now)) {
					begun = append(begun, list)
				}
			}
			crls, _ = crls.Renew(read, certs(w.root), Keep{Now: w.now.Add(now)})
			v := w.askAt(now, crls, CRLAvailable, leaf)
			for _, list := range begun {
				if !names[list] || v.Reason == Revoked {
					continue
				}
				released++
				if !slices.ContainsFunc(genuine, func(by *CRL) bool { return by.begun(w.now.Add(now)) && by.supersedes(list) }) {
					t.Fatalf("revoked by number %v of %v, which nothing supersedes, the client is %q", list.Number, list.ThisUpdate, v.Text())
				}
			}
		}
	}
	if released == 0 {
		t.Errorf("nobody was ever released")
	}
}

// The CA has begun its numbers anew, and its former list has ended.
func TestAnEndedListThatHasVanishedKeepsNoNewOneOut(t *testing.T) {
	w := newWorld(t)
	leaf, good := w.leaf(w.root, pki.Options{}), w.leaf(w.root, pki.Options{})
	ended := w.crl(crlSpec{by: w.root, next: minute, number: 9})
	anew := w.crl(crlSpec{by: w.root, this: -minute, next: 48 * hour, revokes: certs(leaf)})
	crls, faults := w.inForce(certs(w.root), ended).Renew([]*CRL{anew}, certs(w.root), Keep{Now: w.now.Add(2 * minute)})
	wantFaults(t, faults, "is older, by its number or its date")
	if v := w.askAt(2*minute, crls, CRLAvailable, leaf); v.Reason != Revoked {
		t.Errorf("the client that the new list revokes is %q", v.Text())
	}
	if v := w.askAt(2*minute, crls, CRLStrict, good); v.Status != Success {
		t.Errorf("the good client is %q", v.Text())
	}
}

func TestNothingButANewerListOfTheCAMakesAnEndedOneGo(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf(w.root, pki.Options{})
	list := w.crl(crlSpec{by: w.root, next: minute, revokes: certs(leaf)})
	const fault = " of "
	for name, c := range map[string]struct {
		read   []*CRL
		faults int
	}{
		"nothing at all":       {nil, 0},
		"a forged list":        {[]*CRL{w.crl(crlSpec{by: w.stranger, name: w.root.Cert.RawSubject, keyID: w.root.Cert.SubjectKeyId})}, 1},
		"an older list":        {[]*CRL{w.crl(crlSpec{by: w.root, this: -48 * hour, next: -47 * hour})}, 1},
		"an older current one": {[]*CRL{w.crl(crlSpec{by: w.root, this: -48 * hour, next: 47 * hour})}, 1},
		"another CA's list":    {[]*CRL{w.crl(crlSpec{by: w.stranger})}, 0},
		"one of another scope": {[]*CRL{w.crl(crlSpec{by: w.root, this: -minute, number: 2, scope: onlyCACerts})}, 0},
		"one of the future":    {[]*CRL{w.crl(crlSpec{by: w.root, this: 20 * hour, next: 300 * hour, number: 2})}, 0},
	} {
		crls := w.inForce(certs(w.root), list)
		for _, after := range []time.Duration{2 * minute, 10 * hour} {
			var faults []error
			crls, faults = crls.Renew(c.read, certs(w.root), Keep{Now: w.now.Add(after)})
			if wantFaults(t, faults, slices.Repeat([]string{fault}, c.faults)...); !slices.Contains(crls.All(), list) {
				t.Errorf("%s: the ended list has gone", name)
			}
			if v := w.askAt(after, crls, CRLAvailable, leaf); v.Reason != Revoked {
				t.Errorf("%s, %v later: the revoked client is %q", name, after, v.Text())
			}
		}
		newer := w.crl(crlSpec{by: w.root, this: hour, next: 300 * hour, number: 3})
		crls, faults := crls.Renew([]*CRL{newer}, certs(w.root), Keep{Now: w.now.Add(10 * hour)})
		wantFaults(t, faults)
		if v := w.askAt(10*hour, crls, CRLAvailable, leaf); slices.Contains(crls.All(), list) || v.Status != Success {
			t.Errorf("%s: released by a newer list, the client is %q", name, v.Text())
		}
	}
}

// After a change of key there are two CAs of one name, and lists without a key identifier do
// not say of which they are.
func TestListsOfCAsOfOneNameAreNotMeasuredByEachOther(t *testing.T) {
	w := newWorld(t)
	name := pkix.Name{CommonName: "Rolled Issuing CA"}
	before, after := w.sub(w.root, pki.Options{Subject: name}), w.sub(w.root, pki.Options{Subject: name})
	one, other := w.leaf(before, pki.Options{}), w.leaf(after, pki.Options{})
	rootList := w.good1()
	oldList := w.crl(crlSpec{by: before, noKeyID: true, number: 50})
	crls := w.inForce(certs(w.root), rootList, oldList, w.crl(crlSpec{by: after, noKeyID: true, number: 3}))
	for chain, ca := range map[any]*pki.Authority{one: before, other: after} {
		if v := w.ask(crls, CRLStrict, chain, ca); v.Status != Success {
			t.Fatalf("before: %q", v.Text())
		}
	}
	revoking := w.crl(crlSpec{by: after, noKeyID: true, this: -minute, number: 4, revokes: certs(other)})
	crls, faults := crls.Renew([]*CRL{rootList, oldList, revoking}, certs(w.root), w.keeping())
	wantFaults(t, faults)
	for _, p := range []CRLPolicy{CRLStrict, CRLLeaf, CRLAvailable} {
		if v := w.ask(crls, p, other, after); v.Reason != Revoked {
			t.Errorf("%v: the revoked client is %q", p, v.Text())
		}
		if v := w.ask(crls, p, one, before); v.Status != Success {
			t.Errorf("%v: the other CA's client is %q", p, v.Text())
		}
	}
}

// good1 is a list of the root without entries.
func (w *world) good1() *CRL { return w.read(w.good())[0] }

// A list that nobody has proved yet may be the one that revokes.
func TestAnUnprovedListThatVanishedDoesNotGiveWayToAnOlder(t *testing.T) {
	w := newWorld(t)
	leaf, good := w.leaf(w.inter, pki.Options{}), w.leaf(w.inter, pki.Options{})
	root := w.crl(crlSpec{by: w.root}).from("/root.crl")
	one := w.crl(crlSpec{by: w.inter, this: -hour, number: 1}).from("/1.crl")
	two := w.crl(crlSpec{by: w.inter, this: -minute, number: 2, revokes: certs(leaf)}).from("/2.crl")
	crls, _ := (*CRLs)(nil).Renew([]*CRL{root, one}, certs(w.root), w.keeping())
	if v := w.ask(crls, CRLStrict, good, w.inter); v.Status != Success {
		t.Fatalf("the good client is %q", v.Text())
	}
	crls, _ = crls.Renew([]*CRL{root, one, two}, certs(w.root), w.keeping())
	crls, _ = crls.Renew([]*CRL{root, one}, certs(w.root), w.keeping()) // before any client came
	for _, policy := range []CRLPolicy{CRLStrict, CRLLeaf, CRLAvailable} {
		if v := w.ask(crls, policy, leaf, w.inter); v.Reason != Revoked {
			t.Errorf("%v: the client that the vanished list revokes is %q", policy, v.Text())
		}
	}
}
