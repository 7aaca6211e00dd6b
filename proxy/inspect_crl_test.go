package proxy

import (
	"crypto/x509"
	"path/filepath"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

func TestListsAreToldOfEachCertificateAndMissedWhereTheyAreDemanded(t *testing.T) {
	intermediate, err := testCA(t).ca.Intermediate(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	client, err := intermediate.Issue(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	presented := pki.With(client, intermediate.Cert)
	i := newInspection(t)
	put := func(name string, ca *pki.Authority, number int64, revoked ...*x509.Certificate) {
		text, err := ca.CRL(number, revoked...)
		if err != nil {
			t.Fatal(err)
		}
		i.write(name, text)
	}
	put("root.crl", testCA(t).ca, 1)
	put("below.crl", intermediate, 2)
	put("revoking.crl", intermediate, 3, client.Leaf)
	for _, c := range []struct {
		files, policy string
		reason        string
		lists         [3]int64 // of the leaf, the intermediate, the root; 0: none
		missed        [3]bool  // and demanded
	}{
		{"root.crl below.crl", "strict", "", [3]int64{2, 1, 1}, [3]bool{}},
		{"root.crl revoking.crl", "strict", "revoked", [3]int64{3, 1, 1}, [3]bool{}},
		{"root.crl", "strict", "crl_missing", [3]int64{0, 1, 1}, [3]bool{0: true}},
		{"below.crl", "strict", "crl_missing", [3]int64{2, 0, 0}, [3]bool{1: true, 2: true}},
		{"below.crl", "leaf", "", [3]int64{2, 0, 0}, [3]bool{}},
		{"root.crl", "leaf", "crl_missing", [3]int64{0, 1, 1}, [3]bool{0: true}},
		{"root.crl", "available", "", [3]int64{0, 1, 1}, [3]bool{}},
	} {
		var files []string
		for name := range strings.FieldsSeq(c.files) {
			files = append(files, filepath.Join(i.folder, name))
		}
		f := i.judge(&presented, "MTLS_CRL="+strings.Join(files, ","), "MTLS_CRL_POLICY="+c.policy)
		if f.Reason != c.reason || len(f.Chain) != 3 {
			t.Errorf("%s, %s: got %q, a chain of %d, want %q", c.files, c.policy, f.Reason, len(f.Chain), c.reason)
			continue
		}
		for n, link := range f.Chain {
			number := int64(0)
			for _, consulted := range link.Lists {
				number = consulted.List.Number.Int64()
			}
			if demanded := strings.HasPrefix(link.NoList, "NONE"); number != c.lists[n] || demanded != c.missed[n] || (link.NoList != "") != (number == 0) {
				t.Errorf("%s, %s, certificate %d: got list %d, %q", c.files, c.policy, n, number, link.NoList)
			}
		}
	}
	f := i.judge(&presented)
	if f.Chain[0].Lists != nil || f.Chain[0].NoList != "" || !strings.Contains(strings.Join(f.Notes, "\n"), "nobody is asked about revocation") {
		t.Errorf("without MTLS_CRL: got %+v, %q", f.Chain[0], f.Notes)
	}
}

func TestAListThatCannotBeHadMakesTheFindingPartial(t *testing.T) {
	i := newInspection(t)
	if inspector := i.inspector("MTLS_CRL=http://127.0.0.1:1/ca.crl", "MTLS_CRL_POLICY=available"); inspector.Partial == nil ||
		!strings.Contains(inspector.Partial.Error(), "MTLS_CRL: http://127.0.0.1:1/ca.crl: ") {
		t.Errorf("a URL that nobody serves: got %v", inspector.Partial)
	}
	stranger, err := pki.NewRoot(pki.Options{Subject: testCA(t).ca.Cert.Subject})
	if err != nil {
		t.Fatal(err)
	}
	stranger.Cert.SubjectKeyId = testCA(t).ca.Cert.SubjectKeyId
	text, err := stranger.CRL(1)
	if err != nil {
		t.Fatal(err)
	}
	if inspector := i.inspector("MTLS_CRL=" + i.write("forged.crl", text)); inspector.Partial == nil || !strings.Contains(inspector.Partial.Error(), "not signed by the CA") {
		t.Errorf("a forged list: got %v", inspector.Partial)
	}
}
