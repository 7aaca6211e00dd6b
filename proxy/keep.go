package proxy

import (
	"context"
	"strings"

	"go.uber.org/zap"
)

// Start begins to keep belief fresh: it looks at the files, fetches revocation
// lists and cuts what goes on for clients that are no longer believed, until Shutdown.
// It returns once each list that has a URL has been fetched once, since before
// that nobody's revocation would be known; the error is ctx's, or
// ErrNotStarted when Shutdown came first. Call it once, before Listen, so that a
// probe of the port waits as well.
func (s *Server) Start(ctx context.Context) error {
	s.starting.Lock() // so that Shutdown waits for all of them or for none
	if s.life.Err() != nil {
		s.starting.Unlock()
		return ErrNotStarted
	}
	s.exposure.look(s)
	s.keepers.Go(func() { s.poll(&reloader{server: s, seen: s.belief.seen}) })
	s.keepers.Go(s.sweep)
	if urls := s.config.CRLURLs(); len(urls) > 0 {
		s.log.Info("waiting for revocation lists, not listening yet", zap.Strings("urls", strings.Split(redactURLs(strings.Join(urls, ",")), ",")))
	}
	for _, url := range s.config.CRLURLs() {
		s.keepers.Go(func() { s.fetch(url).Run(s.life) })
	}
	s.starting.Unlock()
	select {
	case <-s.belief.complete:
		s.watchUnlisted()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.life.Done():
		return ErrNotStarted
	}
}
