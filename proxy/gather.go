package proxy

import (
	"context"
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
