package proxy

import (
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"mtls-sidecar/proxy/trust"
)

// belief is what a snapshot is made of, as it was last read. Requests never look
// here, only at the snapshot.
type belief struct {
	mu       sync.Mutex
	material Material
	seen     [fileSetCount]fingerprint // of the files at the start
	fetched  map[string][]*trust.CRL   // by URL
	lists    *trust.CRLs               // in force; nil: MTLS_CRL is not set
	missing  map[string]bool           // URLs that have not given a list yet
	names    map[string]string         // of URLs, as they are told; never written after the start
	refused  map[string]int            // how many lists were at the last reading, by source
	complete chan struct{}             // closed once none is missing
	whole    sync.Once                 // closes it
}

// begin notes which URLs have to give a list first.
func (b *belief) begin(urls []string) {
	b.fetched = map[string][]*trust.CRL{}
	b.missing = map[string]bool{}
	b.complete = make(chan struct{})
	b.names = map[string]string{}
	taken := map[string]bool{}
	for i, url := range urls {
		b.missing[url] = true
		name := redactURLs(url)
		if taken[name] {
			name += fmt.Sprintf(" (%d)", i+1)
		}
		b.names[url], taken[name] = name, true
	}
}

// publish puts all of the files' content in force. The error is of revocation
// lists that cannot be: at the start there is nothing older to go by.
func (s *Server) publish(material *Material) error {
	var all [fileSetCount]bool
	for i := range all {
		all[i] = true
	}
	s.belief.seen = material.seen
	return s.adopt(material, all, nil)
}

// adopt puts in force what has changed. New connections and the next request of
// every open one go by it. tell hears of the revocation lists that were refused, or
// that none was; nil: nobody does.
func (s *Server) adopt(fresh *Material, changed [fileSetCount]bool, tell func(refused error)) error {
	b := &s.belief
	b.mu.Lock()
	defer b.mu.Unlock()
	otherCAs := changed[authorityFiles] && (s.store.Current() == nil || !slices.EqualFunc(b.material.CAs, fresh.CAs, (*x509.Certificate).Equal))
	for i, set := range fileSets {
		if changed[i] {
			set.take(&b.material, fresh)
		}
	}
	var err error
	if changed[authorityFiles] || changed[crlFiles] {
		err = s.believe(otherCAs)
		if tell != nil {
			tell(err)
		}
	}
	if changed[authorityFiles] || changed[ticketFiles] {
		err = errors.Join(err, s.tickets.use(b.material.TicketKeys, b.material.CAs))
	}
	base := s.tls.Load()
	if changed[authorityFiles] || changed[serverFiles] {
		base = newTLSConfig(s.config, &b.material)
	}
	s.tickets.apply(base, s.wall(time.Now()))
	s.tls.Store(base)
	return err
}

// believe publishes a snapshot, unless neither the CAs nor the lists in force are
// other ones than before. The caller holds the belief.
func (s *Server) believe(otherCAs bool) error {
	b, before := &s.belief, s.belief.lists
	var refused []error
	if len(s.config.CRL) > 0 {
		read := append([]*trust.CRL(nil), b.material.CRLs...)
		for _, url := range slices.Sorted(maps.Keys(b.fetched)) {
			read = append(read, b.fetched[url]...)
		}
		b.lists, refused = b.lists.Renew(read, b.material.CAs, trust.Keep{
			Now: s.wall(time.Now()), Grace: s.config.CRLGrace.Duration, Unread: b.material.Unread})
	}
	b.share()
	if otherCAs || b.lists != before {
		s.store.Publish(trust.NewSnapshot(b.material.CAs, s.config.policy(b.lists)))
	}
	b.arrived(refused)
	return naming("MTLS_CRL", errors.Join(refused...))
}

// policy is what trust is told to demand.
func (c *Config) policy(lists *trust.CRLs) trust.Policy {
	p := trust.Policy{
		MaxDepth:   int(c.VerifyDepth),
		MinRSABits: int(c.MinRSABits),
		CRLs:       lists,
		CRLGrace:   c.CRLGrace.Duration,
	}
	switch c.CRLPolicy {
	case CRLLeaf:
		p.CRLPolicy = trust.CRLLeaf
	case CRLAvailable:
		p.CRLPolicy = trust.CRLAvailable
	}
	return p
}

// share replaces what was read by the lists in force of the same content and source, so that
// none is held twice: Renew keeps the one that was there first. Another source
// stays one: whoever only repeats an honest list must not pass for where it comes from.
func (b *belief) share() {
	held := map[[32]byte]*trust.CRL{}
	for _, list := range b.lists.All() {
		held[list.Digest] = list
	}
	same := func(lists []*trust.CRL) {
		for i, list := range lists {
			if one := held[list.Digest]; one != nil && one.Source == list.Source {
				lists[i] = one
			}
		}
	}
	same(b.material.CRLs)
	for _, lists := range b.fetched {
		same(lists)
	}
}

// inForce are the revocation lists that count now, and those that wait for proof.
func (b *belief) inForce() []*trust.CRL {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lists.All()
}
