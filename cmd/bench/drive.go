package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// measure is what a peer did in one round as fast as it went.
type measure struct {
	cost time.Duration // processor time of one piece of work
	rate float64       // pieces a second
	busy float64       // how much of its core it used
}

// openers is how many connections are made at once.
const openers = 16

// openSessions makes a work's connections, and returns as many sessions as are busy at
// once. Each session has done one piece of work.
func openSessions(ctx context.Context, to target, w work) ([]session, error) {
	made := make([][]session, w.connections)
	failed := make([]error, openers)
	var group sync.WaitGroup
	for opener := range openers {
		group.Go(func() {
			for i := opener; i < len(made) && failed[opener] == nil; i += openers {
				made[i], failed[opener] = openOne(ctx, to, w)
			}
		})
	}
	group.Wait()
	var all []session
	for _, some := range made {
		all = append(all, some...)
	}
	if err := firstNot(failed...); err != nil {
		closeAll(all)
		return nil, err
	}
	if w.streams > 0 || len(all) <= usual {
		return all, nil
	}
	busy := make([]session, usual)
	for i := range busy {
		busy[i] = &rotating{}
	}
	for i, one := range all {
		r := busy[i%usual].(*rotating)
		r.all = append(r.all, one)
	}
	return busy, nil
}

func openOne(ctx context.Context, to target, w work) ([]session, error) {
	if w.streams > 0 {
		return newH2(ctx, to, w)
	}
	one, err := w.open(ctx, to, w)
	if err != nil {
		return nil, err
	}
	return []session{one}, one.exchange()
}

func closeAll(sessions []session) {
	for _, one := range sessions {
		one.close()
	}
}

// flatOut has sessions work as fast as it goes, and looks at a stretch of length in
// which all are at work. used is the processor time that the peer has used so far. One
// wrong answer fails the run.
func flatOut(ctx context.Context, sessions []session, length time.Duration, used func() (time.Duration, error)) (measure, error) {
	var done atomic.Int64
	var stop atomic.Bool
	failed := make(chan error, len(sessions))
	var group sync.WaitGroup
	for _, one := range sessions {
		group.Go(func() {
			for !stop.Load() {
				if err := one.exchange(); err != nil {
					failed <- err
					return
				}
				done.Add(1)
			}
		})
	}
	var m measure
	err := wait(ctx, min(length/4, time.Second/2), failed) // until all is warm
	if err == nil {
		m, err = stretch(&done, used, func() error { return wait(ctx, length, failed) })
	}
	stop.Store(true)
	group.Wait()
	close(failed)
	for late := range failed { // 64 connections fail alike: one tells enough
		err = firstNot(err, late)
	}
	return m, err
}

// stretch looks at counters before and after.
func stretch(done *atomic.Int64, used func() (time.Duration, error), pass func() error) (measure, error) {
	before, err := used()
	if err != nil {
		return measure{}, err
	}
	count, begin := done.Load(), time.Now()
	for done.Load() == count && time.Since(begin) < patience { // more than once on a machine that is busy otherwise
		if err := pass(); err != nil {
			return measure{}, err
		}
	}
	after, err := used()
	if err != nil {
		return measure{}, err
	}
	count, took := done.Load()-count, time.Since(begin)
	if count == 0 {
		return measure{}, fmt.Errorf("nothing was finished in %s; measure longer with -d", took.Round(time.Millisecond))
	}
	return measure{(after - before) / time.Duration(count), float64(count) / took.Seconds(), float64(after-before) / float64(took)}, nil
}

// wait lets time pass, unless something fails.
func wait(ctx context.Context, length time.Duration, failed <-chan error) error {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case err := <-failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// firstNot is the first error that is one.
func firstNot(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
