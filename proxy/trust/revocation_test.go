package trust

import (
	"crypto/x509"
	"math/rand/v2"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

func TestEveryRevocationListGetsTheVerdictOfNginx(t *testing.T) {
	w := newWorld(t)
	for _, r := range w.listRows() {
		t.Run(r.name, func(t *testing.T) {
			policy := Policy{MaxDepth: -1, MinRSABits: 2048, CRLs: newCRLs(w.read(r.lists...)), CRLPolicy: r.policy}
			v := NewSnapshot(r.cas, policy).Verify(r.presented, w.now)
			status := Failed
			if r.want == 0 {
				status = Success
			}
			if v.Status != status || v.Reason != r.want {
				t.Errorf("verdict is %q (%v), want reason %q", v.Text(), v.Reason, r.want)
			}
			if v.Status == Failed && v.Culprit == nil {
				t.Errorf("a failure without a culprit")
			}
		})
	}
}

func TestTheCulpritIsTheCertificateThatTheListIsAbout(t *testing.T) {
	w := newWorld(t)
	noSign := w.ca(pki.Options{KU: x509.KeyUsageCertSign})
	leaf, deep, under := w.leaf(w.root, pki.Options{}), w.leaf(w.inter, pki.Options{}), w.leaf(noSign, pki.Options{})
	root := func(l crlSpec) *CRL { l.by = w.root; return w.crl(l) }
	for _, c := range []struct {
		name  string
		chain []*x509.Certificate
		lists []*CRL
		want  *x509.Certificate
	}{
		{"the leaf revoked", certs(leaf), []*CRL{root(crlSpec{revokes: certs(leaf)})}, leaf},
		{"the intermediate revoked", certs(deep, w.inter), []*CRL{root(crlSpec{revokes: certs(w.inter)}), w.crl(crlSpec{by: w.inter})}, w.inter.Cert},
		{"no list about the leaf", certs(deep, w.inter), []*CRL{root(crlSpec{})}, deep},
		{"no list about the intermediate", certs(deep, w.inter), []*CRL{w.crl(crlSpec{by: w.inter})}, w.root.Cert},
		{"a CA that may not sign lists", certs(under), []*CRL{w.crl(crlSpec{by: noSign})}, noSign.Cert},
	} {
		v := NewSnapshot(certs(w.root, noSign), Policy{MaxDepth: -1, CRLs: newCRLs(c.lists)}).Verify(c.chain, w.now)
		if v.Culprit != c.want {
			t.Errorf("%s: %q because of %v, want %v", c.name, v.Text(), v.Culprit.Subject, c.want.Subject)
		}
	}
}

func TestAListCountsUntilItsGraceIsOver(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf(w.root, pki.Options{})
	crls := newCRLs([]*CRL{w.crl(crlSpec{by: w.root, next: minute})})
	for _, c := range []struct {
		grace, after time.Duration
		want         Reason
	}{
		{0, minute - 1, 0}, {0, minute, CRLExpired},
		{hour, minute, 0}, {hour, hour + minute - 1, 0}, {hour, hour + minute, CRLExpired},
	} {
		snap := NewSnapshot(certs(w.root), Policy{MaxDepth: -1, CRLs: crls, CRLGrace: c.grace})
		v := snap.Verify(certs(leaf), w.now.Add(c.after))
		if v.Reason != c.want {
			t.Errorf("grace %v, %v later: %v, want %v", c.grace, c.after, v.Reason, c.want)
		}
		if end := w.now.Add(minute + c.grace); c.want == 0 && !v.Until.Equal(end) {
			t.Errorf("grace %v: it holds until %v, want %v", c.grace, v.Until, end)
		}
	}
}

// TestAVerdictWithListsHoldsUntilItSays: asked again at any time before Until, the
// answer is the same, in every policy, whatever lists there are.
func TestAVerdictWithListsHoldsUntilItSays(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf(w.inter, pki.Options{})
	mimic := w.ca(pki.Options{Subject: w.inter.Cert.Subject})
	random := rand.New(rand.NewPCG(7, 8))
	for round := range 45 {
		lists := []*CRL{w.crl(crlSpec{by: w.root, next: 9 * hour})}
		for range 1 + random.IntN(4) {
			from := time.Duration(random.IntN(60)) * minute
			l := crlSpec{by: w.inter, this: from + 1, next: from + time.Duration(1+random.IntN(60))*minute}
			switch random.IntN(6) {
			case 0, 1:
				l.revokes = certs(leaf)
			case 2:
				l.by, l.keyID = mimic, w.inter.Cert.SubjectKeyId
			case 3:
				l.scope = onlyCACerts
			}
			lists = append(lists, w.crl(l))
		}
		policy := Policy{MaxDepth: -1, CRLs: newCRLs(lists), CRLPolicy: CRLPolicy(round % 3), CRLGrace: time.Duration(random.IntN(2)) * minute}
		snap := NewSnapshot(certs(w.root), policy)
		var last Verdict
		for n := -1; n < 130; n++ {
			now := w.now.Add(time.Duration(n) * minute)
			v := snap.Verify(certs(leaf, w.inter), now)
			if n >= 0 && last.Holds(now) && (v.Status != last.Status || v.Reason != last.Reason) {
				t.Fatalf("round %d: %q held until %v, but at %v it is %q", round, last.Text(), last.Until, now, v.Text())
			}
			if n < 0 || !last.Holds(now) {
				last = v
			}
		}
	}
}

// A stranger can have any key put into a CA's certificate, and make the check of a
// signature dear. So nobody's key but a trusted one is computed with before the path is proved.
func TestListsAreNotCheckedWithAStrangersKey(t *testing.T) {
	w := newWorld(t)
	expired := w.leaf(w.inter, pki.Options{NotBefore: w.now.Add(-2 * hour), NotAfter: w.now.Add(-hour)})
	revoked := w.leaf(w.inter, pki.Options{EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	good := w.leaf(w.inter, pki.Options{})
	list := w.crl(crlSpec{by: w.inter, revokes: certs(revoked)})
	crls := newCRLs([]*CRL{list})
	for _, c := range []struct {
		name string
		leaf *x509.Certificate
		want Reason
	}{{"expired", expired, Expired}, {"of the wrong purpose", revoked, WrongPurpose}} {
		if v := w.ask(crls, CRLLeaf, c.leaf, w.inter); v.Reason != c.want {
			t.Errorf("%s: %v, want %v", c.name, v.Reason, c.want)
		}
		if list.verified() {
			t.Errorf("%s: the signature of the list was checked with a key that nobody vouches for", c.name)
		}
	}
	if v := w.ask(crls, CRLLeaf, good, w.inter); v.Status != Success || !list.verified() {
		t.Errorf("on a proved path it is %q, the list proved: %v", v.Text(), list.verified())
	}
	// From then on the words are OpenSSL's.
	if v := w.ask(crls, CRLLeaf, revoked, w.inter); v.Reason != Revoked {
		t.Errorf("revoked by a proved list: %v, want %v", v.Reason, Revoked)
	}
}

func TestAnUnknownPolicyIsTheStrictest(t *testing.T) {
	w := newWorld(t)
	crls := newCRLs([]*CRL{w.crl(crlSpec{by: w.inter})})
	deep := w.leaf(w.inter, pki.Options{})
	for _, c := range []struct {
		policy CRLPolicy
		name   string
		want   Reason
	}{{CRLStrict, "strict", CRLMissing}, {CRLLeaf, "leaf", 0}, {CRLAvailable, "available", 0}, {CRLPolicy(9), "strict", CRLMissing}} {
		if v := w.ask(crls, c.policy, deep, w.inter); v.Reason != c.want {
			t.Errorf("%d: %v, want %v", c.policy, v.Reason, c.want)
		}
		if got := c.policy.String(); got != c.name {
			t.Errorf("policy %d is %q, want %q", c.policy, got, c.name)
		}
	}
}

func (w *world) leafPolicyRows() []listRow {
	deep := w.leaf(w.inter, pki.Options{})
	const h = hour
	root := func(l crlSpec) []byte { l.by = w.root; return w.der(l) }
	inter := func(l crlSpec) []byte { l.by = w.inter; return w.der(l) }
	return []listRow{
		w.below("leaf: no list of the root", 0, deep, w.goodInter()).under(CRLLeaf),
		w.below("leaf: no list of the intermediate", CRLMissing, deep, w.good()).under(CRLLeaf),
		w.below("leaf: revoked", Revoked, deep, inter(crlSpec{revokes: certs(deep)})).under(CRLLeaf),
		w.below("leaf: the intermediate's list expired", CRLExpired, deep, inter(crlSpec{this: -2 * h, next: -h}), w.good()).under(CRLLeaf),
		w.below("leaf: the intermediate's list expired and revoked", Revoked, deep, inter(crlSpec{this: -2 * h, next: -h, revokes: certs(deep)})).
			under(CRLLeaf).firstly(12),
		w.below("leaf: the intermediate's list badly signed", CRLBadSignature, deep, inter(crlSpec{corrupt: true})).under(CRLLeaf),
		w.below("leaf: the root's list expired", 0, deep, w.goodInter(), root(crlSpec{this: -2 * h, next: -h})).under(CRLLeaf),
		w.below("leaf: the root's list badly signed", 0, deep, w.goodInter(), root(crlSpec{corrupt: true})).under(CRLLeaf),
		w.below("leaf: the intermediate revoked", Revoked, deep, w.goodInter(), root(crlSpec{revokes: certs(w.inter)})).under(CRLLeaf).
			differing("it asks about no CA then"),
		w.below("leaf: the intermediate revoked by an expired list", Revoked, deep, w.goodInter(),
			root(crlSpec{this: -2 * h, next: -h, revokes: certs(w.inter)})).under(CRLLeaf).differing("it asks about no CA then"),
		w.below("available: no list", 0, deep).under(CRLAvailable),
		w.below("available: expired lists", 0, deep, inter(crlSpec{this: -2 * h, next: -h}), root(crlSpec{this: -2 * h, next: -h})).under(CRLAvailable),
		w.below("available: future lists", 0, deep, inter(crlSpec{this: h, next: 2 * h})).under(CRLAvailable),
		w.below("available: badly signed lists", 0, deep, inter(crlSpec{corrupt: true, revokes: certs(deep)})).under(CRLAvailable),
		w.below("available: revoked", Revoked, deep, inter(crlSpec{revokes: certs(deep)})).under(CRLAvailable),
		w.below("available: revoked by an expired list", Revoked, deep, inter(crlSpec{this: -2 * h, next: -h, revokes: certs(deep)})).under(CRLAvailable),
		w.below("available: released by the newer of two lists that have expired", 0, deep,
			inter(crlSpec{this: -3 * h, next: -h, revokes: certs(deep)}), inter(crlSpec{this: -2 * h, next: -h})).under(CRLAvailable),
		w.below("available: revoked by a future list", Revoked, deep, inter(crlSpec{this: h, next: 2 * h, revokes: certs(deep)})).under(CRLAvailable),
		w.below("available: the intermediate revoked", Revoked, deep, root(crlSpec{revokes: certs(w.inter)})).under(CRLAvailable),
	}
}

func BenchmarkVerifyWithLists(b *testing.B) {
	w := newWorld(&testing.T{})
	leaf := w.leaf(w.inter, pki.Options{})
	policy := Policy{MaxDepth: -1, CRLs: newCRLs([]*CRL{w.crl(crlSpec{by: w.root}), w.crl(crlSpec{by: w.inter})})}
	snap, chain := NewSnapshot(certs(w.root), policy), certs(leaf, w.inter)
	b.ReportAllocs()
	for b.Loop() {
		if v := snap.Verify(chain, w.now); v.Status != Success {
			b.Fatal(v.Text())
		}
	}
}
