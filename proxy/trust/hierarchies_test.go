package trust

import (
	"bytes"
	"crypto/x509"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Hierarchies are PKIs of a few certificates with what one client presents. Each rule is broken alone, then
// up to three together, drawn from a fixed seed. What they are for: nothing is believed here that
// OpenSSL (hierarchies_openssl_test.go) or crypto/x509 would refuse.

const randomHierarchies, randomWhenShort = 320, 100

// hierarchies are a good one, those with one alteration each, and random ones.
func (m *mint) hierarchies() []*hierarchy {
	single := m.alterations()
	all := []*hierarchy{m.draft().make("good")}
	for _, a := range single {
		all = append(all, m.altered(a.name, a))
	}
	constraints, names := constraintAlterations(), m.nameAlterations()
	random := randomHierarchies
	if testing.Short() {
		random = randomWhenShort
	}
	for i := range random {
		r := rand.New(rand.NewPCG(hierarchySeed, uint64(i)))
		var chosen []alteration
		if r.IntN(3) == 0 { // a constraint without a name to constrain says little
			chosen = append(chosen, pick(r, constraints), pick(r, names))
		}
		for range 1 + r.IntN(3-len(chosen)) {
			a := pick(r, single)
			if !slices.ContainsFunc(chosen, func(b alteration) bool { return a.rule == b.rule }) {
				chosen = append(chosen, a)
			}
		}
		all = append(all, m.altered("random "+strconv.Itoa(i), chosen...))
	}
	return all
}

func pick(r *rand.Rand, list []alteration) alteration { return list[r.IntN(len(list))] }

func (m *mint) altered(name string, alterations ...alteration) *hierarchy {
	d := m.draft()
	m.making = name
	var names []string
	for _, a := range alterations {
		a.apply(d)
		names = append(names, a.name)
	}
	return d.make(name, names...)
}

// String is what was altered: what the table of differences is searched for.
func (h *hierarchy) String() string { return strings.Join(h.alterations, "; ") }

// verdict is ours, with the strength of the defaults.
func (h *hierarchy) verdict() Verdict {
	return NewSnapshot(h.cas, Policy{MaxDepth: h.depth, MinRSABits: 2048}).Verify(h.presented, hierarchyTime)
}

func TestWhatIsBelievedOfAnyHierarchyIsConfirmedByX509OnTheSamePath(t *testing.T) {
	m := newMint(t)
	believed, names := 0, map[string]bool{}
	for _, h := range m.hierarchies() {
		if names[h.name] {
			t.Errorf("two hierarchies are named %q", h.name)
		}
		names[h.name] = true
		switch v := h.verdict(); {
		case v.Status == Success:
			believed++
			if fault := unconfirmed(v.Chain, h.cas); fault != "" {
				t.Errorf("%s (%s) is believed, but %s", h.name, h, fault)
			}
		case v.Status != Failed || v.Reason == 0 || v.Culprit == nil:
			t.Errorf("%s (%s): the verdict is %+v, want a failure with reason and culprit", h.name, h, v)
		}
	}
	if refused := len(names) - believed; believed < 200 || refused < 200 {
		t.Errorf("%d hierarchies are believed and %d are not, want 200 of each at least", believed, refused)
	}
}

// unconfirmed says what is wrong with a chain that was believed; empty: nothing.
func unconfirmed(chain, cas []*x509.Certificate) string {
	root := chain[len(chain)-1]
	if !slices.ContainsFunc(cas, root.Equal) {
		return "its root is not trusted"
	}
	chains, err := x509Alone(chain, []*x509.Certificate{root})
	if err != nil {
		return "crypto/x509 refuses it: " + err.Error()
	}
	same := func(other []*x509.Certificate) bool {
		return slices.EqualFunc(chain, other, func(a, b *x509.Certificate) bool { return bytes.Equal(a.Raw, b.Raw) })
	}
	if !slices.ContainsFunc(chains, same) {
		return "crypto/x509 finds other paths only"
	}
	return ""
}

// x509Alone verifies as a program does that relies on crypto/x509.
func x509Alone(presented, cas []*x509.Certificate) ([][]*x509.Certificate, error) {
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: hierarchyTime,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, c := range cas {
		options.Roots.AddCert(c)
	}
	for _, c := range presented[1:] {
		options.Intermediates.AddCert(c)
	}
	return presented[0].Verify(options)
}

// loose are the known places where x509.Verify alone is looser than OpenSSL, and what to alter to get there.
var loose = []struct {
	name        string
	alterations []string
	// OpenSSL heeds RFC 5280 §4.1.2.6 only with -x509_strict, which nginx does not set: a listed difference.
	strict bool
}{
	{"an empty EKU extension in the leaf", []string{"EKU of the leaf: empty"}, false},
	{"an empty EKU extension in a CA", []string{"EKU of the issuer: empty"}, false},
	{"anyExtendedKeyUsage in the leaf", []string{"EKU of the leaf: any"}, false},
	{"anyExtendedKeyUsage in a CA", []string{"EKU of the root: any"}, false},
	{"leaf key usage", []string{"key usage of the leaf: keyEncipherment"}, false},
	{"a keyUsage with no bit set", []string{"key usage of the leaf: no bits"}, false},
	{"a keyUsage with no bit set in a CA", []string{"key usage of the issuer: one bit, not set"}, false},
	{"a CA with an empty subject", []string{"subject of the issuer: empty"}, true},
	{"a root with an empty subject", []string{"subject of the root: empty"}, true},
	{"authority key id mismatch", []string{"issuer of the leaf: another key identifier"}, false},
	{"authority key id with another serial", []string{"issuer of the leaf: serial of another"}, false},
	{"a non-self-signed certificate as anchor", []string{"files: only the intermediate is trusted"}, false},
	{"a pinned CA-issued leaf", []string{"files: only the leaf is trusted"}, false},
	{"small RSA keys in an intermediate CA", []string{"key of the issuer: RSA-1024"}, false},
	{"small RSA keys in a root", []string{"key of the root: RSA-1024"}, false},
	{"name constraints on addresses that stand only in the subject",
		[]string{"constraint of the root: permits e-mail example.com", "names of the leaf: e-mail user@example.org in the subject"}, false},
	{"name constraints on host names that stand only in the subject",
		[]string{"constraint of the root: permits DNS example.com", "names of the leaf: CN host.example.org"}, false},
}

// looseHierarchies are those of the table, in its order.
func (m *mint) looseHierarchies() []*hierarchy {
	m.t.Helper()
	byName := map[string]alteration{}
	for _, a := range slices.Concat(m.alterations(), constraintAlterations(), m.nameAlterations()) {
		byName[a.name] = a
	}
	var all []*hierarchy
	for _, l := range loose {
		var chosen []alteration
		for _, name := range l.alterations {
			if byName[name].apply == nil {
				m.t.Fatalf("there is no alteration %q", name)
			}
			chosen = append(chosen, byName[name])
		}
		all = append(all, m.altered(l.name, chosen...))
	}
	return all
}

func TestWhereX509AloneIsLooseNothingIsBelieved(t *testing.T) {
	for _, h := range newMint(t).looseHierarchies() {
		t.Run(h.name, func(t *testing.T) {
			if _, err := x509Alone(h.presented, h.cas); err != nil {
				t.Errorf("crypto/x509 refuses it (%v): it is no longer a place where it is looser", err)
			}
			if v := h.verdict(); v.Status == Success {
				t.Errorf("the verdict is %q, want a failure", v.Text())
			}
		})
	}
}
