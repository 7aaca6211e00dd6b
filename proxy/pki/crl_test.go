package pki

import (
	"crypto/x509"
	"encoding/pem"
	"testing"
)

func TestARevocationListNamesWhomItShould(t *testing.T) {
	ca, err := NewRoot(Options{})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.Issue(Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := ca.CRL(7, leaf.Leaf)
	if err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "X509 CRL" || len(rest) > 0 {
		t.Fatalf("got %q, want one X509 CRL block", text)
	}
	list, err := x509.ParseRevocationList(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := list.CheckSignatureFrom(ca.Cert); err != nil {
		t.Errorf("the signature is not the CA's: %v", err)
	}
	if list.Number.Int64() != 7 {
		t.Errorf("number is %v, want 7", list.Number)
	}
	if n := len(list.RevokedCertificateEntries); n != 1 || list.RevokedCertificateEntries[0].SerialNumber.Cmp(leaf.Leaf.SerialNumber) != 0 {
		t.Errorf("got %d entries, want the leaf's alone", n)
	}
}
