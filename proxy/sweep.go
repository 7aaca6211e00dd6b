package proxy

import (
	"crypto/x509"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"mtls-sidecar/proxy/trust"
)

// Requests are judged when they begin. A tunnel, a download or an event stream
// goes on for hours after that: the sweeper ends those whose client has ceased
// to be believed.

const (
	// sweepEvery is how late, at most, the sweeper notices.
	sweepEvery = 250 * time.Millisecond
	// lastSecond is what an exchange is given to end by itself, and jitter what a tick
	// may come too early.
	lastSecond = time.Second
	jitter     = 20 * time.Millisecond
)

// peer is who presented which certificates on a connection.
type peer struct {
	id    trust.ID
	chain []*x509.Certificate
	named atomic.Pointer[certificateNames] // of the first; made when it is needed
}

// sweeper is used by one goroutine, but for what is atomic.
type sweeper struct {
	soonest    atomic.Int64            // Unix nanoseconds: when the first verdict in use runs out
	generation uint64                  // at the last sweep
	doubted    map[*exchange]time.Time // no longer believed since
	wall       time.Time               // at the last sweep

	asking    sync.Map // of trust.ID: the CAs are being asked about that chain
	questions atomic.Int32
}

// until takes note of how long a verdict holds that a request was admitted by.
func (w *sweeper) until(nanoseconds int64) {
	for {
		soonest := w.soonest.Load()
		if soonest <= nanoseconds || w.soonest.CompareAndSwap(soonest, nanoseconds) {
			return
		}
	}
}

func (s *Server) sweep() {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-s.life.Done():
			return
		case now := <-ticker.C:
			s.sweepOnce(now)
			s.tellLeftOut(now, refusalSilence)
		}
	}
}

// sweepOnce costs next to nothing as long as no verdict can have changed.
func (s *Server) sweepOnce(now time.Time) {
	w := &s.sweeper
	wall := s.wall(now).Round(0)
	if wall.Before(w.wall) {
		// The clock was set back: what was judged by the later time is judged afresh.
		s.store.Renew()
	}
	w.wall = wall
	generation := s.store.Generation()
	if generation == w.generation && wall.UnixNano() < w.soonest.Load() && len(w.doubted) == 0 {
		return
	}
	w.generation = generation
	w.soonest.Store(math.MaxInt64)
	doubted := map[*exchange]time.Time{}
	for _, c := range s.conns.identified() {
		telling := c.telling()
		if until := c.until.Load(); until > wall.UnixNano() {
			w.until(until) // it may begin an exchange by the verdict that it has
		} else if until > wall.Add(-time.Minute).UnixNano() && len(telling) == 0 {
			// It may be about to, having looked at the clock before the verdict's end.
			w.until(wall.Add(lastSecond).UnixNano())
		}
		for _, x := range telling {
			s.look(x, now, doubted)
		}
	}
	w.doubted = doubted
}

// look judges the client of an exchange in flight, without waiting for anybody.
// Where a CA would have to be asked first, that is begun, and it stays as it was.
func (s *Server) look(x *exchange, now time.Time, doubted map[*exchange]time.Time) {
	w, c := &s.sweeper, x.conn
	who := c.peer.Load()
	since, known := w.doubted[x]
	if !known {
		since = now
	}
	before := c.until.Load()
	verdict := s.standing(who.id, who.chain, w.wall)
	verdict, answered := s.recall(verdict, w.wall)
	switch {
	case !answered && !known && c.until.Load() > w.wall.UnixNano():
		w.until(c.until.Load()) // the answer that it was admitted by was forgotten, and counts
	case !answered:
		if known {
			doubted[x] = since // believed again only for a reason
		}
		s.askFor(who.id, verdict)
	case s.admit(verdict).page == nil && (verdict.Status == trust.Success || !x.vouched.Load()):
		until := untilNano(verdict)
		w.until(until)
		c.until.CompareAndSwap(before, until)
	case now.Sub(since) < lastSecond-jitter:
		doubted[x] = since
	default:
		s.cutUnbelieved(x, verdict)
	}
}

// maxAsking is how many questions to CAs the sweeper has under way: new clients
// wait for the same responders.
const maxAsking = 64

// askFor asks the CAs about a chain, once for all connections of its client, and
// has the next sweep look at what came of it.
func (s *Server) askFor(id trust.ID, verdict trust.Verdict) {
	w := &s.sweeper
	w.until(w.wall.Add(lastSecond).UnixNano())
	if _, asked := w.asking.LoadOrStore(id, true); asked {
		return
	}
	if w.questions.Add(1) > maxAsking {
		w.questions.Add(-1)
		w.asking.Delete(id)
		return
	}
	now := w.wall
	s.keepers.Go(func() {
		s.askCAs(verdict, now)
		w.asking.Delete(id)
		w.questions.Add(-1)
		w.until(0)
	})
}

// untilNano is a verdict's Until as a number that can be compared.
func untilNano(v trust.Verdict) int64 {
	if v.Until.IsZero() {
		return math.MaxInt64
	}
	return v.Until.UnixNano()
}

// cutUnbelieved ends an exchange without a clean end, so that the client can
// tell that it is not whole.
func (s *Server) cutUnbelieved(x *exchange, v trust.Verdict) {
	if !x.severTold() {
		return // it ended by itself
	}
	c := x.conn
	s.events.count(BeliefLost)
	what := "request"
	if x.tunnels.Load() {
		what = "tunnel"
	}
	fields := []zap.Field{addressField(c.remote), zap.String("what", what),
		reasonField(v.Reason.String()), messageField(v.Reason.Text())}
	who := c.peer.Load()
	s.log.Info("cut what was in flight: the client is no longer believed",
		append(fields, clientFields(who.chain[0], *who.names())...)...)
}

// telling are the exchanges of a connection in which the application is being
// told of the client.
func (c *conn) telling() []*exchange {
	var all []*exchange
	if c.told.Load() {
		all = append(all, &c.exchange)
	}
	if streams := c.streams.Load(); streams != nil {
		for _, t := range streams.list() {
			if t.told.Load() {
				all = append(all, &t.exchange)
			}
		}
	}
	return all
}

// identified are the connections with a client certificate.
func (r *registry) identified() []*conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*conn, 0, len(r.conns))
	for c := range r.conns {
		if c.peer.Load() != nil {
			list = append(list, c)
		}
	}
	return list
}
