package proxy

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"mtls-sidecar/proxy/trust"
)

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
		s.metrics.fetches[fetchFailed].Add(1)
		if s.troubles.begin(s.belief.named(url), report.Err) {
			message := "a revocation list could not be fetched, what was in force stays"
			if s.belief.awaits(url) {
				message = "a revocation list could not be fetched, the start waits for it"
			}
			s.log.Warn(message, zap.String("url", report.URL),
				zap.Duration("retry_in", report.Retry.Round(time.Millisecond)), faultField(report.Err))
		}
		return true
	}
	s.mended(zap.String("url", s.belief.named(url)))
	if report.Lists == nil {
		s.metrics.fetches[fetchUnchanged].Add(1)
		return true
	}
	b := &s.belief
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fetched[url] = report.Lists
	s.tellRefused(s.believe(false), false)
	if b.refused[report.URL] > 0 {
		s.metrics.fetches[fetchRefused].Add(1)
		return false // and it has been told
	}
	s.metrics.fetches[fetchOK].Add(1)
	for i, list := range report.Lists {
		if i == maxTold {
			s.log.Info("more revocation lists fetched", zap.String("url", report.URL), zap.Int("lists", len(report.Lists)-maxTold))
			break
		}
		s.log.Info("revocation list fetched", append([]zap.Field{zap.String("url", report.URL)}, listFields(list)...)...)
	}
	return true
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

// named is a URL as it is told. Two that differ in user or password alone
// are told apart by their numbers.
func (b *belief) named(url string) string { return b.names[url] }

// awaits reports whether the start waits for a URL's first list.
func (b *belief) awaits(url string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.missing[url]
}
