package trust

import (
	"crypto/x509"
	"crypto/x509/pkix"

	"mtls-sidecar/proxy/pki"
)

func (w *world) authorityRows() []row {
	under := func(name string, want Reason, root *pki.Authority) row {
		return row{name: name, cas: certs(root), presented: certs(w.leaf(root, pki.Options{})), depth: anyDepth, want: want}
	}
	nonCA := w.authority(w.keyed(w.root, pki.Options{NoKU: true, NoEKU: true}))
	interEKU := w.sub(w.root, pki.Options{EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	v1Root := w.ca(pki.Options{Version1: true})
	v1Inter := w.sub(w.root, pki.Options{Version1: true})
	noSign := w.sub(w.root, pki.Options{KU: x509.KeyUsageDigitalSignature})
	criticalRoot := w.ca(pki.Options{ExtraExtensions: []pkix.Extension{{Id: oidUnknown, Critical: true, Value: []byte{5, 0}}}})
	usageOnlyInter := w.sub(w.root, pki.Options{NoBC: true})
	return []row{
		w.plain("signed by a non-CA", WrongPurpose, w.leaf(nonCA, pki.Options{}), nonCA).firstly(79),
		w.plain("intermediate with EKU serverAuth only", WrongPurpose, w.leaf(interEKU, pki.Options{}), interEKU),
		under("root with EKU any only", WrongPurpose, w.ca(pki.Options{EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})),
		under("root with EKU clientAuth", 0, w.ca(pki.Options{EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})),
		under("v1 root", 0, v1Root),
		w.plain("v1 intermediate", WrongPurpose, w.leaf(v1Inter, pki.Options{}), v1Inter).firstly(79),
		under("v3 root without basicConstraints but with keyCertSign", InvalidCA, w.ca(pki.Options{NoBC: true})).stricterThanNginx(),
		under("v3 root without basicConstraints or key usage", WrongPurpose, w.ca(pki.Options{NoBC: true, NoKU: true})).firstly(79),
		w.plain("intermediate without basicConstraints but with keyCertSign", InvalidCA, w.leaf(usageOnlyInter, pki.Options{}), usageOnlyInter),
		w.plain("intermediate whose KU lacks keyCertSign", NoCertSign, w.leaf(noSign, pki.Options{}), noSign).firstly(79),
		under("root with an unknown critical extension", CriticalExtension, criticalRoot),
	}
}

// firstly notes the error that OpenSSL raises first.
func (r row) firstly(code int) row {
	r.first = code
	return r
}

// stricterThanNginx marks a listed difference.
func (r row) stricterThanNginx() row {
	r.stricter = true
	return r
}

func (w *world) pathRows() []row {
	second := w.sub(w.inter, pki.Options{Subject: pkix.Name{CommonName: "Second Intermediate"}})
	closed := w.ca(pki.Options{MaxPathLen: new(0)})
	belowClosed := w.sub(closed, pki.Options{})
	foreign := w.ca(pki.Options{Subject: w.stranger.Cert.Subject, MaxPathLen: new(0)})
	belowForeign := w.sub(foreign, pki.Options{})
	usageOnly := w.sub(w.stranger, pki.Options{NoBC: true})
	loose := w.ca(pki.Options{Subject: w.stranger.Cert.Subject, MaxPathLen: new(1), PermittedDNS: oidDNS})
	belowLoose := w.sub(loose, pki.Options{})
	selfIssued := w.sub(belowLoose, pki.Options{Subject: belowLoose.Cert.Subject, DNSNames: []string{"ca.example.org"}})
	deep := w.leaf(second, pki.Options{})
	return []row{
		{name: "two intermediates, depth 2", cas: certs(w.root), presented: certs(deep, w.inter, second), depth: 2},
		{name: "two intermediates, depth 1", cas: certs(w.root), presented: certs(deep, second, w.inter), depth: 1, want: UnknownIssuer, first: 22},
		{name: "one intermediate, depth 0", cas: certs(w.root), presented: certs(w.leaf(w.inter, pki.Options{}), w.inter), depth: 0, want: UnknownIssuer, first: 22},
		{name: "no intermediate, depth 0", cas: certs(w.root), presented: certs(w.leaf(w.root, pki.Options{})), depth: 0},
		{name: "the trusted intermediate is too deep", cas: certs(w.root, second, w.inter), presented: certs(deep), depth: 1, want: IssuerMissing, first: 22},
		{name: "the trusted intermediate's root sent", cas: certs(w.inter), presented: certs(w.leaf(w.inter, pki.Options{}), w.root), depth: anyDepth, want: IssuerMissing},
		w.plain("pathlen exceeded under an unknown root", PathLength, w.leaf(belowForeign, pki.Options{}), belowForeign, foreign).firstly(19),
		w.plain("intermediate without basicConstraints under an unknown root", InvalidCA, w.leaf(usageOnly, pki.Options{}), usageOnly, w.stranger).firstly(19),
		w.plain("self-issued CA under an unknown root: neither counted nor constrained", UntrustedRoot,
			w.leaf(selfIssued, pki.Options{}), selfIssued, belowLoose, loose),
		{name: "pathlen exceeded", cas: certs(closed), presented: certs(w.leaf(belowClosed, pki.Options{}), belowClosed), depth: anyDepth, want: PathLength},
		{name: "pathlen just kept", cas: certs(closed), presented: certs(w.leaf(closed, pki.Options{})), depth: anyDepth},
	}
}
