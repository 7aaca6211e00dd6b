package proxy

import (
	"context"
	"crypto/x509"
	"errors"
	"sync"
	"time"

	"mtls-sidecar/proxy/trust"
)

// Gather asks each URL of MTLS_CRL once, all at the same time, and returns the
// lists that would be in force with these and with those of the files; nil when MTLS_CRL is not set. What
// cannot be had or used is in the error, all of it, and does not keep the rest out.
func (m *Material) Gather(ctx context.Context, config *Config) (*trust.CRLs, error) {
	if len(config.CRL) == 0 {
		return nil, nil
	}
	urls := config.CRLURLs()
	lists, faults := make([][]*trust.CRL, len(urls)), make([]error, len(urls))
	var asking sync.WaitGroup
	for i, url := range urls {
		asking.Go(func() { lists[i], faults[i] = (&Server{config: config}).fetch(url).Once(ctx) })
	}
	asking.Wait()
	read := append([]*trust.CRL(nil), m.CRLs...)
	for _, found := range lists {
		read = append(read, found...)
	}
	var none *trust.CRLs
	crls, refused := none.Renew(read, m.CAs, trust.Keep{Now: time.Now(), Grace: config.CRLGrace.Duration})
	return crls, naming("MTLS_CRL", errors.Join(append(faults, refused...)...))
}

// Unlisted tells which CAs have no list although the policy demands one of each:
// nobody below such a CA is let in.
func (m *Material) Unlisted(config *Config, crls *trust.CRLs) []string {
	if crls == nil || config.CRLPolicy != CRLStrict {
		return nil
	}
	var lacks []string
	for _, ca := range m.CAs {
		below := &x509.Certificate{RawIssuer: ca.RawSubject}
		if ca.IsCA && len(crls.For(below)) == 0 {
			lacks = append(lacks, "MTLS_CRL: holds no list of the CA "+Subject(ca)+", so nobody below it is let in (MTLS_CRL_POLICY=strict); add its list, or set MTLS_CRL_POLICY to leaf or available")
		}
	}
	return lacks
}
