package proxy

import (
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"
)

// reloader looks at the files for changes and puts them in force. It is used by
// one goroutine.
type reloader struct {
	server   *Server
	seen     [fileSetCount]fingerprint
	restless [fileSetCount]int         // looks in a row in which the files were changing
	failed   [fileSetCount]fingerprint // seen with a fault, and to be read once more
	told     [fileSetCount][]string    // warnings that need not be repeated
}

// settle is how often files that change while they are read are read again at
// once, before that is left to the next look.
const settle = 3

// look reads what has changed since the last look, or everything when asked by
// SIGHUP, and puts in force what is sound. What is not leaves the old belief as
// it was, and is a Trouble until it is mended.
func (r *reloader) look(everything bool) {
	var fresh Material
	var changed [fileSetCount]bool
	var all [fileSetCount]*reading
	for i := range fileSets {
		all[i] = r.read(i, everything)
		if all[i].sound(i) {
			fileSets[i].take(&fresh, all[i].found)
			changed[i] = true
		}
	}
	if changed != [fileSetCount]bool{} {
		// What is refused is told there.
		_ = r.server.adopt(&fresh, changed, func(refused error) { r.server.tellRefused(refused, everything) })
	}
	// Only now, since whoever waits for the log line goes by it.
	for i, one := range all {
		if one != nil {
			r.tell(i, one, everything)
		}
	}
}

// reading is what came of reading one set of files; nil: nothing new.
type reading struct {
	found *Material
	err   error
}

// sound reports whether it can be put in force. Of revocation lists those that
// can be read count all the same: a damaged one must not keep another's news out.
func (one *reading) sound(i int) bool {
	return one != nil && (one.err == nil || i == crlFiles && len(one.found.CRLs) > 0)
}

// read loads one set if its files are not those that were seen last.
func (r *reloader) read(i int, everything bool) *reading {
	s, set := r.server, &fileSets[i]
	paths, limit := set.files(s.config), s.config.fingerprintLimit()
	var last *reading
	for range settle {
		before := fingerprintOf(paths, limit)
		if before == r.seen[i] && !everything {
			return nil
		}
		one := &reading{found: &Material{}}
		one.err = set.load(one.found, s.config)
		if last = one; fingerprintOf(paths, limit) != before {
			continue // caught in the middle of a change
		}
		r.restless[i] = 0
		if one.err != nil && r.failed[i] != before {
			// It may have been another file for the moment of the reading, cut
			// short by its writer, and the old one again by the time it
			// was looked at.
			r.failed[i], r.seen[i] = before, fingerprint{}
		} else {
			r.seen[i] = before
		}
		return one
	}
	if r.restless[i]++; r.restless[i] < restlessLooks {
		return nil
	}
	// Whole lists are good ones even if something beside them is being written.
	return &reading{last.found, errors.Join(append(parts(last.err), errRestless)...)}
}

// restlessLooks is how many looks in a row may find files changing before that
// is told.
const restlessLooks = 2

var errRestless = errors.New("something among the files keeps changing while they are read; write new versions under another name and rename them, and nothing else there")

// tell counts and logs a reading: a fault that stands already only when asked,
// a warning once.
func (r *reloader) tell(i int, one *reading, everything bool) {
	s, set := r.server, &fileSets[i]
	if len(set.files(s.config)) > 0 {
		s.metrics.read(i, one.err, s.wall(time.Now()))
	}
	if one.err != nil {
		if err := capped(one.err); s.troubles.begin(set.name, err) || everything {
			s.events.count(ReloadFailed)
			message := "reload failed, what was in force stays"
			if one.sound(i) {
				message = "some files could not be reloaded, the others are in force"
			}
			s.log.Error(message, zap.String("files", set.name), zap.Strings("faults", texts(err)))
		}
		return
	}
	s.events.count(Reloaded)
	s.mended(zap.String("files", set.name))
	if len(set.files(s.config)) > 0 {
		fields := []zap.Field{zap.String("files", set.name)}
		if i == crlFiles {
			fields = append(fields, listsField("in_force", s.belief.inForce()))
		}
		s.log.Info("reloaded", append(fields, one.found.summary()...)...)
	}
	for _, warning := range one.found.Warnings {
		if !slices.Contains(r.told[i], warning) {
			s.log.Warn(warning)
		}
	}
	r.told[i] = one.found.Warnings
}

// poll looks at the files every MTLS_RELOAD_INTERVAL, and when asked to.
func (s *Server) poll(r *reloader) {
	ticker := time.NewTicker(s.config.ReloadInterval.Duration)
	defer ticker.Stop()
	for {
		select {
		case <-s.life.Done():
			return
		case done := <-s.asked:
			r.look(true)
			close(done)
		case <-ticker.C:
			r.look(false)
		}
		now := s.wall(time.Now())
		s.tickets.apply(s.tls.Load(), now) // turns the keys when it is time
		s.watchEnds(now)
		s.watchUnlisted()
		s.exposure.look(s)
	}
}

// ErrNotStarted is what Reload returns after Shutdown, and Start when it came first.
var ErrNotStarted = errors.New("the server is not running, so it cannot reload")

// Reload reads all files again, as SIGHUP asks, and returns when what is sound
// is in force. What is not is in Troubles and in the log. Before Start it waits.
func (s *Server) Reload() error {
	done := make(chan struct{})
	select {
	case s.asked <- done:
		<-done
		return nil
	case <-s.life.Done():
		return ErrNotStarted
	}
}
