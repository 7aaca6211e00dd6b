package trust

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// row is one client certificate with what is to be said of it. The expected
// reasons come from nginx 1.22 with OpenSSL 3.0, not from this package.
type row struct {
	name      string
	cas       []*x509.Certificate
	presented []*x509.Certificate
	depth     int // of the policy, as it is: 0 means none below the root
	want      Reason
	// first is the first error that OpenSSL raises, where it is not the last.
	first int
	// nginx says SUCCESS here; refusing is one of our listed differences.
	stricter bool
}

var (
	oidUnknown = asn1.ObjectIdentifier{1, 2, 3, 4, 5}
	oidDNS     = []string{"example.com"}
)

func TestEveryKindOfCertificateGetsTheVerdictOfNginx(t *testing.T) {
	w := newWorld(t)
	rows := w.rows()
	if len(rows) < 60 {
		t.Errorf("the matrix has %d rows, want at least 60", len(rows))
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			v := NewSnapshot(r.cas, Policy{MaxDepth: r.depth, MinRSABits: 2048}).Verify(r.presented, w.now)
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
			if len(v.Chain) == 0 || v.Chain[0] != r.presented[0] && string(v.Chain[0].Raw) != string(r.presented[0].Raw) {
				t.Errorf("the chain does not begin with the leaf")
			}
		})
	}
}

func (w *world) rows() []row {
	var rows []row
	for _, group := range [][]row{
		w.plainRows(), w.unknownRows(), w.leafPurposeRows(), w.authorityRows(), w.pathRows(),
		w.strengthRows(), w.constraintRows(), w.twinRows(), w.overlookedRows(), w.severalFaultsRows(),
	} {
		rows = append(rows, group...)
	}
	return rows
}

const anyDepth = -1

// plain is a row with the usual root and nothing else to say.
func (w *world) plain(name string, want Reason, presented ...any) row {
	return row{name: name, cas: certs(w.root), presented: certs(presented...), depth: anyDepth, want: want}
}

func (w *world) plainRows() []row {
	hour := time.Hour
	expiredRoot := w.ca(pki.Options{NotBefore: w.now.Add(-48 * hour), NotAfter: w.now.Add(-hour)})
	expiredInter := w.sub(w.root, pki.Options{NotBefore: w.now.Add(-48 * hour), NotAfter: w.now.Add(-hour)})
	corrupt, err := pki.CorruptSignature(w.keyed(w.root, pki.Options{}))
	must(w.t, corrupt, err)
	return []row{
		w.plain("valid with clientAuth", 0, w.leaf(w.root, pki.Options{})),
		w.plain("valid without any EKU", 0, w.leaf(w.root, pki.Options{NoEKU: true})),
		w.plain("valid without any extension but names", 0, w.leaf(w.root, pki.Options{NoEKU: true, NoKU: true, NoKeyIDs: true})),
		w.plain("X.509 v1 leaf", 0, w.leaf(w.root, pki.Options{Version1: true})),
		w.plain("empty subject", 0, w.leaf(w.root, pki.Options{RawSubject: pki.EmptyName()})),
		w.plain("intermediate sent", 0, w.leaf(w.inter, pki.Options{}), w.inter),
		w.plain("intermediate and root sent", 0, w.leaf(w.inter, pki.Options{}), w.inter, w.root),
		w.plain("intermediate sent among others, out of order", 0, w.leaf(w.inter, pki.Options{}), w.stranger, w.root, w.inter),
		w.plain("expired", Expired, w.leaf(w.root, pki.Options{NotBefore: w.now.Add(-2 * hour), NotAfter: w.now.Add(-hour)})),
		w.plain("ends this very second", Expired, w.leaf(w.root, pki.Options{NotAfter: w.now})),
		w.plain("begins this very second", 0, w.leaf(w.root, pki.Options{NotBefore: w.now})),
		w.plain("not yet valid", NotYetValid, w.leaf(w.root, pki.Options{NotBefore: w.now.Add(hour), NotAfter: w.now.Add(2 * hour)})),
		w.plain("expired intermediate", Expired, w.leaf(expiredInter, pki.Options{}), expiredInter),
		{name: "expired root", cas: certs(expiredRoot), presented: certs(w.leaf(expiredRoot, pki.Options{})), depth: anyDepth, want: Expired},
		w.plain("bad signature", BadSignature, corrupt.Leaf),
		w.plain("unknown critical extension", CriticalExtension, w.leaf(w.root, pki.Options{
			ExtraExtensions: []pkix.Extension{{Id: oidUnknown, Critical: true, Value: []byte{5, 0}}}})),
		w.plain("unknown extension that is not critical", 0, w.leaf(w.root, pki.Options{
			ExtraExtensions: []pkix.Extension{{Id: oidUnknown, Value: []byte{5, 0}}}})),
	}
}

func (w *world) unknownRows() []row {
	own := w.leaf(nil, pki.Options{})
	both := w.keyed(nil, pki.Options{Subject: pkix.Name{CommonName: "server"}, CA: true, DNSNames: []string{"server"}})
	mimicKey := w.keyed(nil, pki.Options{})
	foreign := w.sub(w.stranger, pki.Options{})
	mimic := w.leaf(nil, pki.Options{Key: w.authority(mimicKey).Key})
	return []row{
		w.plain("unknown CA, leaf only", UnknownCA, w.leaf(w.stranger, pki.Options{})).firstly(20),
		w.plain("unknown CA and its root sent", UntrustedRoot, w.leaf(w.stranger, pki.Options{}), w.stranger),
		w.plain("self-signed", SelfSigned, own),
		{name: "self-signed and in the CA file", cas: certs(w.root, own), presented: certs(own), depth: anyDepth},
		{name: "self-signed with the key and name of one in the CA file", cas: certs(mimicKey.Leaf), presented: certs(mimic), depth: anyDepth, want: SelfSigned},
		w.plain("intermediate missing", UnknownCA, w.leaf(w.inter, pki.Options{})).firstly(20),
		w.plain("intermediate of an unknown root", UnknownIssuer, w.leaf(foreign, pki.Options{}), foreign),
		{name: "only an intermediate in the CA file", cas: certs(w.inter), presented: certs(w.leaf(w.inter, pki.Options{})), depth: anyDepth, want: IssuerMissing},
		{name: "intermediate and root in the CA file", cas: certs(w.inter, w.root), presented: certs(w.leaf(w.inter, pki.Options{})), depth: anyDepth},
		{name: "one self-signed certificate for server and CA", cas: certs(both.Leaf),
			presented: certs(w.leaf(w.authority(both), pki.Options{})), depth: anyDepth},
		{name: "no CA at all", presented: certs(w.leaf(w.root, pki.Options{})), depth: anyDepth, want: UnknownCA, first: 20},
	}
}

func (w *world) leafPurposeRows() []row {
	eku := func(usages ...x509.ExtKeyUsage) *x509.Certificate { return w.leaf(w.root, pki.Options{EKU: usages}) }
	ku := func(usage x509.KeyUsage) *x509.Certificate { return w.leaf(w.root, pki.Options{KU: usage}) }
	netscape := func(bits byte) *x509.Certificate {
		return w.leaf(w.root, pki.Options{ExtraExtensions: []pkix.Extension{{Id: oidNetscapeCertType, Value: []byte{3, 2, 0, bits}}}})
	}
	emptyEKU := []pkix.Extension{{Id: oidExtKeyUsage, Value: []byte{0x30, 0x00}}}
	emptyKU := []pkix.Extension{{Id: oidKeyUsage, Value: []byte{3, 1, 0}}}
	return []row{
		w.plain("EKU serverAuth only", WrongPurpose, eku(x509.ExtKeyUsageServerAuth)),
		w.plain("EKU emailProtection only", WrongPurpose, eku(x509.ExtKeyUsageEmailProtection)),
		w.plain("EKU any only", WrongPurpose, eku(x509.ExtKeyUsageAny)),
		w.plain("EKU any and clientAuth", 0, eku(x509.ExtKeyUsageAny, x509.ExtKeyUsageClientAuth)),
		w.plain("EKU serverAuth and clientAuth", 0, eku(x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)),
		w.plain("EKU unknown only", WrongPurpose, w.leaf(w.root, pki.Options{UnknownEKU: []asn1.ObjectIdentifier{oidUnknown}})),
		w.plain("EKU empty", WrongPurpose, w.leaf(w.root, pki.Options{ExtraExtensions: emptyEKU})),
		w.plain("KU keyEncipherment only", WrongPurpose, ku(x509.KeyUsageKeyEncipherment)),
		w.plain("KU keyAgreement only", 0, ku(x509.KeyUsageKeyAgreement)),
		w.plain("KU absent", 0, w.leaf(w.root, pki.Options{NoKU: true})),
		w.plain("KU contentCommitment only", WrongPurpose, ku(x509.KeyUsageContentCommitment)),
		w.plain("KU empty", UnknownCA, w.leaf(w.root, pki.Options{ExtraExtensions: emptyKU})).firstly(20),
		w.plain("CA leaf, KU certSign and cRLSign", WrongPurpose, w.leaf(w.root, pki.Options{CA: true})),
		w.plain("CA leaf without KU", 0, w.leaf(w.root, pki.Options{CA: true, NoKU: true})),
		w.plain("Netscape type client", 0, netscape(0x80)),
		w.plain("Netscape type server only", WrongPurpose, netscape(0x40)),
	}
}
