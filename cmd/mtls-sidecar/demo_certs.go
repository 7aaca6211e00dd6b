package main

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"mtls-sidecar/proxy/pki"
)

// mintDemo writes the demo's certificates: ca.crt, an empty ca.crl, and for the
// server, a good client, one to be revoked, one that is expired and one of a
// stranger's CA a .crt and a .key. It returns the CA.
func mintDemo(folder string, now time.Time) (*pki.Authority, error) {
	ca, err := pki.NewRoot(pki.Options{Subject: demoName("Demo CA")})
	if err != nil {
		return nil, err
	}
	if err := writeDemoCRL(folder, ca, 1); err != nil {
		return nil, err
	}
	stranger, err := pki.NewRoot(pki.Options{Subject: demoName("Stranger CA")})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(folder, "ca.crt"), pki.CertPEM(ca.Cert), 0o644); err != nil {
		return nil, err
	}
	for _, file := range []struct {
		name    string
		issuer  *pki.Authority
		options pki.Options
	}{
		{"server", ca, pki.Options{
			Subject:  demoName("localhost"),
			DNSNames: []string{"localhost"},
			IPs:      []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
			EKU:      []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}},
		{"client", ca, pki.Options{Subject: demoName("client")}},
		{"leaver", ca, pki.Options{Subject: demoName("leaver")}},
		{"expired", ca, pki.Options{Subject: demoName("expired"), NotBefore: now.AddDate(0, 0, -30), NotAfter: now.AddDate(0, 0, -1)}},
		{"stranger", stranger, pki.Options{Subject: demoName("stranger")}},
	} {
		certificate, err := file.issuer.Issue(file.options)
		if err != nil {
			return nil, err
		}
		if err := writePair(filepath.Join(folder, file.name), certificate); err != nil {
			return nil, err
		}
	}
	return ca, nil
}

// writeDemoCRL replaces ca.crl by a list of the certificates that are revoked now.
func writeDemoCRL(folder string, ca *pki.Authority, number int64, revoked ...*x509.Certificate) error {
	list, err := ca.CRL(number, revoked...)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "ca.crl"), list, 0o644)
}

func demoName(cn string) pkix.Name {
	return pkix.Name{CommonName: cn, Organization: []string{"Demo"}}
}

func writePair(path string, certificate tls.Certificate) error {
	signer, ok := certificate.PrivateKey.(crypto.Signer)
	if !ok {
		return fmt.Errorf("the key of %s cannot sign", path)
	}
	key, err := pki.KeyPEM(signer)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".key", key, 0o600); err != nil {
		return err
	}
	return os.WriteFile(path+".crt", pki.CertPEM(certificate.Leaf), 0o644)
}

func contains(body []byte, text string) bool { return bytes.Contains(body, []byte(text)) }
