package trust

import (
	"crypto/x509"
	"errors"
	"time"
)

// fault is one thing wrong with one certificate.
type fault struct {
	reason  Reason
	culprit *certificate
}

// faults keeps the last fault found. The checks run in OpenSSL's order, and
// nginx, whose callback never stops the verification, is left with the last.
type faults struct{ last fault }

func (f *faults) add(r Reason, c *certificate) {
	if r != 0 {
		f.last = fault{r, c}
	}
}

// Verify judges the certificates that a client presented, leaf first, as of
// now. It is a pure function: the same arguments give the same verdict (only the words for
// a chain that is refused anyway can depend on whether a revocation list has been
// proved yet), and it may be called from any goroutine. No certificate gives None.
//
// One path is built as OpenSSL builds it. It is believed when the rules of this
// package find no fault and crypto/x509 confirms the very same path. The
// signatures are crypto/x509's alone to judge, as are critical extensions and
// its own reading of name constraints; what it is too lenient about is checked here.
func (s *Snapshot) Verify(presented []*x509.Certificate, now time.Time) Verdict {
	if len(presented) == 0 {
		return Verdict{}
	}
	if s == nil {
		return Verdict{Status: Failed, Reason: UnknownIssuer, Culprit: presented[0]}
	}
	if len(presented) > maxPresented {
		return Verdict{Status: Failed, Reason: ChainTooLong, Culprit: presented[0]}
	}
	p := s.build(presented, now)
	worst, believed := s.judge(p)
	verdict := Verdict{Status: Failed, Until: p.until, Chain: p.chain()}
	if believed {
		verdict.Status = Success
		return verdict
	}
	verdict.Reason, verdict.Culprit = worst.reason, worst.culprit.Certificate
	return verdict
}

// judge reports whether a path is to be believed, and else its last fault. It is
// when the rules have found nothing, crypto/x509 has confirmed it, and the revocation
// lists let it pass, in that order: only a proved path is worth a list's signature check.
func (s *Snapshot) judge(p *path) (worst fault, believed bool) {
	var refusal error
	worst = s.examine(p, false)
	if worst.reason == 0 {
		if refusal = s.confirm(p); refusal == nil {
			var found faults
			s.checkRevocation(p, &found, true)
			return found.last, found.last.reason == 0
		}
	}
	// From here on it is only a question of words.
	if diagnosis := s.examine(p, true); diagnosis.reason != 0 {
		return diagnosis, false
	}
	if worst.reason == 0 {
		worst = p.explain(refusal)
	}
	return worst, false
}

// examine applies all rules in OpenSSL's order of evaluation and returns the
// last fault. Signatures and revocation are looked at only for a diagnosis: on the
// way to success crypto/x509 checks the former once, and the latter comes last.
func (s *Snapshot) examine(p *path, diagnosis bool) fault {
	var found faults
	p.checkForm(&found)
	leafIsWeak := s.policy.weakKey(p.certs[0])
	switch {
	case leafIsWeak && p.anchored:
		found.add(WeakKey, p.certs[0])
	case leafIsWeak:
		// OpenSSL repeats an earlier error in place of the one about the path.
		found.add(WeakKey, p.certs[len(p.certs)-1])
	default:
		found.add(p.fault.reason, p.fault.culprit)
	}
	p.checkExtensions(&found)
	s.checkAuthorities(p, &found)
	if diagnosis {
		s.checkRevocation(p, &found, false)
	}
	p.checkLinks(&found, diagnosis)
	p.checkNames(&found)
	return found.last
}

// checkLinks walks from the root to the leaf: may the issuer sign, did it, and is
// the certificate in date (OpenSSL's internal_verify). The top of a path that
// is not anchored is examined only when it is alone.
func (p *path) checkLinks(found *faults, signatures bool) {
	i := len(p.certs) - 1
	issuer := p.certs[i]
	if !issuer.selfSigned {
		if i == 0 {
			found.add(UnknownCA, issuer)
		} else {
			i--
		}
	}
	for ; i >= 0; i-- {
		c := p.certs[i]
		if c != issuer {
			if issuer.hasKeyUsage && issuer.KeyUsage&x509.KeyUsageCertSign == 0 {
				found.add(NoCertSign, issuer)
			}
			if signatures {
				checkSignature(c, issuer, found)
			}
		}
		p.checkDates(c, found)
		issuer = c
	}
}

// checkDates is OpenSSL's ossl_x509_check_cert_time.
func (p *path) checkDates(c *certificate, found *faults) {
	switch {
	case c.notBeforeFault != 0:
		found.add(c.notBeforeFault, c)
	case !c.begun(p.now):
		found.add(NotYetValid, c)
	}
	switch {
	case c.notAfterFault != 0:
		found.add(c.notAfterFault, c)
	case c.ended(p.now):
		found.add(Expired, c)
	}
}

func checkSignature(c, issuer *certificate, found *faults) {
	if issuer.PublicKey == nil || oversized(issuer) {
		found.add(IssuerKeyUnusable, issuer)
		return
	}
	err := issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	var insecure x509.InsecureAlgorithmError
	switch {
	case err == nil, errors.As(err, &insecure): // told as WeakDigest
	case errors.Is(err, x509.ErrUnsupportedAlgorithm):
		found.add(UnsupportedAlgorithm, c)
	default:
		found.add(BadSignature, c)
	}
}

// checkForm finds what OpenSSL has no verdict on, or another one than ours. It
// comes first, so that anything OpenSSL would report has the last word.
func (p *path) checkForm(found *faults) {
	for i, c := range p.certs {
		if c.overlooked {
			found.add(Rejected, c)
		}
		if i > 0 && c.subject == "" {
			found.add(Rejected, c)
		}
		if n := c.nameConstraints; n != nil && i > 0 {
			found.add(n.fault, c)
		}
	}
}
