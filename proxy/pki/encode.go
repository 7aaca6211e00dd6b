package pki

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"math/bits"
	"slices"
	"time"
)

// tbsCertificate is RFC 5280 §4.1's, with the version optional so that v1 can be made.
type tbsCertificate struct {
	Version    int `asn1:"optional,explicit,default:0,tag:0"`
	Serial     *big.Int
	Algorithm  pkix.AlgorithmIdentifier
	Issuer     asn1.RawValue
	Validity   asn1.RawValue
	Subject    asn1.RawValue
	PublicKey  asn1.RawValue
	Extensions []pkix.Extension `asn1:"omitempty,optional,explicit,tag:3"`
}

type validity struct{ NotBefore, NotAfter time.Time }

type certificate struct {
	TBS       asn1.RawValue
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
}

// build encodes and signs; a nil issuer means self-signed.
func build(issuer *Authority, o Options) ([]byte, error) {
	subject := o.RawSubject
	if subject == nil {
		var err error
		if subject, err = asn1.Marshal(o.Subject.ToRDNSequence()); err != nil {
			return nil, fmt.Errorf("encoding the subject: %w", err)
		}
	}
	spki, err := x509.MarshalPKIXPublicKey(o.Key.Public())
	if err != nil {
		return nil, fmt.Errorf("encoding the public key: %w", err)
	}
	signer, issuerName, authorityID := o.Key, subject, keyID(spki)
	if issuer != nil {
		signer, issuerName, authorityID = issuer.Key, issuer.Cert.RawSubject, issuer.Cert.SubjectKeyId
	}
	alg, err := algorithmFor(signer, o.SignatureAlgorithm)
	if err != nil {
		return nil, err
	}
	lifetime := o.RawValidity
	if lifetime == nil {
		if lifetime, err = asn1.Marshal(validity{o.NotBefore.UTC(), o.NotAfter.UTC()}); err != nil {
			return nil, fmt.Errorf("encoding the validity: %w", err)
		}
	}
	tbs := tbsCertificate{
		Serial:    o.Serial,
		Algorithm: alg.identifier,
		Issuer:    asn1.RawValue{FullBytes: issuerName},
		Validity:  asn1.RawValue{FullBytes: lifetime},
		Subject:   asn1.RawValue{FullBytes: subject},
		PublicKey: asn1.RawValue{FullBytes: spki},
	}
	if !o.Version1 {
		tbs.Version = 2
		if tbs.Extensions, err = extensions(o, keyID(spki), authorityID); err != nil {
			return nil, err
		}
	}
	raw, err := asn1.Marshal(tbs)
	if err != nil {
		return nil, fmt.Errorf("encoding the certificate: %w", err)
	}
	return seal(raw, signer, alg)
}

// keyID is RFC 7093 §2 method 1: the first 160 bits of the key's SHA-256.
func keyID(spki []byte) []byte {
	sum := sha256.Sum256(spki)
	return sum[:20]
}

var (
	oidSubjectKeyID     = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidSubjectAltName   = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidNameConstraints  = asn1.ObjectIdentifier{2, 5, 29, 30}
	oidAuthorityKeyID   = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidExtKeyUsage      = asn1.ObjectIdentifier{2, 5, 29, 37}
)

// extensions makes the list that o asks for, in a fixed order.
func extensions(o Options, subjectID, authorityID []byte) ([]pkix.Extension, error) {
	var list []pkix.Extension
	var failed error
	add := func(id asn1.ObjectIdentifier, critical bool, value any) {
		der, err := asn1.Marshal(value)
		if err != nil && failed == nil {
			failed = fmt.Errorf("encoding extension %v: %w", id, err)
		}
		list = append(list, pkix.Extension{Id: id, Critical: critical, Value: der})
	}
	if o.CA && !o.NoBC {
		add(oidBasicConstraints, true, basicConstraints(o.MaxPathLen))
	}
	if !o.NoKU {
		add(oidKeyUsage, true, keyUsageBits(o.KU))
	}
	if usages := ekuOIDs(o); len(usages) > 0 && !o.NoEKU {
		add(oidExtKeyUsage, false, usages)
	}
	if names := altNames(o); len(names) > 0 {
		add(oidSubjectAltName, false, names)
	}
	if len(o.PermittedDNS)+len(o.ExcludedDNS) > 0 {
		add(oidNameConstraints, true, nameConstraints{subtrees(o.PermittedDNS), subtrees(o.ExcludedDNS)})
	}
	if !o.NoKeyIDs {
		add(oidSubjectKeyID, false, subjectID)
		if len(authorityID) > 0 {
			add(oidAuthorityKeyID, false, struct {
				ID []byte `asn1:"optional,tag:0"`
			}{authorityID})
		}
	}
	if failed != nil {
		return nil, failed
	}
	list = slices.DeleteFunc(list, func(e pkix.Extension) bool {
		return slices.ContainsFunc(o.ExtraExtensions, func(x pkix.Extension) bool { return x.Id.Equal(e.Id) })
	})
	return append(list, o.ExtraExtensions...), nil
}

func basicConstraints(maxPathLen *int) any {
	if maxPathLen == nil {
		return struct{ CA bool }{true}
	}
	return struct {
		CA  bool
		Len int
	}{true, *maxPathLen}
}

// keyUsageBits is RFC 5280 §4.2.1.3: bit 0 is the most significant of the first byte.
func keyUsageBits(ku x509.KeyUsage) asn1.BitString {
	data := []byte{bits.Reverse8(byte(ku)), bits.Reverse8(byte(ku >> 8))}
	if data[1] == 0 {
		data = data[:1]
	}
	return asn1.BitString{Bytes: data, BitLength: 8*len(data) - bits.TrailingZeros8(data[len(data)-1])}
}

// ekuOIDs knows the usages that concern a TLS client; others go in UnknownEKU.
func ekuOIDs(o Options) []asn1.ObjectIdentifier {
	var list []asn1.ObjectIdentifier
	for _, u := range o.EKU {
		switch u {
		case x509.ExtKeyUsageAny:
			list = append(list, asn1.ObjectIdentifier{2, 5, 29, 37, 0})
		case x509.ExtKeyUsageServerAuth:
			list = append(list, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1})
		case x509.ExtKeyUsageClientAuth:
			list = append(list, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2})
		case x509.ExtKeyUsageCodeSigning:
			list = append(list, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 3})
		case x509.ExtKeyUsageEmailProtection:
			list = append(list, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 4})
		case x509.ExtKeyUsageTimeStamping:
			list = append(list, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8})
		case x509.ExtKeyUsageOCSPSigning:
			list = append(list, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 9})
		}
	}
	return append(list, o.UnknownEKU...)
}

// altNames lists GeneralNames (RFC 5280 §4.2.1.6) with their implicit tags.
func altNames(o Options) []asn1.RawValue {
	var list []asn1.RawValue
	add := func(tag int, value []byte) {
		list = append(list, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: value})
	}
	for _, s := range o.Emails {
		add(1, []byte(s))
	}
	for _, s := range o.DNSNames {
		add(2, []byte(s))
	}
	for _, u := range o.URIs {
		add(6, []byte(u.String()))
	}
	for _, ip := range o.IPs {
		if v4 := ip.To4(); v4 != nil {
			ip = v4
		}
		add(7, ip)
	}
	return list
}

type nameConstraints struct {
	Permitted []subtree `asn1:"omitempty,optional,tag:0"`
	Excluded  []subtree `asn1:"omitempty,optional,tag:1"`
}

type subtree struct{ Base asn1.RawValue }

func subtrees(dns []string) []subtree {
	var list []subtree
	for _, s := range dns {
		list = append(list, subtree{asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 2, Bytes: []byte(s)}})
	}
	return list
}
