package proxy

import (
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

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

// named is a URL as it is told. Two that differ in user or password alone
// are told apart by their numbers.
func (b *belief) named(url string) string { return b.names[url] }

// awaits reports whether the start waits for a URL's first list.
func (b *belief) awaits(url string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.missing[url]
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

// tellRefused logs lists that were read and did not come into force, once unless
// asked again.
func (s *Server) tellRefused(err error, again bool) {
	const name = "revocation lists refused"
	err = capped(err)
	if err == nil {
		s.mended("files", name)
		return
	}
	if s.troubles.begin(name, err) || again {
		s.events.count(CRLRefused)
		s.log.Warn("faults of revocation lists, see which are in force", zap.Strings("faults", texts(err)))
	}
}

// maxTold is how many things of a kind are told at once: who answers for a URL could
// fill the log with them.
const maxTold = 8

// capped keeps the first of many errors and counts the others.
func capped(err error) error {
	all := parts(err)
	if len(all) <= maxTold {
		return err
	}
	return errors.Join(append(all[:maxTold:maxTold], fmt.Errorf("and %d more", len(all)-maxTold))...)
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

// fetch is how the list behind a URL is kept.
func (s *Server) fetch(url string) *trust.CRLFetch {
	return &trust.CRLFetch{
		URL:      url,
		Refresh:  s.config.CRLRefresh.Duration,
		Timeout:  fetchTimeout,
		MaxBytes: int64(s.config.CRLMaxBytes),
		Report:   func(report trust.CRLReport) bool { return s.fetched(url, report) },
	}
}

// fetchTimeout is for a whole list, which may be large and come from afar.
const fetchTimeout = 30 * time.Second

// fetched takes in what a URL gave. False: some of it was refused.
func (s *Server) fetched(url string, report trust.CRLReport) bool {
	if report.Err != nil {
		s.events.count(CRLFetchFailed)
		if s.troubles.begin(s.belief.named(url), report.Err) {
			message := "a revocation list could not be fetched, what was in force stays"
			if s.belief.awaits(url) {
				message = "a revocation list could not be fetched, the start waits for it"
			}
			s.log.Warn(message, zap.String("url", report.URL),
				zap.Duration("retry_in", report.Retry.Round(time.Millisecond)), zap.Error(report.Err))
		}
		return true
	}
	s.mended("url", s.belief.named(url))
	if report.Lists == nil {
		return true
	}
	b := &s.belief
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fetched[url] = report.Lists
	s.tellRefused(s.believe(false), false)
	if b.refused[report.URL] > 0 {
		return false // and it has been told
	}
	for i, list := range report.Lists {
		if i == maxTold {
			s.log.Info("more revocation lists fetched", zap.String("url", report.URL), zap.Int("lists", len(report.Lists)-maxTold))
			break
		}
		s.log.Info("revocation list fetched", append([]zap.Field{zap.String("url", report.URL)}, listFields(list)...)...)
	}
	return true
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

// arrived notes which URLs have given a list that was not refused. It may have
// been overtaken already by a newer one from another source.
func (b *belief) arrived(refused []error) {
	bad := map[string]int{}
	for _, err := range refused {
		var fault *trust.CRLError
		if errors.As(err, &fault) && !fault.Kept {
			bad[fault.Path]++
		}
	}
	b.refused = bad
	for url := range b.missing {
		if lists := b.fetched[url]; len(lists) > 0 && bad[lists[0].Source] < len(lists) {
			delete(b.missing, url)
		}
	}
	if len(b.missing) == 0 {
		b.whole.Do(func() { close(b.complete) })
	}
}

func listFields(list *trust.CRL) []zap.Field {
	fields := []zap.Field{
		zap.String("issuer", shortened(dn(list.RawIssuer), maxLoggedName)),
		zap.Int("entries", list.Entries()),
		zap.Time("this_update", list.ThisUpdate.UTC()),
		zap.Time("next_update", list.NextUpdate.UTC()),
	}
	if list.Number != nil {
		fields = append(fields, zap.String("number", list.Number.String()))
	}
	return fields
}

// listsField describes several lists.
func listsField(key string, lists []*trust.CRL) zap.Field {
	described := make([]zapcore.ObjectMarshaler, len(lists))
	for i, list := range lists {
		described[i] = zap.DictObject(listFields(list)...)
	}
	return zap.Objects(key, described)
}

// inForce are the revocation lists that count now, and those that wait for proof.
func (b *belief) inForce() []*trust.CRL {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lists.All()
}

// dn is a DER name as the application would see it, or in hexadecimal digits.
func dn(raw []byte) string {
	return name(raw, func() string { return fmt.Sprintf("%X", raw) })
}
