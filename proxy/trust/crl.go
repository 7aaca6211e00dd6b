package trust

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"
)

// CRL is one complete certificate revocation list (RFC 5280 §5), read by
// ParseCRLs. It is immutable and safe for concurrent use. That it was parsed
// says nothing about who signed it.
//
// It refers to no byte of the file it came from, with one exception: an
// Ed25519 signature needs the whole message, so a list signed with it keeps the
// file in memory.
type CRL struct {
	RawIssuer              []byte // DER Name
	ThisUpdate, NextUpdate time.Time
	Number                 *big.Int // cRLNumber, never negative; nil: absent
	Digest                 [32]byte // SHA-256 of the DER
	Source                 string   // the file or URL it was first read from, for people

	issuer    string // canonicalName of RawIssuer
	authority authorityKeyID
	scope     crlScope
	serials   serialSet
	signature crlSignature
}

// crlScope is what a list covers by its issuingDistributionPoint (RFC 5280
// §5.2.5). The zero value covers every certificate of the issuer.
type crlScope struct {
	onlyUser, onlyCA bool
	point            []byte // DER contents of the distribution point's fullName (GeneralNames); nil: none
}

// CRLError tells what is wrong with a CRL and what to do about it.
type CRLError struct {
	Path   string // file or URL; filled in by whoever read it
	Fault  string // what is wrong
	Remedy string // what to do about it
	Err    error  // the cause, where there is one
	// Kept says that the list is in force, or waits, all the same.
	Kept bool
}

func (e *CRLError) Error() string {
	text := e.Fault
	if e.Path != "" {
		text = e.Path + ": " + text
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text + "; " + e.Remedy
}

func (e *CRLError) Unwrap() error { return e.Err }

// What an operator can do about a list that is not as it should be.
const (
	fetchAnew   = "fetch or write the file anew, whole"
	publishAnew = "have the CA publish the list anew, as RFC 5280 §5 has it"
	nameLists   = "name a file with complete CRLs, in PEM (BEGIN X509 CRL) or DER form"
)

// malformed is the fault of a list that breaks its syntax.
func malformed(format string, args ...any) *CRLError {
	return &CRLError{Fault: fmt.Sprintf(format, args...), Remedy: publishAnew}
}

// in tells where in the file or the list the fault is.
func (e *CRLError) in(format string, args ...any) *CRLError {
	e.Fault = fmt.Sprintf(format, args...) + ": " + e.Fault
	return e
}

// ParseCRLs reads a file's contents: PEM with any number of X509 CRL blocks, or
// one list in DER. It takes ownership of data: PEM is decoded in place, so that
// a list of 64 MiB is never held twice. Certificates beside CRLs in a PEM file
// are passed over, as OpenSSL does; all else is refused, and one bad list
// refuses the whole file, since nobody could tell whom it would have revoked.
//
// Refused as well is what OpenSSL or crypto/x509 let pass: bytes that have no
// place in a list, no nextUpdate, and signatures over SHA-1 or MD5. Delta
// and indirect lists and those for some reasons only are refused, since they do
// not say by themselves which certificates are good. The error is a *CRLError
// without a path.
func ParseCRLs(data []byte) ([]*CRL, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, &CRLError{Fault: "the file is empty", Remedy: nameLists}
	}
	if !isPEM(data) {
		list, fault := parseCRL(data)
		if fault != nil {
			return nil, notAList(data, fault)
		}
		return []*CRL{list}, nil
	}
	lists, fault := parsePEMLists(data)
	if fault != nil {
		return nil, fault
	}
	return lists, nil
}

// notAList is what to say of data that is no list in DER: the fault, unless it is
// not meant to be a list at all.
func notAList(data []byte, fault *CRLError) *CRLError {
	if data[0] != tagSequence {
		return &CRLError{Fault: "neither PEM nor DER", Remedy: nameLists}
	}
	if len(data) > maxNameBytes { // no certificate or key, and crypto/x509 could spend much on it
		return fault
	}
	if _, err := x509.ParseCertificate(data); err == nil {
		return &CRLError{Fault: "a certificate, not a CRL", Remedy: nameLists}
	}
	if _, err := x509.ParsePKCS8PrivateKey(data); err == nil {
		return &CRLError{Fault: "a private key, not a CRL", Remedy: nameLists}
	}
	return fault
}

// Revokes reports whether the list has an entry for the serial number,
// whatever the entry's reason: a certificate on hold is refused, and so is one
// with removeFromCRL, which has no place in a complete list (RFC 5280 §5.3.1)
// and which OpenSSL takes for an entry to pass over. It does not allocate.
func (c *CRL) Revokes(serial *big.Int) bool {
	var buffer [maxIntegerBytes + 1]byte
	contents, ok := integerContents(buffer[:], serial)
	return ok && c.serials.has(contents)
}

// Entries is how many entries the list has.
func (c *CRL) Entries() int { return c.serials.size }
