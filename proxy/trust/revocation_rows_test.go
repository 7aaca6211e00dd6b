package trust

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"time"

	"mtls-sidecar/proxy/pki"
)

// listRow is a client certificate with the revocation lists at hand. Reasons are
// nginx's: the last that OpenSSL raises; row.first is its first, where that is another.
type listRow struct {
	row
	lists  [][]byte
	policy CRLPolicy
	// differs says why OpenSSL decides otherwise: a listed difference.
	differs string
}

func (w *world) listRows() []listRow {
	var rows []listRow
	for _, group := range [][]listRow{
		w.revokedRows(), w.missingListRows(), w.listDateRows(), w.listSignatureRows(), w.severalListRows(),
		w.listScopeRows(), w.distributionPointRows(), w.listKeyRows(), w.listFaultRows(), w.leafPolicyRows(),
	} {
		rows = append(rows, group...)
	}
	return rows
}

// good is a list of each CA without entries, with or without the intermediate's.
func (w *world) good() []byte      { return w.der(crlSpec{by: w.root}) }
func (w *world) goodInter() []byte { return w.der(crlSpec{by: w.inter}) }

// listed is a row with the usual root, strict, of one leaf that the root issued.
func (w *world) listed(name string, want Reason, leaf *x509.Certificate, lists ...[]byte) listRow {
	return listRow{row: w.plain(name, want, leaf), lists: lists}
}

// below is the same with the intermediate between.
func (w *world) below(name string, want Reason, leaf *x509.Certificate, lists ...[]byte) listRow {
	return listRow{row: w.plain(name, want, leaf, w.inter), lists: lists}
}

func (r listRow) firstly(code int) listRow {
	r.first = code
	return r
}

func (r listRow) differing(why string) listRow {
	r.differs = why
	return r
}

func (r listRow) under(p CRLPolicy) listRow {
	r.policy = p
	return r
}

func (w *world) revokedRows() []listRow {
	leaf, deep := w.leaf(w.root, pki.Options{}), w.leaf(w.inter, pki.Options{})
	padded := w.leaf(w.root, pki.Options{Serial: big.NewInt(0x80)})
	some := w.leaf(w.root, pki.Options{})
	root := func(l crlSpec) []byte { l.by = w.root; return w.der(l) }
	revoking := func(c ...*x509.Certificate) []byte { return root(crlSpec{revokes: c}) }
	return []listRow{
		w.listed("nobody revoked", 0, leaf, w.good()),
		w.listed("somebody else revoked", 0, leaf, revoking(some)),
		w.listed("revoked", Revoked, leaf, revoking(some, leaf)),
		w.listed("revoked, with a serial number that DER pads", Revoked, padded, revoking(padded)),
		w.listed("on hold", Revoked, leaf, root(crlSpec{revokes: certs(leaf), reason: 6})),
		w.listed("removed from a complete list", Revoked, leaf, root(crlSpec{revokes: certs(leaf), reason: 8})).
			differing("it passes over entries with removeFromCRL, which have no place in a complete list"),
		w.below("nobody revoked below an intermediate", 0, deep, w.good(), w.goodInter()),
		w.below("revoked by the intermediate", Revoked, deep, w.good(), w.der(crlSpec{by: w.inter, revokes: certs(deep)})),
		w.below("the root's list has the leaf's serial number", 0, deep, revoking(deep), w.goodInter()),
		w.below("the intermediate revoked", Revoked, deep, revoking(w.inter.Cert), w.goodInter()),
		w.listed("the root revoked by itself", Revoked, leaf, revoking(w.root.Cert)),
	}
}

func (w *world) missingListRows() []listRow {
	leaf, deep := w.leaf(w.root, pki.Options{}), w.leaf(w.inter, pki.Options{})
	own := w.leaf(nil, pki.Options{})
	return []listRow{
		w.listed("no list at all", CRLMissing, leaf),
		w.listed("only a stranger's list", CRLMissing, leaf, w.der(crlSpec{by: w.stranger})),
		w.below("no list of the intermediate", CRLMissing, deep, w.good()),
		w.below("no list of the root", CRLMissing, deep, w.goodInter()),
		{row: row{name: "self-signed and trusted, without a list", cas: certs(own), presented: certs(own), depth: anyDepth, want: CRLMissing}},
	}
}

func (w *world) listDateRows() []listRow {
	leaf, deep := w.leaf(w.root, pki.Options{}), w.leaf(w.inter, pki.Options{})
	from := func(this, next time.Duration, revoked ...*x509.Certificate) []byte {
		return w.der(crlSpec{by: w.root, this: this, next: next, revokes: revoked})
	}
	const h, s = time.Hour, time.Second
	return []listRow{
		w.listed("list expired", CRLExpired, leaf, from(-2*h, -h)),
		w.listed("list ended a second ago", CRLExpired, leaf, from(-2*h, -s)),
		w.listed("list ends in a second", 0, leaf, from(-2*h, s)),
		w.listed("list not yet valid", CRLNotYetValid, leaf, from(h, 2*h)),
		w.listed("list begins in a second", CRLNotYetValid, leaf, from(s, 2*h)),
		w.listed("list began a second ago", 0, leaf, from(-s, 2*h)),
		w.listed("list expired and revoked: the root's own check comes last", CRLExpired, leaf, from(-2*h, -h, leaf)),
		w.below("the intermediate's list expired and revoked", Revoked, deep, w.good(),
			w.der(crlSpec{by: w.inter, this: -2 * h, next: -h, revokes: certs(deep)})).firstly(12),
		w.below("the root's list expired", CRLExpired, deep, from(-2*h, -h), w.goodInter()),
	}
}

func (w *world) listSignatureRows() []listRow {
	leaf := w.leaf(w.root, pki.Options{})
	mimic := w.ca(pki.Options{})
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	must(w.t, edwards, err)
	signedWith := func(name string, o pki.Options, algorithm x509.SignatureAlgorithm) listRow {
		root := w.ca(o)
		leaf := w.leaf(root, pki.Options{})
		return listRow{row: row{name: name, cas: certs(root), presented: certs(leaf), depth: anyDepth},
			lists: [][]byte{w.der(crlSpec{by: root, algorithm: algorithm})}}
	}
	rsa := rsaKey(w.t, 2048)
	return []listRow{
		w.listed("list badly signed", CRLBadSignature, leaf, w.der(crlSpec{by: w.root, corrupt: true})),
		w.listed("list signed by another of the CA's name and key identifier", CRLBadSignature, leaf,
			w.der(crlSpec{by: mimic, keyID: w.root.Cert.SubjectKeyId})),
		w.listed("list without a key identifier", 0, leaf, w.der(crlSpec{by: w.root, noKeyID: true})),
		w.listed("list without a key identifier signed by another of the CA's name", CRLBadSignature, leaf,
			w.der(crlSpec{by: mimic, noKeyID: true})),
		signedWith("list signed with RSA", pki.Options{Key: rsa}, 0),
		signedWith("list signed with RSA-PSS", pki.Options{Key: rsa}, x509.SHA384WithRSAPSS),
		signedWith("list signed with Ed25519", pki.Options{Key: edwards}, 0),
	}
}

func (w *world) severalListRows() []listRow {
	leaf := w.leaf(w.root, pki.Options{})
	const h = time.Hour
	from := func(this, next time.Duration, revoked ...*x509.Certificate) []byte {
		return w.der(crlSpec{by: w.root, this: this, next: next, revokes: revoked})
	}
	corrupt := w.der(crlSpec{by: w.root, this: -h / 2, corrupt: true})
	return []listRow{
		w.listed("released by the newer list", 0, leaf, from(-2*h, h, leaf), from(-h, h)),
		w.listed("released by the newer list, which comes first", 0, leaf, from(-h, h), from(-2*h, h, leaf)),
		w.listed("revoked by the newer list", Revoked, leaf, from(-h, h, leaf), from(-2*h, h)),
		w.listed("a newer list that has expired", 0, leaf, from(-2*h, h), from(-h, -h/2)),
		w.listed("a newer list that has not begun", 0, leaf, from(-2*h, h), from(h, 2*h)),
		w.listed("revoked by a newer list that has expired", Revoked, leaf, from(-2*h, h), from(-h, -h/2, leaf)).
			differing("it heeds the current list alone, though the CA has revoked since"),
		w.listed("revoked by a newer list that has not begun", Revoked, leaf, from(-2*h, h), from(h, 2*h, leaf)).
			differing("it heeds the current list alone, though the CA has revoked since"),
		w.listed("a newer list that is badly signed", 0, leaf, w.good(), corrupt).firstly(8).
			differing("it takes the newest before it looks at the signature, so that a forgery locks everybody out"),
		w.listed("revoked, and a newer list that is badly signed", Revoked, leaf, from(-h, h, leaf), corrupt).firstly(8),
		w.listed("an expired list, and an older one that is badly signed", CRLExpired, leaf, from(-h, -h/2),
			w.der(crlSpec{by: w.root, this: -2 * h, corrupt: true})).firstly(8),
		w.listed("revoked by a list of an older date, but a higher number", Revoked, leaf,
			w.der(crlSpec{by: w.root, this: -2 * h, number: 3, revokes: certs(leaf)}), w.der(crlSpec{by: w.root, number: 2})).
			differing("it goes by the date alone, though the CA has turned its clock back"),
		w.listed("revoked by the older list, of everybody, and not by the newer, of users", Revoked, leaf, from(-2*h, h, leaf),
			w.der(crlSpec{by: w.root, scope: onlyUserCerts}), w.der(crlSpec{by: w.root, scope: onlyCACerts})).
			differing("it heeds the newest list alone"),
		w.listed("two lists that have expired, revoked by the newer", CRLExpired, leaf, from(-3*h, -h), from(-2*h, -h, leaf)),
	}
}

func (w *world) listScopeRows() []listRow {
	leaf := w.leaf(w.root, pki.Options{})
	caLeaf := w.leaf(w.root, pki.Options{CA: true, NoKU: true})
	scoped := func(scope []byte, revoked ...*x509.Certificate) []byte {
		return w.der(crlSpec{by: w.root, scope: scope, revokes: revoked})
	}
	return []listRow{
		w.listed("a list for users and one for CAs", 0, leaf, scoped(onlyUserCerts), scoped(onlyCACerts)),
		w.listed("a list for users alone", CRLMissing, leaf, scoped(onlyUserCerts)).firstly(44),
		w.listed("a list for CAs alone", CRLMissing, leaf, scoped(onlyCACerts)).firstly(44),
		w.listed("a list for CAs covers a client that is one", 0, caLeaf, scoped(onlyCACerts)),
		w.listed("a list for users does not", CRLMissing, caLeaf, scoped(onlyUserCerts)).firstly(44),
		w.listed("revoked by the list for users", Revoked, leaf, scoped(onlyUserCerts, leaf), scoped(onlyCACerts)),
		w.listed("revoked by a list of the wrong scope", Revoked, leaf, w.good(), scoped(onlyCACerts, leaf)).
			differing("it does not look into a list of another scope, though serial numbers are the CA's only once"),
		w.listed("named by a badly signed list of the wrong scope", 0, leaf, w.good(),
			w.der(crlSpec{by: w.root, scope: onlyCACerts, revokes: certs(leaf), corrupt: true})),
	}
}

func (w *world) distributionPointRows() []listRow {
	const here, there = "http://crl.example/1", "http://crl.example/2"
	named := func(extensions []pkix.Extension) *x509.Certificate {
		return w.leaf(w.root, pki.Options{ExtraExtensions: extensions})
	}
	at := func(names ...[]byte) []byte { return w.der(crlSpec{by: w.root, scope: fullName(names...)}) }
	forCAs := w.der(crlSpec{by: w.root, scope: onlyCACerts})
	directory := func(name []byte) []byte { return tlv(contextTag(nameDirectory, true), name) }
	issuedBy := func(a *pki.Authority) []byte { return tlv(contextTag(2, true), directory(a.Cert.RawSubject)) }
	reasons := tlv(contextTag(1, false), []byte{1, 0x40}) // keyCompromise
	shouting := name(w.t, text(asn1.TagUTF8String, "CRL  Point"))
	quiet := name(w.t, text(asn1.TagPrintableString, "crl point"))
	return []listRow{
		w.listed("the list of the certificate's distribution point", 0, named(points(fullName(uri(here)))), at(uri(here)), forCAs),
		w.listed("one of several names of the point", 0, named(points(fullName(uri(there), uri(here)))), at(uri("ldap://x"), uri(here)), forCAs),
		w.listed("a directory name spelt otherwise", 0, named(points(fullName(directory(shouting)))), at(directory(quiet)), forCAs),
		w.listed("the list of another point", CRLMissing, named(points(fullName(uri(there)))), at(uri(here)), forCAs).firstly(44),
		w.listed("a point of the same name, but of another kind", CRLMissing,
			named(points(fullName(tlv(contextTag(nameDNS, false), []byte(here))))), at(uri(here)), forCAs).firstly(44),
		w.listed("a certificate without a point", CRLMissing, named(nil), at(uri(here)), forCAs).firstly(44),
		w.listed("the point names the CA as the list's issuer", 0, named(points(fullName(uri(here)), issuedBy(w.root))), at(uri(here)), forCAs),
		w.listed("the point names another issuer of its list", CRLMissing, named(points(fullName(uri(here)), issuedBy(w.stranger))), at(uri(here)), forCAs).firstly(44),
		w.listed("a point with an issuer and no name", CRLMissing, named(points(issuedBy(w.root))), at(uri(here)), forCAs).
			differing("it takes a point without a name for any point"),
		w.listed("a complete list, whatever the point", 0, named(points(fullName(uri(there)))), w.good()),
		w.listed("a complete list, and a point with another issuer", 0, named(points(fullName(uri(there)), issuedBy(w.stranger))), w.good()),
		w.listed("a point for some reasons only", CRLMissing, named(points(fullName(uri(here)), reasons)), w.good()),
	}
}

func (w *world) listKeyRows() []listRow {
	leaf := w.leaf(w.root, pki.Options{})
	mimic := w.ca(pki.Options{})
	noSign := w.ca(pki.Options{KU: x509.KeyUsageCertSign})
	noUsage := w.ca(pki.Options{NoKU: true})
	loud := w.ca(pki.Options{RawSubject: name(w.t, text(asn1.TagUTF8String, "ACME  CA"))})
	quiet := name(w.t, text(asn1.TagPrintableString, "acme ca"))
	under := func(name string, want Reason, root *pki.Authority, l crlSpec) listRow {
		l.by = root
		return listRow{row: row{name: name, cas: certs(root), presented: certs(w.leaf(root, pki.Options{})), depth: anyDepth, want: want},
			lists: [][]byte{w.der(l)}}
	}
	serial := func(n *big.Int, issuer *pki.Authority) []byte {
		names := tlv(contextTag(1, true), tlv(contextTag(nameDirectory, true), issuer.Cert.RawSubject))
		return append(names, tlv(contextTag(2, false), append([]byte{0}, n.Bytes()...))...)
	}
	root := w.ca(pki.Options{Serial: big.NewInt(0x90)})
	return []listRow{
		w.listed("the list of another CA of the name", CRLMissing, leaf, w.der(crlSpec{by: mimic})),
		under("the CA may not sign lists", NoCRLSign, noSign, crlSpec{}),
		under("the CA may not sign lists, and its list has expired", CRLExpired, noSign, crlSpec{this: -2 * time.Hour, next: -time.Hour}).firstly(35),
		under("the CA has no key usage", 0, noUsage, crlSpec{}),
		under("the list spells the CA's name otherwise", 0, loud, crlSpec{name: quiet}),
		under("the key identifier is the CA's serial number and issuer", 0, root, crlSpec{authority: serial(big.NewInt(0x90), root)}),
		under("the key identifier is another serial number", CRLMissing, root, crlSpec{authority: serial(big.NewInt(0x91), root)}),
		under("the key identifier is of another issuer", CRLMissing, root, crlSpec{authority: serial(big.NewInt(0x90), w.stranger)}),
	}
}

func (w *world) listFaultRows() []listRow {
	past := pki.Options{NotBefore: w.now.Add(-2 * time.Hour), NotAfter: w.now.Add(-time.Hour)}
	expired, wrong := w.leaf(w.root, past), w.leaf(w.root, pki.Options{EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	strange, own := w.leaf(w.stranger, pki.Options{}), w.leaf(nil, pki.Options{})
	foreign := w.sub(w.stranger, pki.Options{Subject: pkix.Name{CommonName: "Foreign"}, NoKeyIDs: true})
	corrupt, err := pki.CorruptSignature(w.keyed(w.root, pki.Options{}))
	must(w.t, corrupt, err)
	revoking := func(c *x509.Certificate) []byte { return w.der(crlSpec{by: w.root, revokes: certs(c)}) }
	return []listRow{
		w.listed("expired and revoked", Expired, expired, revoking(expired)).firstly(23),
		w.listed("wrong purpose and revoked", Revoked, wrong, revoking(wrong)).firstly(26),
		w.listed("bad signature and revoked", BadSignature, corrupt.Leaf, revoking(corrupt.Leaf)).firstly(23),
		w.listed("expired, without a list", Expired, expired).firstly(3),
		w.listed("unknown CA, leaf only", UnknownCA, strange, w.good()).firstly(20),
		w.listed("self-signed", CRLMissing, own, w.good()).firstly(18),
		{row: w.plain("unknown CA, its root sent", CRLMissing, strange, w.stranger).firstly(19), lists: [][]byte{w.good()}},
		{row: w.plain("unknown CA, its root sent, with its list", UntrustedRoot, strange, w.stranger).firstly(19),
			lists: [][]byte{w.der(crlSpec{by: w.stranger})}},
		{row: w.plain("intermediate of an unknown root, with lists of both", CRLMissing, w.leaf(foreign, pki.Options{}), foreign).firstly(20),
			lists: [][]byte{w.der(crlSpec{by: w.stranger, noKeyID: true}), w.der(crlSpec{by: foreign})}},
	}
}
