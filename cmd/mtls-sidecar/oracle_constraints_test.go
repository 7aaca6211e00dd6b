package main_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"net"

	"mtls-sidecar/proxy/pki"
)

// constraintRows are about what an authority may sign: name constraints
// (RFC 5280 §4.2.1.10), path lengths (§4.2.1.9) and policies (§4.2.1.11).
func (m *mint) constraintRows() {
	permitted := m.under(m.good, pki.Options{Subject: named("Permits"), PermittedDNS: []string{"good.example"}})
	excluded := m.under(m.good, pki.Options{Subject: named("Excludes"), ExcludedDNS: []string{"bad.example"}})
	for _, r := range []struct {
		name string
		ca   *pki.Authority
		leaf pki.Options
	}{
		{"name permitted", permitted, pki.Options{DNSNames: []string{"a.good.example"}}},
		{"name not permitted", permitted, pki.Options{DNSNames: []string{"a.bad.example"}}},
		{"name excluded", excluded, pki.Options{DNSNames: []string{"a.bad.example"}}},
		// OpenSSL reads the common name as a DNS name when there is no other.
		{"common name not permitted", permitted, pki.Options{Subject: named("a.bad.example")}},
		{"common name permitted", permitted, pki.Options{Subject: named("a.good.example")}},
		{"common name excluded", excluded, pki.Options{Subject: named("a.bad.example")}},
		{"common name that is no DNS name", permitted, pki.Options{Subject: named("Not A Host")}},
	} {
		m.add(r.name, m.leaf(r.ca, r.leaf), r.ca.Cert)
	}
	m.add("name permitted beside a malformed mail address", m.leaf(permitted, pki.Options{
		DNSNames: []string{"a.good.example"}, Emails: []string{"no at sign"}}), permitted.Cert)
	m.addressRows()
	m.directoryRows()
	m.pathRows()
	m.policyRows()
}

// addressRows use an iPAddress constraint, which pki has no field for.
func (m *mint) addressRows() {
	type subtree struct{ Base asn1.RawValue }
	network := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 7, Bytes: []byte{10, 0, 0, 0, 255, 0, 0, 0}}
	ca := m.under(m.good, pki.Options{Subject: named("Permits addresses"), ExtraExtensions: []pkix.Extension{
		m.extension(asn1.ObjectIdentifier{2, 5, 29, 30}, true, struct {
			Permitted []subtree `asn1:"tag:0"`
		}{[]subtree{{network}}})}})
	m.add("address permitted", m.leaf(ca, pki.Options{IPs: []net.IP{net.IPv4(10, 1, 2, 3)}}), ca.Cert)
	m.add("address not permitted", m.leaf(ca, pki.Options{IPs: []net.IP{net.IPv4(192, 0, 2, 3)}}), ca.Cert)
}

// directoryRows use a directoryName constraint, as enterprise CAs do.
func (m *mint) directoryRows() {
	acme := m.rawName(pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: "Acme"})
	type subtree struct{ Base asn1.RawValue }
	ca := m.under(m.good, pki.Options{Subject: named("Permits subjects"), ExtraExtensions: []pkix.Extension{
		m.extension(asn1.ObjectIdentifier{2, 5, 29, 30}, true, struct {
			Permitted []subtree `asn1:"tag:0"`
		}{[]subtree{{asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: acme}}}})}})
	m.add("subject permitted", m.leaf(ca, pki.Options{Subject: pkix.Name{Organization: []string{"Acme"}, CommonName: "x y"}}), ca.Cert)
	m.add("subject not permitted", m.leaf(ca, pki.Options{Subject: pkix.Name{Organization: []string{"Other"}, CommonName: "x y"}}), ca.Cert)
}

func (m *mint) pathRows() {
	zero, one := 0, 1
	last := m.under(m.good, pki.Options{Subject: named("Path length 0"), MaxPathLen: &zero})
	m.via("path length kept", last)
	beyond := m.under(last, pki.Options{Subject: named("Beyond path length 0")})
	m.add("path length exceeded", m.leaf(beyond, pki.Options{}), beyond.Cert, last.Cert)
	first := m.under(m.good, pki.Options{Subject: named("Path length 1"), MaxPathLen: &one})
	second := m.under(first, pki.Options{Subject: named("Within path length 1")})
	m.add("path length of two kept", m.leaf(second, pki.Options{}), second.Cert, first.Cert)
}

// policyRows: nginx does not ask for policies to be checked.
func (m *mint) policyRows() {
	ca := m.under(m.good, pki.Options{Subject: named("Demands a policy"), ExtraExtensions: []pkix.Extension{
		m.extension(asn1.ObjectIdentifier{2, 5, 29, 36}, true, struct {
			RequireExplicitPolicy int `asn1:"tag:0"`
		}{0})}})
	m.via("policy demanded and absent", ca)
}
