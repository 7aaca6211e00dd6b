package trust

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// alteration departs from a good hierarchy in one respect.
type alteration struct {
	rule  string // at most one alteration of a rule is made to one hierarchy
	name  string // unique, rule included
	apply func(*draft)
}

// alterations are all there are but those of names, which hierarchies_names_test.go has.
func (m *mint) alterations() []alteration {
	var all []alteration
	for _, group := range [][]alteration{
		usageAlterations(), purposeAlterations(), authorityAlterations(), lengthAlterations(), dateAlterations(),
		m.keyAlterations(), digestAlterations(), formAlterations(),
		m.linkAlterations(), m.rivalAlterations(), m.twinAlterations(), m.identifierAlterations(), m.subjectAlterations(), m.subtreeAlterations(),
	} {
		all = append(all, group...)
	}
	// Some come from maps.
	slices.SortFunc(all, func(a, b alteration) int { return strings.Compare(a.name, b.name) })
	return all
}

var hierarchyPlaces = []struct {
	name string
	of   func(*draft) *draftCert
}{{"root", (*draft).root}, {"issuer", (*draft).issuer}, {"leaf", (*draft).leaf}}

// everywhere is one alteration for each of root, issuer and leaf.
func everywhere(rule, name string, change func(*draftCert)) []alteration {
	var all []alteration
	for _, place := range hierarchyPlaces {
		all = append(all, alteration{rule + " of the " + place.name, rule + " of the " + place.name + ": " + name,
			func(d *draft) { change(place.of(d)) }})
	}
	return all
}

func usageAlterations() []alteration {
	var all []alteration
	for _, u := range []struct {
		name  string
		usage x509.KeyUsage
	}{
		{"digitalSignature", x509.KeyUsageDigitalSignature},
		{"keyEncipherment", x509.KeyUsageKeyEncipherment},
		{"keyAgreement", x509.KeyUsageKeyAgreement},
		{"contentCommitment", x509.KeyUsageContentCommitment},
		{"keyCertSign", x509.KeyUsageCertSign},
		{"cRLSign", x509.KeyUsageCRLSign},
		{"decipherOnly", x509.KeyUsageDecipherOnly},
		{"digitalSignature and keyCertSign", x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign},
	} {
		all = append(all, everywhere("key usage", u.name, func(c *draftCert) { c.KU = u.usage })...)
	}
	all = append(all, everywhere("key usage", "absent", func(c *draftCert) { c.NoKU = true })...)
	all = append(all, everywhere("key usage", "no bits", func(c *draftCert) { c.extend(oidKeyUsage, true, 3, 1, 0) })...)
	return append(all, everywhere("key usage", "one bit, not set", func(c *draftCert) { c.extend(oidKeyUsage, false, 3, 2, 7, 0) })...)
}

func purposeAlterations() []alteration {
	const client, server, anyUse = x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageAny
	var all []alteration
	for _, u := range []struct {
		name   string
		usages []x509.ExtKeyUsage
	}{
		{"clientAuth", []x509.ExtKeyUsage{client}},
		{"serverAuth", []x509.ExtKeyUsage{server}},
		{"serverAuth and clientAuth", []x509.ExtKeyUsage{server, client}},
		{"any", []x509.ExtKeyUsage{anyUse}},
		{"any and clientAuth", []x509.ExtKeyUsage{anyUse, client}},
		{"any and serverAuth", []x509.ExtKeyUsage{anyUse, server}},
		{"emailProtection", []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}},
		{"OCSPSigning", []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}},
	} {
		all = append(all, everywhere("EKU", u.name, func(c *draftCert) { c.EKU = u.usages })...)
	}
	unknown := []asn1.ObjectIdentifier{oidUnknown}
	all = append(all, everywhere("EKU", "unknown", func(c *draftCert) { c.UnknownEKU = unknown })...)
	all = append(all, everywhere("EKU", "unknown and clientAuth", func(c *draftCert) {
		c.UnknownEKU, c.EKU = unknown, []x509.ExtKeyUsage{client}
	})...)
	all = append(all, everywhere("EKU", "empty", func(c *draftCert) { c.extend(oidExtKeyUsage, false, 0x30, 0) })...)
	all = append(all, everywhere("EKU", "absent", func(c *draftCert) { c.NoEKU = true })...)
	for name, bits := range map[string]byte{"client": 0x80, "server": 0x40, "CA": 0x04, "nothing": 0} {
		all = append(all, everywhere("Netscape type", name, func(c *draftCert) { c.extend(oidNetscapeCertType, false, 3, 2, 0, bits) })...)
	}
	return all
}

func authorityAlterations() []alteration {
	var all []alteration
	add := func(name string, change func(*draftCert)) {
		all = append(all, everywhere("CA", name, change)...)
	}
	raw := func(value ...byte) func(*draftCert) {
		return func(c *draftCert) { c.extend(oidBasicConstraints, true, value...) }
	}
	add("no basicConstraints", func(c *draftCert) { c.NoBC = true })
	add("no basicConstraints, no key usage", func(c *draftCert) { c.NoBC, c.NoKU = true, true })
	add("CA by default only", raw(0x30, 0))
	add("not CA, with a path length", raw(0x30, 3, 2, 1, 0))
	add("CA, not critical", func(c *draftCert) { c.extend(oidBasicConstraints, false, 0x30, 3, 1, 1, 0xff) })
	add("CA", func(c *draftCert) { c.CA = true })
	add("CA without key usage", func(c *draftCert) { c.CA, c.NoKU = true, true })
	add("v1", func(c *draftCert) { c.Version1 = true })
	return all
}

// lengthAlterations vary how many CAs there are, and how many there may be.
func lengthAlterations() []alteration {
	var all []alteration
	for _, more := range []int{0, 1, 2} {
		grown := func(d *draft) {
			for i := range more {
				key := []crypto.Signer{d.other, d.p384}[i]
				d.insert(d.ca("Deeper "+strconv.Itoa(i), key))
			}
		}
		text := strconv.Itoa(more+1) + " intermediates"
		all = append(all, alteration{"length", "length: " + text, grown})
		for _, limit := range []int{0, 1, 2, 3, math.MaxInt32, math.MaxInt32 + 1} {
			limited := strconv.Itoa(limit)
			all = append(all,
				alteration{"length", "length: " + text + ", the root allows " + limited, func(d *draft) { grown(d); d.root().MaxPathLen = &limit }},
				alteration{"length", "length: " + text + ", the highest allows " + limited, func(d *draft) { grown(d); d.line[1].MaxPathLen = &limit }},
				alteration{"length", "length: " + text + ", the lowest allows " + limited, func(d *draft) { grown(d); d.issuer().MaxPathLen = &limit }})
		}
		for _, depth := range []int{0, 1, 2} {
			all = append(all, alteration{"length", "length: " + text + ", depth " + strconv.Itoa(depth), func(d *draft) { grown(d); d.depth = depth }})
		}
		// A CA that renewed its key and signed the new one with the old.
		all = append(all, alteration{"length", "length: " + text + " and a self-issued one, the root allows 1", func(d *draft) {
			grown(d)
			d.root().MaxPathLen = new(1)
			renewed := d.ca(d.issuer().Subject.CommonName, d.p521)
			d.insert(renewed)
		}})
	}
	return append(all, alteration{"length", "length: 16 intermediates", func(d *draft) {
		for i := range 15 {
			d.insert(d.ca("Deep "+strconv.Itoa(i), d.issuer().Key))
		}
	}})
}

func dateAlterations() []alteration {
	at := func(from, to time.Duration) func(*draftCert) {
		return func(c *draftCert) { c.NotBefore, c.NotAfter = hierarchyTime.Add(from), hierarchyTime.Add(to) }
	}
	const day = 24 * time.Hour
	var all []alteration
	for name, change := range map[string]func(*draftCert){
		"over":                  at(-2*day, -day),
		"over this very second": at(-day, 0),
		"in its last second":    at(-day, time.Second),
		"begins this second":    at(0, day),
		"begins next second":    at(time.Second, day),
		"not begun":             at(day, 2*day),
		"ends before it begins": at(day, -day),
		"from 1950 to 2049": func(c *draftCert) {
			c.NotBefore, c.NotAfter = time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC)
		},
		"to 9999": func(c *draftCert) { c.NotAfter = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) },
	} {
		all = append(all, everywhere("dates", name, change)...)
	}
	// hierarchyTime lies between all of these, read as crypto/x509 reads them.
	for name, text := range map[string][2]string{
		"UTCTime and GeneralizedTime":         {"000101000000Z", "G20990101000000Z"},
		"an offset at the beginning":          {"000101000000+0100", "G20990101000000Z"},
		"an offset at the end":                {"000101000000Z", "490101000000-0100"},
		"no seconds at the beginning":         {"0001010000Z", "490101000000Z"},
		"no seconds at the end":               {"000101000000Z", "4901010000Z"},
		"an offset in a GeneralizedTime":      {"G20000101000000+0100", "G20990101000000-0100"},
		"a beginning ahead, with an offset":   {"490101000000+0100", "G20990101000000Z"},
		"an end in the past, without seconds": {"000101000000Z", "0101010000Z"},
	} {
		all = append(all, everywhere("dates", name, func(c *draftCert) { c.RawValidity = rawValidity(text) })...)
	}
	return all
}

// rawValidity encodes two times as they stand, GeneralizedTime after a G.
func rawValidity(text [2]string) []byte {
	var body []byte
	for _, t := range text {
		tag := byte(tagUTCTime)
		if whole, general := strings.CutPrefix(t, "G"); general {
			tag, t = tagGeneralTime, whole
		}
		body = append(append(body, tag, byte(len(t))), t...)
	}
	return append([]byte{tagSequence, byte(len(body))}, body...)
}

func (m *mint) keyAlterations() []alteration {
	var all []alteration
	for name, key := range map[string]crypto.Signer{
		"RSA-2048": m.rsa2048, "RSA-1024": m.rsa1024, "P-224": m.p224, "P-384": m.p384, "P-521": m.p521, "Ed25519": m.ed,
	} {
		all = append(all, everywhere("key", name, func(c *draftCert) { c.Key = key })...)
	}
	return append(all, everywhere("key", "the root's", func(c *draftCert) { c.Key = m.root })...)
}

func digestAlterations() []alteration {
	var all []alteration
	for name, digest := range map[string]crypto.Hash{"MD5": crypto.MD5, "SHA-1": crypto.SHA1, "SHA-384": crypto.SHA384, "SHA-512": crypto.SHA512} {
		all = append(all, everywhere("digest", name, func(c *draftCert) { c.digest = digest })...)
		all = append(all, alteration{"digest of RSA", "digest of RSA: " + name + " above the leaf", func(d *draft) {
			d.issuer().Key, d.leaf().digest = d.rsa2048, digest
		}}, alteration{"digest of RSA", "digest of RSA: " + name + " above the issuer", func(d *draft) {
			d.root().Key, d.line[1].digest = d.rsa2048, digest
		}}, alteration{"digest of RSA", "digest of RSA: " + name + " of the root itself", func(d *draft) {
			d.root().Key, d.root().digest = d.rsa2048, digest
		}})
	}
	return append(all, everywhere("signature", "one bit wrong", func(c *draftCert) { c.corrupt = true })...)
}

// formAlterations are extensions that are refused, by whoever knows them or does not.
func formAlterations() []alteration {
	var all []alteration
	add := func(name string, id asn1.ObjectIdentifier, critical bool, value ...byte) {
		all = append(all, everywhere("form", name, func(c *draftCert) { c.extend(id, critical, value...) })...)
	}
	policies := asn1.ObjectIdentifier{2, 5, 29, 32}
	policyConstraints := asn1.ObjectIdentifier{2, 5, 29, 36}
	inhibitAny := asn1.ObjectIdentifier{2, 5, 29, 54}
	proxy := []byte{0x30, 12, 0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 21, 1} // id-ppl-inheritAll, RFC 3820 §3.8
	add("unknown extension", oidUnknown, false, 5, 0)
	add("unknown critical extension", oidUnknown, true, 5, 0)
	add("policies, critical", policies, true, 0x30, 6, 0x30, 4, 6, 2, 0x2a, 3)
	add("explicit policy required", policyConstraints, true, 0x30, 3, 0x80, 1, 0)
	add("any policy inhibited", inhibitAny, true, 2, 1, 0)
	add("proxy certificate", oidProxyCertInfo, false, proxy...)
	add("proxy certificate, critical", oidProxyCertInfo, true, proxy...)
	add("distribution point of reasons only", oidCRLDistribution, false, 0x30, 6, 0x30, 4, 0x81, 2, 7, 0x80)
	add("distribution point", oidCRLDistribution, false, distributionPoint("http://example.com/crl")...)
	add("AS resources", oidAutonomousIDs, false, 0x30, 9, 0xa0, 7, 0x30, 5, 2, 3, 1, 0, 1)
	all = append(all, alteration{"form of all", "form of all: AS resources in every certificate", func(d *draft) {
		for i := range d.line {
			d.line[i].extend(oidAutonomousIDs, true, 0x30, 9, 0xa0, 7, 0x30, 5, 2, 3, 1, 0, 1)
		}
	}})
	all = append(all, everywhere("form", "no key identifiers", func(c *draftCert) { c.NoKeyIDs = true })...)
	all = append(all, everywhere("serial", "zero", func(c *draftCert) { c.Serial.SetInt64(0) })...)
	return append(all, everywhere("serial", "that of every other", func(c *draftCert) { c.Serial.SetInt64(7) })...)
}

// distributionPoint is a CRLDistributionPoints with one URI (RFC 5280 §4.2.1.13).
func distributionPoint(uri string) []byte {
	return shortTLV(tagSequence, shortTLV(tagSequence, shortTLV(0xa0, shortTLV(0xa0, shortTLV(0x86, []byte(uri))))))
}
