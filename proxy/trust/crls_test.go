package trust

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// keeping is a reading made now without grace.
func (w *world) keeping() Keep { return Keep{Now: w.now} }

// inForce has lists read that nothing may be wrong with.
func (w *world) inForce(cas []*x509.Certificate, lists ...*CRL) *CRLs {
	w.t.Helper()
	crls, faults := (*CRLs)(nil).Renew(lists, cas, w.keeping())
	if len(faults) > 0 {
		w.t.Fatalf("%v", faults)
	}
	return crls
}

// ask judges a chain under the root with these lists.
func (w *world) ask(crls *CRLs, p CRLPolicy, chain ...any) Verdict {
	return NewSnapshot(certs(w.root), Policy{MaxDepth: -1, MinRSABits: 2048, CRLs: crls, CRLPolicy: p}).Verify(certs(chain...), w.now)
}

// wantFaults checks that there is one error for each text, of the usual kind.
func wantFaults(t *testing.T, faults []error, texts ...string) {
	t.Helper()
	if len(faults) != len(texts) {
		t.Fatalf("faults are %q, want %d", faults, len(texts))
	}
	for i, text := range texts {
		var fault *CRLError
		if !errors.As(faults[i], &fault) || fault.Remedy == "" || !strings.Contains(fault.Fault, text) {
			t.Errorf("the fault is %q, want %q and a remedy", faults[i], text)
		}
	}
}

const (
	hour   = time.Hour
	minute = time.Minute
)

func TestANewerListTakesThePlaceOfTheOlder(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf(w.root, pki.Options{})
	older := w.crl(crlSpec{by: w.root, this: -2 * hour, number: 1})
	newer := w.crl(crlSpec{by: w.root, this: -hour, number: 2, revokes: certs(leaf)})
	first := w.inForce(certs(w.root), older)
	second, faults := first.Renew([]*CRL{newer}, certs(w.root), w.keeping())
	wantFaults(t, faults)
	if got := second.All(); !slices.Equal(got, []*CRL{newer}) {
		t.Errorf("%d lists in force, want the newer alone", len(got))
	}
	if v := w.ask(second, CRLStrict, leaf); v.Reason != Revoked {
		t.Errorf("%q, want revoked", v.Text())
	}
	if v := w.ask(first, CRLStrict, leaf); v.Status != Success {
		t.Errorf("the old lists have changed: %q", v.Text())
	}
}

func TestAnOldFileBesideTheNewOneIsNoFault(t *testing.T) {
	w := newWorld(t)
	older, newer := w.crl(crlSpec{by: w.root, this: -2 * hour}), w.crl(crlSpec{by: w.root, this: -hour, number: 2})
	for _, order := range [][]*CRL{{older, newer}, {newer, older}} {
		crls := w.inForce(certs(w.root), order...)
		if got := crls.All(); !slices.Equal(got, []*CRL{newer}) {
			t.Errorf("%d lists in force, want the newer", len(got))
		}
		again, faults := crls.Renew(order, certs(w.root), w.keeping())
		if wantFaults(t, faults); again != crls {
			t.Errorf("the same reading has changed something")
		}
		// Both are new, and one is older than what was in force.
		between := w.inForce(certs(w.root), w.crl(crlSpec{by: w.root, this: -3 * hour / 2}))
		after, faults := between.Renew(order, certs(w.root), w.keeping())
		if wantFaults(t, faults); !slices.Equal(after.All(), []*CRL{newer}) {
			t.Errorf("%d lists in force after both were read, want the newer", len(after.All()))
		}
	}
}

// Some CAs sign a list anew for whoever asks.
func TestAListSignedAnewIsNoFault(t *testing.T) {
	w := newWorld(t)
	crls := w.inForce(certs(w.root))
	for range 20 { // the digest decides which of them stays
		var faults []error
		crls, faults = crls.Renew([]*CRL{w.crl(crlSpec{by: w.root})}, certs(w.root), w.keeping())
		if wantFaults(t, faults); len(crls.All()) != 1 {
			t.Fatalf("%d lists in force, want one", len(crls.All()))
		}
	}
}

func TestTheSameListReadAgainStaysTheSame(t *testing.T) {
	w := newWorld(t)
	der := w.der(crlSpec{by: w.inter})
	crls := w.inForce(certs(w.root), w.read(der, der)...)
	if got := len(crls.All()); got != 1 {
		t.Errorf("read twice at once, it is there %d times", got)
	}
	w.ask(crls, CRLLeaf, w.leaf(w.inter, pki.Options{}), w.inter)
	again, faults := crls.Renew(w.read(der, der), certs(w.root), w.keeping())
	wantFaults(t, faults)
	if again != crls || !again.All()[0].verified() {
		t.Errorf("the list was replaced by its equal, and its proved signature forgotten")
	}
}

func TestAListThatNobodyHasProvedStaysWithoutASourceUntilItEnds(t *testing.T) {
	w := newWorld(t)
	list := w.crl(crlSpec{by: w.inter, next: hour})
	for _, c := range []struct {
		name string
		read []*CRL
		keep Keep
		want int
	}{
		{"before its end", nil, Keep{Now: w.now.Add(hour - 1)}, 1},
		{"at its end", nil, Keep{Now: w.now.Add(hour)}, 0},
		{"within the grace", nil, Keep{Now: w.now.Add(2*hour - 1), Grace: hour}, 1},
		{"after the grace", nil, Keep{Now: w.now.Add(2 * hour), Grace: hour}, 0},
		{"long after, but it has its source", []*CRL{list}, Keep{Now: w.now.Add(99 * hour)}, 1},
	} {
		waiting, faults := w.inForce(certs(w.root), list).Renew(c.read, certs(w.root), c.keep)
		if wantFaults(t, faults); len(waiting.All()) != c.want {
			t.Errorf("%s: %d lists, want %d", c.name, len(waiting.All()), c.want)
		}
	}
}

func TestListsOfCAsOfOneNameStandSideBySide(t *testing.T) {
	w := newWorld(t)
	twin := w.ca(pki.Options{})
	older := w.crl(crlSpec{by: w.root, noKeyID: true, number: 9})
	newer := w.crl(crlSpec{by: twin, noKeyID: true, this: -minute, number: 3})
	crls := w.inForce(certs(w.root, twin), newer, older)
	if got := crls.All(); !slices.Equal(got, []*CRL{newer, older}) {
		t.Errorf("%d lists in force, want both", len(got))
	}
	for _, issuer := range []*pki.Authority{w.root, twin} {
		policy := Policy{MaxDepth: -1, CRLs: crls}
		v := NewSnapshot(certs(issuer), policy).Verify(certs(w.leaf(issuer, pki.Options{})), w.now)
		if v.Status != Success {
			t.Errorf("a client of one of them is %q", v.Text())
		}
	}
	// One of them is no longer trusted: its list ends in its own time.
	crls, faults := crls.Renew(nil, certs(twin), w.keeping())
	wantFaults(t, faults)
	if got := len(crls.All()); got != 2 {
		t.Errorf("%d lists after a CA has gone, want both", got)
	}
}

func TestAListThatIsNotTheKnownCAsIsNotMeasuredByIt(t *testing.T) {
	w := newWorld(t)
	twin := w.ca(pki.Options{Subject: w.inter.Cert.Subject})
	list := w.crl(crlSpec{by: w.inter})
	if got := w.inForce(certs(w.root, twin), list).All(); !slices.Equal(got, []*CRL{list}) {
		t.Errorf("the list of an intermediate is not kept, since a trusted CA of another key has its name")
	}
}

func TestIntermediatesOfOneNameAreToldApartByKeyIdentifier(t *testing.T) {
	w := newWorld(t)
	twin := w.sub(w.root, pki.Options{Subject: w.inter.Cert.Subject})
	first := w.crl(crlSpec{by: w.inter, number: 9})
	second := w.crl(crlSpec{by: twin, this: -2 * hour, number: 3})
	crls := w.inForce(certs(w.root), first)
	w.ask(crls, CRLLeaf, w.leaf(w.inter, pki.Options{}), w.inter) // proves the first
	crls, faults := crls.Renew([]*CRL{first, second}, certs(w.root), w.keeping())
	wantFaults(t, faults)
	if got := crls.All(); !slices.Equal(got, []*CRL{first, second}) {
		t.Errorf("%d lists in force, want both", len(got))
	}
}

func TestOfTwoListsTheNewerComesFirst(t *testing.T) {
	w := newWorld(t)
	some := w.leaf(w.root, pki.Options{})
	for _, c := range []struct {
		name         string
		newer, older crlSpec
	}{
		{"by date", crlSpec{this: -hour, number: 1}, crlSpec{this: -2 * hour, number: 2}},
		{"by number", crlSpec{number: 3}, crlSpec{number: 2, revokes: certs(some)}},
		{"by length", crlSpec{revokes: certs(some)}, crlSpec{}},
	} {
		c.newer.by, c.older.by = w.root, w.root
		for range 4 { // the digest decides nothing of this
			newer, older := w.crl(c.newer), w.crl(c.older)
			if newerFirst(newer, older) >= 0 || newerFirst(older, newer) <= 0 {
				t.Errorf("%s: the older comes first", c.name)
			}
		}
	}
}

func TestListsOfDifferentScopeStandSideBySide(t *testing.T) {
	w := newWorld(t)
	users := w.crl(crlSpec{by: w.root, scope: onlyUserCerts, number: 5})
	cas := w.crl(crlSpec{by: w.root, scope: onlyCACerts, this: -2 * hour})
	point := w.crl(crlSpec{by: w.root, scope: fullName(uri("http://crl.example/1")), this: -3 * hour})
	other := w.crl(crlSpec{by: w.root, scope: fullName(uri("http://crl.example/2")), this: -4 * hour})
	if got := w.inForce(certs(w.root), cas, other, point, users).All(); !slices.Equal(got, []*CRL{users, cas, point, other}) {
		t.Errorf("%d lists in force, want four, newest first", len(got))
	}
}

func TestNoListConfiguredIsNotTheSameAsNone(t *testing.T) {
	w := newWorld(t)
	var nobody *CRLs
	if nobody.All() != nil || nobody.For(w.root.Cert) != nil {
		t.Errorf("nil has lists")
	}
	none := w.inForce(certs(w.root))
	leaf := w.leaf(w.root, pki.Options{})
	for _, c := range []struct {
		crls *CRLs
		want Reason
	}{{nil, 0}, {none, CRLMissing}, {&CRLs{}, CRLMissing}} {
		if v := w.ask(c.crls, CRLStrict, leaf); v.Reason != c.want {
			t.Errorf("%v: %v, want %v", c.crls, v.Reason, c.want)
		}
	}
}

func TestAllListsComeInAStableOrder(t *testing.T) {
	w := newWorld(t)
	other := w.ca(pki.Options{Subject: pkix.Name{CommonName: "Another Root"}})
	cas := certs(w.root, w.inter, w.stranger, other)
	var lists []*CRL
	for _, by := range []*pki.Authority{w.root, w.inter, w.stranger, other} {
		lists = append(lists, w.crl(crlSpec{by: by}), w.crl(crlSpec{by: by, this: hour, next: 2 * hour, number: 2}))
	}
	want := w.inForce(cas, lists...).All()
	if len(want) != len(lists) {
		t.Fatalf("%d lists in force, want %d", len(want), len(lists))
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		random.Shuffle(len(lists), func(i, j int) { lists[i], lists[j] = lists[j], lists[i] })
		if got := w.inForce(cas, lists...).All(); !slices.Equal(got, want) {
			t.Fatalf("the order in which files are read decides")
		}
	}
	crls := w.inForce(cas, lists...)
	if got := crls.For(w.leaf(other, pki.Options{})); len(got) != 2 || !got[0].ThisUpdate.After(got[1].ThisUpdate) {
		t.Errorf("%d lists for a certificate, want two, the newer first", len(got))
	}
}
