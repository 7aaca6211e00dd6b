package trust

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"mtls-sidecar/proxy/pki"
)

// linkAlterations change what is trusted and what is sent, and in which order.
func (m *mint) linkAlterations() []alteration {
	var all []alteration
	add := func(name string, change func(*hierarchy)) {
		all = append(all, alteration{"files", "files: " + name, func(d *draft) { d.later(change) }})
	}
	root := func(h *hierarchy) *x509.Certificate { return h.line[0].Cert }
	issuer := func(h *hierarchy) *x509.Certificate { return h.line[len(h.line)-2].Cert }
	add("the intermediate is not sent", func(h *hierarchy) { h.withhold(issuer(h)) })
	add("nothing but the leaf is sent", func(h *hierarchy) { h.presented = h.presented[:1] })
	add("the root is sent too", func(h *hierarchy) { h.presented = append(h.presented, root(h)) })
	add("the root is sent first", func(h *hierarchy) { h.send(root(h)) })
	add("sent in reverse", func(h *hierarchy) { slices.Reverse(h.presented[1:]) })
	add("the leaf is sent twice", func(h *hierarchy) { h.send(h.presented[0]) })
	add("everything is sent twice", func(h *hierarchy) { h.presented = append(h.presented, h.presented...) })
	add("the root is trusted twice", func(h *hierarchy) { h.trust(root(h)) })
	add("the intermediate is trusted too", func(h *hierarchy) { h.trust(issuer(h)) })
	add("the intermediate is trusted too and not sent", func(h *hierarchy) { h.trust(issuer(h)); h.withhold(issuer(h)) })
	add("only the intermediate is trusted", func(h *hierarchy) { h.trust(issuer(h)); h.distrust(root(h)) })
	add("only the intermediate is trusted, the root sent", func(h *hierarchy) {
		h.trust(issuer(h))
		h.distrust(root(h))
		h.send(root(h))
	})
	add("only the leaf is trusted", func(h *hierarchy) { h.cas = h.presented[:1] })
	add("only leaf and intermediate are trusted", func(h *hierarchy) { h.cas = certs(h.presented[0], issuer(h)) })
	add("the leaf is trusted too", func(h *hierarchy) { h.trust(h.presented[0]) })
	add("the leaf is trusted too, the intermediate not sent", func(h *hierarchy) { h.trust(h.presented[0]); h.withhold(issuer(h)) })
	add("nothing is trusted", func(h *hierarchy) { h.cas = nil })
	add("a stranger is trusted", func(h *hierarchy) { h.cas = certs(m.stranger) })
	add("a stranger is trusted, the root sent", func(h *hierarchy) { h.cas = certs(m.stranger); h.send(root(h)) })
	add("a stranger is trusted first", func(h *hierarchy) { h.cas = slices.Insert(h.cas, 0, m.stranger.Cert) })
	add("a stranger is sent first", func(h *hierarchy) { h.send(m.stranger.Cert) })
	add("the root is the client", func(h *hierarchy) { h.presented = certs(root(h)) })
	add("the intermediate is the client", func(h *hierarchy) { h.presented = certs(issuer(h)) })
	return append(all, alteration{"files", "files: more certificates than are read", func(d *draft) {
		d.later(func(h *hierarchy) {
			for i := range maxPresented {
				h.presented = append(h.presented, m.sign(m.stranger, m.cert("stray "+strconv.Itoa(i), m.other)).Cert)
			}
		})
	}})
}

// rivalAlterations add certificates for CAs that have one already: cross-signed ones and loops.
func (m *mint) rivalAlterations() []alteration {
	var all []alteration
	add := func(name string, apply func(*draft)) {
		all = append(all, alteration{"rivals", "rivals: " + name, apply})
	}
	// cross makes by sign the name and the key of line[i].
	cross := func(d *draft, i int, by *pki.Authority) *x509.Certificate {
		c := d.ca("", d.line[i].Key)
		c.Subject, c.RawSubject, c.NoKeyIDs = d.line[i].Subject, d.line[i].RawSubject, d.line[i].NoKeyIDs
		return m.sign(by, c).Cert
	}
	for _, i := range []int{0, 1} {
		of := []string{"the root", "the intermediate"}[i]
		add(of+" cross-signed by a stranger, sent first", func(d *draft) {
			d.later(func(h *hierarchy) { h.send(cross(d, i, m.stranger)) })
		})
		add(of+" cross-signed by a stranger, sent last", func(d *draft) {
			d.later(func(h *hierarchy) { h.presented = append(h.presented, cross(d, i, m.stranger)) })
		})
		add(of+" cross-signed by a trusted stranger, the root not trusted", func(d *draft) {
			d.later(func(h *hierarchy) {
				h.cas = certs(m.stranger)
				h.presented = append(h.presented, cross(d, i, m.stranger))
			})
		})
		add(of+" cross-signed by a trusted stranger, the root not trusted but sent", func(d *draft) {
			d.later(func(h *hierarchy) {
				h.cas = certs(m.stranger)
				h.send(h.line[0].Cert, cross(d, i, m.stranger))
			})
		})
		add(of+" cross-signed by a stranger, and that is trusted", func(d *draft) {
			d.later(func(h *hierarchy) { h.cas = slices.Insert(h.cas, 0, cross(d, i, m.stranger)) })
		})
		add(of+" cross-signed by a trusted stranger, both are trusted", func(d *draft) {
			d.later(func(h *hierarchy) { h.trust(m.stranger.Cert); h.send(cross(d, i, m.stranger)) })
		})
	}
	for _, loop := range []struct {
		name  string
		apply func(h *hierarchy, closing *x509.Certificate) // closing is the root, signed by the intermediate
	}{
		{"a loop that touches the trusted root", func(h *hierarchy, closing *x509.Certificate) { h.send(closing) }},
		{"a loop that leads nowhere", func(h *hierarchy, closing *x509.Certificate) { h.cas = certs(m.stranger); h.send(closing) }},
		{"a loop that is trusted", func(h *hierarchy, closing *x509.Certificate) { h.cas = certs(closing, h.line[1]) }},
	} {
		add(loop.name, func(d *draft) { d.later(func(h *hierarchy) { loop.apply(h, cross(d, 0, h.line[1])) }) })
	}
	add("the old root signs the new, only the old is trusted", m.rollover(func(h *hierarchy, old, newByOld, _ *x509.Certificate) {
		h.cas, h.presented = certs(old), append(h.presented, newByOld)
	}))
	add("the old root signs the new, both are trusted", m.rollover(func(h *hierarchy, old, newByOld, _ *x509.Certificate) {
		h.cas, h.presented = append(certs(old), h.cas...), append(h.presented, newByOld)
	}))
	add("the new root signs the old, which is sent", m.rollover(func(h *hierarchy, _, _, oldByNew *x509.Certificate) {
		h.presented = append(h.presented, oldByNew)
	}))
	add("the new root signs the old, and all are trusted", m.rollover(func(h *hierarchy, old, newByOld, oldByNew *x509.Certificate) {
		h.cas = append(certs(oldByNew, newByOld, old), h.cas...)
	}))
	return all
}

// rollover is a root that renews its key (RFC 4210 §4.4): old, new signed by old, old signed by new.
func (m *mint) rollover(f func(h *hierarchy, old, newByOld, oldByNew *x509.Certificate)) func(*draft) {
	return func(d *draft) {
		former := d.ca(d.root().Subject.CommonName, m.other)
		former.RawSubject = d.root().RawSubject
		newer := *d.root()
		newer.Serial = big.NewInt(55)
		d.later(func(h *hierarchy) {
			old := m.sign(nil, former)
			newByOld := m.sign(old, newer)
			former.Serial = big.NewInt(56)
			f(h, old.Cert, newByOld.Cert, m.sign(h.line[0], former).Cert)
		})
	}
}

// twinAlterations add another CA of the same name with another key.
func (m *mint) twinAlterations() []alteration {
	var all []alteration
	for _, i := range []int{0, 1} {
		of := []string{"the root", "the intermediate"}[i]
		for _, kind := range []struct {
			name  string
			apply func(*draftCert)
		}{
			{"", func(*draftCert) {}},
			{" without key identifiers", func(c *draftCert) { c.NoKeyIDs = true }},
			{" with another kind of key and no key identifiers", func(c *draftCert) { c.NoKeyIDs, c.Key = true, m.rsa2048 }},
			{" that is over and has no key identifiers", func(c *draftCert) { c.NoKeyIDs, c.NotAfter = true, hierarchyTime.AddDate(0, 0, -1).Add(1) }},
			{" with the key of the CA, but over", func(c *draftCert) { c.NotAfter = hierarchyTime.AddDate(0, 0, -1).Add(1) }},
			{" with the key of the CA, but not for CAs", func(c *draftCert) { c.KU = x509.KeyUsageDigitalSignature }},
		} {
			twin := func(d *draft, h *hierarchy) *x509.Certificate {
				c := d.ca(d.line[i].Subject.CommonName, m.other)
				c.RawSubject = d.line[i].RawSubject
				if bytes.Contains([]byte(kind.name), []byte("the key of the CA")) {
					c.Key = d.line[i].Key
				}
				kind.apply(&c)
				if i == 0 {
					return m.sign(nil, c).Cert
				}
				return m.sign(h.line[i-1], c).Cert
			}
			add := func(where string, change func(h *hierarchy, twin *x509.Certificate)) {
				all = append(all, alteration{"twin", "twin of " + of + kind.name + where, func(d *draft) {
					d.later(func(h *hierarchy) { change(h, twin(d, h)) })
				}})
			}
			add(", trusted first", func(h *hierarchy, twin *x509.Certificate) { h.cas = slices.Insert(h.cas, 0, twin) })
			add(", trusted last", func(h *hierarchy, twin *x509.Certificate) { h.trust(twin) })
			add(", trusted alone", func(h *hierarchy, twin *x509.Certificate) { h.cas = certs(twin) })
			add(", sent first", func(h *hierarchy, twin *x509.Certificate) { h.send(twin) })
			add(", sent last", func(h *hierarchy, twin *x509.Certificate) { h.presented = append(h.presented, twin) })
		}
	}
	return all
}

// identifierAlterations are authority key identifiers (RFC 5280 §4.2.1.1) that point elsewhere.
func (m *mint) identifierAlterations() []alteration {
	var all []alteration
	add := func(name string, change func(c, issuer *draftCert)) {
		all = append(all,
			alteration{"issuer of the leaf", "issuer of the leaf: " + name, func(d *draft) { change(d.leaf(), d.issuer()) }},
			alteration{"issuer of the intermediate", "issuer of the intermediate: " + name, func(d *draft) { change(&d.line[1], d.root()) }},
			alteration{"issuer of the root", "issuer of the root: " + name, func(d *draft) { change(d.root(), d.root()) }})
	}
	forge := func(f func(a *pki.Authority)) func(c, _ *draftCert) {
		return func(c, _ *draftCert) { c.forge = f }
	}
	add("another key identifier", func(c, _ *draftCert) {
		c.extend(oidAuthorityKeyID, false, 0x30, 6, 0x80, 4, 1, 2, 3, 4)
	})
	add("no key identifier", func(c, _ *draftCert) { c.extend(oidAuthorityKeyID, false, 0x30, 0) })
	add("an empty key identifier", func(c, _ *draftCert) { c.extend(oidAuthorityKeyID, false, 0x30, 2, 0x80, 0) })
	add("serial of another", func(c, _ *draftCert) { c.extend(oidAuthorityKeyID, false, 0x30, 3, 0x82, 1, 99) })
	add("the serial", func(c, issuer *draftCert) {
		issuer.Serial.SetInt64(98)
		c.extend(oidAuthorityKeyID, false, 0x30, 3, 0x82, 1, 98)
	})
	add("name of another", func(c, _ *draftCert) {
		n := m.stranger.Cert.RawSubject
		c.extend(oidAuthorityKeyID, false, shortTLV(tagSequence, shortTLV(0xa1, shortTLV(0xa4, n)))...)
	})
	add("another key of its name", forge(func(a *pki.Authority) { a.Key = m.other }))
	add("another kind of key", forge(func(a *pki.Authority) { a.Key = m.rsa2048 }))
	add("the name of nobody", forge(func(a *pki.Authority) { a.Cert.RawSubject = name(m.t, text(asn1.TagUTF8String, "Nobody")) }))
	add("the name in capitals", forge(func(a *pki.Authority) {
		a.Cert.RawSubject = name(m.t, text(asn1.TagUTF8String, "  "+strings.ToUpper(a.Cert.Subject.CommonName)))
	}))
	add("an empty name", forge(func(a *pki.Authority) { a.Cert.RawSubject = pki.EmptyName() }))
	return all
}

// subjectAlterations are names that are empty, or those of others.
func (m *mint) subjectAlterations() []alteration {
	all := everywhere("subject", "empty", func(c *draftCert) { c.RawSubject = pki.EmptyName() })
	all = append(all, everywhere("subject", "empty set", func(c *draftCert) { c.RawSubject = []byte{0x30, 2, 0x31, 0} })...)
	all = append(all, everywhere("subject", "BMPString", func(c *draftCert) { c.RawSubject = name(m.t, text(asn1.TagBMPString, "\x00R\x00o\x00o\x00t")) })...)
	all = append(all, everywhere("subject", "a very long one", func(c *draftCert) {
		c.RawSubject = name(m.t, text(asn1.TagUTF8String, string(bytes.Repeat([]byte("x"), 3000))))
	})...)
	all = append(all, everywhere("subject", "the root's", func(c *draftCert) { c.Subject.CommonName = "Root" })...)
	all = append(all, everywhere("subject", "the issuer's", func(c *draftCert) { c.Subject.CommonName = "Issuer" })...)
	own := func(name string, key crypto.Signer, change func(h *hierarchy, own *x509.Certificate), f func(*draftCert)) {
		all = append(all, alteration{"self-signed", "self-signed leaf" + name, func(d *draft) {
			d.later(func(h *hierarchy) {
				c := d.cert("client", key)
				f(&c)
				change(h, m.sign(nil, c).Cert)
			})
		}})
	}
	plain := func(*draftCert) {}
	alone := func(h *hierarchy, own *x509.Certificate) { h.presented = certs(own) }
	trusted := func(h *hierarchy, own *x509.Certificate) { h.presented = certs(own); h.trust(own) }
	own("", m.leaf, alone, plain)
	own(", trusted", m.leaf, trusted, plain)
	own(" with RSA-2048, trusted", m.rsa2048, trusted, plain)
	own(" with RSA-1024, trusted", m.rsa1024, trusted, plain)
	own(" and CA, trusted", m.leaf, trusted, func(c *draftCert) { c.CA = true })
	own(" and CA without key usage, trusted", m.leaf, trusted, func(c *draftCert) { c.CA, c.NoKU = true, true })
	own(" of version 1, trusted", m.leaf, trusted, func(c *draftCert) { c.Version1 = true })
	own(" without basicConstraints but for keyCertSign, trusted", m.leaf, trusted, func(c *draftCert) {
		c.KU = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	})
	own(" with its key and name trusted", m.leaf, func(h *hierarchy, own *x509.Certificate) {
		h.presented = certs(own)
		h.trust(m.sign(nil, m.cert("client", m.leaf)).Cert)
	}, plain)
	own(" with the root's name", m.leaf, alone, func(c *draftCert) { c.Subject.CommonName = "Root" })
	own(" with the root's name and key", m.root, alone, func(c *draftCert) { c.Subject.CommonName = "Root" })
	own(" with the root's name and no identifiers", m.leaf, alone, func(c *draftCert) { c.Subject.CommonName, c.NoKeyIDs = "Root", true })
	return all
}
