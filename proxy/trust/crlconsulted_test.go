package trust

import (
	"crypto/x509"
	"reflect"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// consulted is a Consulted by the number of its list.
type consulted struct {
	number int64
	use    CRLUse
	names  bool
}

func TestEachListIsToldWithWhatItIsGoodFor(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf(w.root, pki.Options{})
	deep := w.leaf(w.inter, pki.Options{})
	root := func(number int64, l crlSpec) *CRL { l.by, l.number = w.root, number; return w.crl(l) }
	forged := func(number int64, l crlSpec) *CRL {
		l.name, l.keyID = w.root.Cert.RawSubject, w.root.Cert.SubjectKeyId
		l.by, l.number = w.stranger, number
		return w.crl(l)
	}
	for _, c := range []struct {
		name  string
		chain []*x509.Certificate
		grace time.Duration
		lists []*CRL
		want  [][]consulted
	}{
		{"a current list", certs(leaf), 0, []*CRL{root(1, crlSpec{})},
			[][]consulted{{{1, CRLCounts, false}}, {{1, CRLCounts, false}}}},
		{"none", certs(leaf), 0, nil, [][]consulted{nil, nil}},
		{"revoked", certs(leaf), 0, []*CRL{root(1, crlSpec{revokes: certs(leaf)})},
			[][]consulted{{{1, CRLCounts, true}}, {{1, CRLCounts, false}}}},
		{"an older one beside it", certs(leaf), 0, []*CRL{root(1, crlSpec{this: -2 * hour, revokes: certs(leaf)}), root(2, crlSpec{})},
			[][]consulted{{{2, CRLCounts, false}, {1, CRLSuperseded, true}}, {{2, CRLCounts, false}, {1, CRLSuperseded, false}}}},
		{"one of an older date and a higher number beside it", certs(leaf), 0,
			[]*CRL{root(2, crlSpec{this: -2 * hour, revokes: certs(leaf)}), root(1, crlSpec{})},
			[][]consulted{{{1, CRLCounts, false}, {2, CRLCounts, true}}, {{1, CRLCounts, false}, {2, CRLCounts, false}}}},
		{"an older one of another scope beside it", certs(leaf), 0,
			[]*CRL{root(1, crlSpec{this: -2 * hour, revokes: certs(leaf)}), root(2, crlSpec{scope: onlyUserCerts})},
			[][]consulted{{{2, CRLCounts, false}, {1, CRLCounts, true}}, {{2, CRLOtherScope, false}, {1, CRLCounts, false}}}},
		{"ended", certs(leaf), 0, []*CRL{root(1, crlSpec{next: -minute})},
			[][]consulted{{{1, CRLEnded, false}}, {{1, CRLEnded, false}}}},
		{"ended, but for the grace", certs(leaf), hour, []*CRL{root(1, crlSpec{next: -minute})},
			[][]consulted{{{1, CRLCounts, false}}, {{1, CRLCounts, false}}}},
		{"ended, and it names the client", certs(leaf), 0, []*CRL{root(1, crlSpec{next: -minute, revokes: certs(leaf)})},
			[][]consulted{{{1, CRLEnded, true}}, {{1, CRLEnded, false}}}},
		{"one of the future beside it", certs(leaf), 0, []*CRL{root(1, crlSpec{}), root(2, crlSpec{this: minute, next: hour})},
			[][]consulted{{{2, CRLNotBegun, false}, {1, CRLCounts, false}}, {{2, CRLNotBegun, false}, {1, CRLCounts, false}}}},
		{"for CAs alone", certs(leaf), 0, []*CRL{root(1, crlSpec{scope: onlyCACerts, revokes: certs(leaf)})},
			[][]consulted{{{1, CRLOtherScope, true}}, {{1, CRLCounts, false}}}},
		{"of another key", certs(leaf), 0, []*CRL{root(1, crlSpec{keyID: []byte("another")})},
			[][]consulted{{{1, CRLOtherKey, false}}, {{1, CRLOtherKey, false}}}},
		{"forged", certs(leaf), 0, []*CRL{forged(1, crlSpec{revokes: certs(leaf)})},
			[][]consulted{{{1, CRLNotSigned, false}}, {{1, CRLNotSigned, false}}}},
		{"of an intermediate that the client sends", certs(deep, w.inter), 0,
			[]*CRL{root(1, crlSpec{}), w.crl(crlSpec{by: w.inter, number: 7, revokes: certs(deep)})},
			[][]consulted{{{7, CRLCounts, true}}, {{1, CRLCounts, false}}, {{1, CRLCounts, false}}}},
		// The leaf's purpose is wrong, so nobody has proved who the intermediate is.
		{"of an intermediate on a chain that is refused", certs(w.leaf(w.inter, pki.Options{EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}), w.inter), 0,
			[]*CRL{root(1, crlSpec{}), w.crl(crlSpec{by: w.inter, number: 7})},
			[][]consulted{{{7, CRLUnproved, false}}, {{1, CRLCounts, false}}, {{1, CRLCounts, false}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			snap := NewSnapshot(certs(w.root), Policy{MaxDepth: -1, CRLs: newCRLs(c.lists), CRLGrace: c.grace})
			snap.Verify(c.chain, w.now)
			got := make([][]consulted, 0)
			for _, lists := range snap.Consult(c.chain, w.now) {
				var row []consulted
				for _, l := range lists {
					row = append(row, consulted{l.List.Number.Int64(), l.Use, l.Names})
				}
				got = append(got, row)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
		})
	}
}

// TestWhatIsToldAgreesWithTheVerdict: under the strict policy a believed chain has a list that
// counts for each certificate and none that names it.
func TestWhatIsToldAgreesWithTheVerdict(t *testing.T) {
	w := newWorld(t)
	for _, r := range w.listRows() {
		policy := Policy{MaxDepth: -1, MinRSABits: 2048, CRLs: newCRLs(w.read(r.lists...)), CRLPolicy: r.policy}
		snap := NewSnapshot(r.cas, policy)
		v := snap.Verify(r.presented, w.now)
		told := snap.Consult(r.presented, w.now)
		if len(told) != len(v.Chain) {
			t.Errorf("%s: told of %d certificates, and the chain has %d", r.name, len(told), len(v.Chain))
			continue
		}
		vouched, named := 0, 0
		for _, lists := range told {
			for _, l := range lists {
				if l.Use == CRLCounts {
					vouched++
				}
				if l.Names && l.Use != CRLSuperseded {
					named++
				}
			}
		}
		switch {
		case v.Status == Success && named > 0:
			t.Errorf("%s: believed, although %d lists are told to name it", r.name, named)
		case v.Status == Success && r.policy == CRLStrict && vouched < len(v.Chain):
			t.Errorf("%s: believed, although only %d lists of %d are told to count", r.name, vouched, len(v.Chain))
		case v.Reason == Revoked && named == 0:
			t.Errorf("%s: revoked, and no list is told to name it", r.name)
		}
	}
}

func TestNothingIsConsultedWithoutLists(t *testing.T) {
	w := newWorld(t)
	leaf := certs(w.leaf(w.root, pki.Options{}))
	var none *Snapshot
	crls := newCRLs(nil)
	for name, got := range map[string][][]Consulted{
		"no list configured":    NewSnapshot(certs(w.root), Policy{MaxDepth: -1}).Consult(leaf, w.now),
		"no certificate":        NewSnapshot(certs(w.root), Policy{MaxDepth: -1, CRLs: crls}).Consult(nil, w.now),
		"too many certificates": NewSnapshot(certs(w.root), Policy{MaxDepth: -1, CRLs: crls}).Consult(make([]*x509.Certificate, maxPresented+1), w.now),
		"no snapshot":           none.Consult(leaf, w.now),
	} {
		if got != nil {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
