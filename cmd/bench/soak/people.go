package soak

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"sync"
	"time"

	"mtls-sidecar/proxy/pki"
)

// The CAs. Steady's clients are always welcome, the next two come and go; what is below
// the last is an intermediate's of the first; nobody knows the stranger.
const (
	steadyCA = iota
	comingCA
	goingCA
	caCount
)

// person is a client: who it says it is, and what decides whether that is believed.
type person struct {
	name        string
	dn          string           // what the application must be told, written by hand
	certificate *tls.Certificate // nil: nobody
	leaf        *x509.Certificate
	ca          int
	until       time.Time // when it expires, if that is soon or over; zero: nobody will see it
	never       []string  // the reasons for which it is never believed
}

// doubts are the reasons for which a state does not believe in somebody, the time aside.
func (p *person) doubts(s *state) []string {
	switch {
	case p.never != nil:
		return p.never
	case !s.trusted[p.ca]:
		return unknownReasons()
	case s.revoked[p]:
		return []string{"revoked"}
	}
	return nil
}

// unknownReasons are the words for a CA that is not known, or no longer; its list is not
// known without it either, which counts as well.
func unknownReasons() []string {
	return []string{"unknown_ca", "unknown_issuer", "untrusted_root", "self_signed", "issuer_missing", "crl_missing"}
}

// people are all clients, and the CAs.
type people struct {
	cas          [caCount]*pki.Authority
	intermediate *pki.Authority // below the first
	stranger     *pki.Authority

	nobody, steady, rsa, named, chained *person
	coming, going, suspended            *person
	refused                             []*person

	mu      sync.Mutex
	leavers []*person // who will be revoked, and have not been
	issued  int
}

// oddName is a subject with what RFC 2253 §2.4 escapes, and oddDN the same by hand.
const (
	oddName = ` #Soak, "Client" + 7;<x>\ `
	oddDN   = `CN=\ #Soak\, \"Client\" \+ 7\;\<x\>\\\ ,O=Soak`
)

func newPeople() (*people, error) {
	p := &people{nobody: &person{name: "nobody"}}
	var err error
	for i, name := range [caCount]string{"Soak Steady CA", "Soak Coming CA", "Soak Going CA"} {
		if p.cas[i], err = pki.NewRoot(pki.Options{Subject: pkix.Name{CommonName: name}}); err != nil {
			return nil, err
		}
	}
	if p.stranger, err = pki.NewRoot(pki.Options{Subject: pkix.Name{CommonName: "Soak Stranger's CA"}}); err != nil {
		return nil, err
	}
	if p.intermediate, err = p.cas[steadyCA].Intermediate(pki.Options{Subject: pkix.Name{CommonName: "Soak Intermediate CA"}}); err != nil {
		return nil, err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	for _, one := range []struct {
		to   **person
		name string
		ca   int
		key  crypto.Signer
	}{
		{&p.steady, "steady", steadyCA, nil}, {&p.rsa, "rsa", steadyCA, key}, {&p.coming, "coming", comingCA, nil},
		{&p.going, "going", goingCA, nil}, {&p.suspended, "suspended", steadyCA, nil}, {&p.named, oddName, steadyCA, nil},
	} {
		if *one.to, err = p.issue(p.cas[one.ca], one.ca, options(one.name, one.key)); err != nil {
			return nil, err
		}
	}
	p.named.name, p.named.dn = "oddly named", oddDN
	if p.chained, err = p.below("chained", time.Time{}); err != nil {
		return nil, err
	}
	return p, p.makeRefused()
}

func options(name string, key crypto.Signer) pki.Options {
	return pki.Options{Subject: pkix.Name{CommonName: name, Organization: []string{"Soak"}}, Key: key}
}

// issue makes a person; options as those of options.
func (p *people) issue(by *pki.Authority, ca int, o pki.Options) (*person, error) {
	certificate, err := by.Issue(o)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		return nil, err
	}
	name := o.Subject.CommonName
	return &person{name: name, dn: "CN=" + name + ",O=Soak", certificate: &certificate, leaf: leaf, ca: ca, until: o.NotAfter}, nil
}

// below makes a person of the intermediate CA, who presents that as well.
func (p *people) below(name string, until time.Time) (*person, error) {
	o := options(name, nil)
	o.NotAfter = until
	one, err := p.issue(p.intermediate, steadyCA, o)
	if err != nil {
		return nil, err
	}
	whole := pki.With(*one.certificate, p.intermediate.Cert)
	one.certificate = &whole
	return one, nil
}

// makeRefused makes those who are never let in.
func (p *people) makeRefused() error {
	expired := options("expired", nil)
	expired.NotAfter = time.Now().Add(-time.Minute).Truncate(time.Second)
	foreign, err := p.issue(p.stranger, steadyCA, options("foreign", nil))
	if err != nil {
		return err
	}
	foreign.never = unknownReasons()
	certificate, err := pki.SelfSigned(options("self-made", nil))
	if err != nil {
		return err
	}
	selfMade := &person{name: "self-made", certificate: &certificate, never: unknownReasons()}
	lone, err := p.issue(p.intermediate, steadyCA, options("lone", nil))
	if err != nil {
		return err
	}
	lone.never = unknownReasons() // it presents no intermediate, and nobody here has it
	late, err := p.issue(p.cas[steadyCA], steadyCA, expired)
	if err != nil {
		return err
	}
	late.never = []string{"expired"}
	p.refused = []*person{foreign, selfMade, lone, late}
	return nil
}

// leaver makes somebody who will be revoked; each second one is the intermediate's.
func (p *people) leaver() (*person, error) {
	p.mu.Lock()
	p.issued++
	n := p.issued
	p.mu.Unlock()
	var one *person
	var err error
	if n%2 == 0 {
		one, err = p.below(fmt.Sprintf("leaver %d", n), time.Time{})
	} else {
		one, err = p.issue(p.cas[steadyCA], steadyCA, options(fmt.Sprintf("leaver %d", n), nil))
	}
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leavers = append(p.leavers, one)
	return one, nil
}

// shortLived makes somebody whose certificate ends soon; times of certificates are whole seconds.
func (p *people) shortLived(life time.Duration) (*person, error) {
	p.mu.Lock()
	p.issued++
	n := p.issued
	p.mu.Unlock()
	o := options(fmt.Sprintf("short %d", n), nil)
	o.NotAfter = time.Now().Add(life).Truncate(time.Second)
	return p.issue(p.cas[steadyCA], steadyCA, o)
}

// leaving takes up to n of those who are to be revoked, the oldest first.
func (p *people) leaving(n int) []*person {
	p.mu.Lock()
	defer p.mu.Unlock()
	n = min(n, len(p.leavers))
	gone := p.leavers[:n:n]
	p.leavers = p.leavers[n:]
	return gone
}
