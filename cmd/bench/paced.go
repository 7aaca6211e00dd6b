package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// fastest is the highest rate, a second, that the timer is asked for.
const fastest = 1_000_000

// tooSlowError is that a peer did not keep up with a rate.
type tooSlowError struct{ rate float64 }

func (e tooSlowError) Error() string {
	return fmt.Sprintf("does not keep up with %s a second", number(e.rate))
}

// lateness is 1 for whoever was too slow, and 0 for everything else.
func lateness(err error) int {
	if errors.As(err, &tooSlowError{}) {
		return 1
	}
	return 0
}

// wait waits for the next beat, and returns how many there were since the last.
func (p *pulse) wait() (int, error) {
	var count [8]byte
	if _, err := p.file.Read(count[:]); err != nil {
		return 0, fmt.Errorf("waiting for a timer: %w", err)
	}
	return int(binary.NativeEndian.Uint64(count[:])), nil
}

// paced gives out work at a fixed rate to sessions in turn, whether they are done or
// not, and measures each from the moment at which it was due: what waits behind a slow
// answer waited as long as its user would (Gil Tene's "coordinated omission").
func paced(ctx context.Context, sessions []session, rate float64, length time.Duration) (quantiles, error) {
	interval := time.Duration(float64(time.Second) / rate)
	total := max(int(length/interval), 1)
	due := make([]chan time.Time, len(sessions))
	took := make([][]time.Duration, len(sessions))
	failed := make([]error, len(sessions))
	var end time.Time
	beat, err := newPulse(int64(interval))
	if err != nil {
		return quantiles{}, err
	}
	defer beat.file.Close()
	begin := time.Now()
	end = begin.Add(length + max(length/2, time.Second)) // who is not done then is too slow
	var group sync.WaitGroup
	for i, one := range sessions {
		due[i] = make(chan time.Time, total/len(sessions)+1)
		took[i] = make([]time.Duration, 0, cap(due[i]))
		group.Go(func() {
			failed[i] = serveDue(one, due[i], clock{time.Now, end}, func(d time.Duration) { took[i] = append(took[i], d) })
		})
	}
	for given := 0; given < total && err == nil && ctx.Err() == nil; {
		var beats int
		beats, err = beat.wait()
		for ; beats > 0 && given < total; beats-- {
			due[given%len(due)] <- begin.Add(time.Duration(given+1) * interval)
			given++
		}
	}
	for _, one := range due {
		close(one)
	}
	group.Wait()
	// A wrong answer is worse than a late one, and is told of first.
	slices.SortFunc(failed, func(a, b error) int { return lateness(a) - lateness(b) })
	if err := firstNot(append(failed, err, ctx.Err())...); err != nil {
		if lateness(err) > 0 {
			err = tooSlowError{rate}
		}
		return quantiles{}, err
	}
	var all []time.Duration
	for _, some := range took {
		all = append(all, some...)
	}
	return quantilesOf(all), nil
}

// clock tells the time, and when it is too late to go on.
type clock struct {
	now func() time.Time
	end time.Time
}

// serveDue does what is due, one after the other, and records how long after it was
// due each was done.
func serveDue(s session, due <-chan time.Time, c clock, record func(time.Duration)) error {
	for at := range due {
		if err := s.exchange(); err != nil {
			return err
		}
		now := c.now()
		record(now.Sub(at))
		if now.After(c.end) {
			return tooSlowError{}
		}
	}
	return nil
}
