package trust

import (
	"bytes"
	"crypto/x509"
	"errors"
	"slices"
)

var errAnotherPath = errors.New("crypto/x509 found another path than the one that was examined")

// confirm has crypto/x509 verify the path, and nothing but the path: its root is
// the only root, the rest are the only intermediates.
func (s *Snapshot) confirm(p *path) error {
	root := p.certs[len(p.certs)-1]
	pool := s.rootPools[root]
	if !p.anchored || pool == nil {
		return x509.UnknownAuthorityError{Cert: p.certs[0].Certificate}
	}
	for _, c := range p.certs {
		if oversized(c) {
			return x509.ErrUnsupportedAlgorithm
		}
	}
	options := x509.VerifyOptions{
		Roots:       pool,
		CurrentTime: p.now,
		// The purpose was examined already, more strictly.
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	if len(p.certs) > 2 {
		options.Intermediates = x509.NewCertPool()
		for _, c := range p.certs[1 : len(p.certs)-1] {
			options.Intermediates.AddCert(c.Certificate)
		}
	}
	chains, err := p.certs[0].Verify(options)
	if err != nil {
		return err
	}
	for _, chain := range chains {
		if slices.EqualFunc(chain, p.certs, func(a *x509.Certificate, b *certificate) bool {
			return bytes.Equal(a.Raw, b.Raw)
		}) {
			return nil
		}
	}
	return errAnotherPath
}

// explain finds the reason nearest to what crypto/x509 alone has refused.
func (p *path) explain(refusal error) fault {
	leaf := p.certs[0]
	for i, c := range p.certs[1:] {
		if !bytes.Equal(p.certs[i].RawIssuer, c.RawSubject) {
			return fault{NameMismatch, p.certs[i]}
		}
		// OpenSSL takes a key usage for proof enough; crypto/x509 does not.
		if c.Version == 3 && !c.BasicConstraintsValid {
			return fault{InvalidCA, c}
		}
	}
	var invalid x509.CertificateInvalidError
	var critical x509.UnhandledCriticalExtension
	switch {
	case errors.As(refusal, &critical):
		return fault{CriticalExtension, leaf}
	case errors.As(refusal, &invalid):
		return fault{reasonOf(invalid.Reason), p.find(invalid.Cert)}
	}
	return fault{Rejected, leaf}
}

func reasonOf(r x509.InvalidReason) Reason {
	switch r {
	case x509.NotAuthorizedToSign:
		return InvalidCA
	case x509.Expired:
		return Expired
	case x509.CANotAuthorizedForThisName:
		return OutsidePermitted
	case x509.TooManyIntermediates:
		return PathLength
	case x509.NameMismatch:
		return NameMismatch
	}
	return Rejected
}

// find returns the certificate of the path that c is, or the leaf.
func (p *path) find(c *x509.Certificate) *certificate {
	for _, on := range p.certs {
		if on.Certificate == c {
			return on
		}
	}
	return p.certs[0]
}
