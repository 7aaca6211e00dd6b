package soak

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// worker is one client at work.
type worker struct {
	*day
	kind   string
	who    func() (*person, error) // for the next connection
	how    manner
	random *rand.Rand
}

// role is a kind of client, and how many there are.
type role struct {
	kind  string
	count int
	who   func(*worker) func() (*person, error)
	how   manner
	work  func(*worker, context.Context) // one connection, or whatever it does in a while
	think time.Duration                  // the mean pause after it
}

// crowd runs everybody until the context ends.
func (d *day) crowd(ctx context.Context, roles []role) {
	var all sync.WaitGroup
	for _, one := range roles {
		for i := range one.count {
			d.born++
			w := &worker{day: d, kind: one.kind, how: one.how, random: rand.New(rand.NewPCG(d.options.Seed, d.born))}
			w.who = one.who(w)
			if one.how.sessions != nil {
				w.how.sessions = tls.NewLRUClientSessionCache(4)
			}
			all.Go(func() {
				for w.pause(ctx, one.think*time.Duration(1+i)/time.Duration(one.count)) {
					one.work(w, ctx)
				}
			})
		}
	}
	all.Wait()
}

// pause waits half to one and a half times as long as the mean.
func (w *worker) pause(ctx context.Context, mean time.Duration) bool {
	return ctx.Err() == nil && wait(ctx, mean/2+time.Duration(w.random.Int64N(int64(mean)+1)))
}

// always is who stays the same.
func always(of func(*people) *person) func(*worker) func() (*person, error) {
	return func(w *worker) func() (*person, error) {
		return func() (*person, error) { return of(w.people), nil }
	}
}

// oneOf is somebody else each time.
func oneOf(of func(*people) []*person) func(*worker) func() (*person, error) {
	return func(w *worker) func() (*person, error) {
		return func() (*person, error) { return pick(w.random, of(w.people)), nil }
	}
}

// encores is on how many further connections those appear who have been revoked or have expired.
const encores = 3

// leaving is somebody who will be revoked, and who comes again a few times after that.
func leaving(w *worker) func() (*person, error) {
	return w.successive(func(now time.Time, one *person) bool { return w.truth.allows(one, now, now).refusal() }, w.people.leaver)
}

// shortLived is somebody whose certificate ends in a few seconds.
func shortLived(w *worker) func() (*person, error) {
	return w.successive(func(now time.Time, one *person) bool { return !now.Before(one.until) }, func() (*person, error) {
		return w.people.shortLived(w.options.life() + time.Duration(w.random.Int64N(int64(w.options.life()))))
	})
}

func (w *worker) successive(over func(time.Time, *person) bool, next func() (*person, error)) func() (*person, error) {
	var one *person
	left := 0
	return func() (*person, error) {
		if one != nil && over(time.Now(), one) {
			left--
		}
		if one != nil && left > 0 {
			return one, nil
		}
		var err error
		if one, err = next(); err != nil {
			return nil, fmt.Errorf("making a client: %w", err)
		}
		left = encores
		return one, nil
	}
}

// connect is how most works begin; nil: it could not.
func (w *worker) connect(ctx context.Context) *link {
	who, err := w.who()
	if err != nil {
		w.faults.add(broken, &request{client: w.kind}, "%v", err)
		return nil
	}
	l, err := w.dial(ctx, who, w.how)
	if err != nil {
		return nil
	}
	return l
}
