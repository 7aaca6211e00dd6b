package main

import (
	"context"
	"fmt"
	"time"
)

// settled is how long a peer is left alone before its memory is read.
const settled = 15 * time.Second

// lookAtIdle opens many connections, each of which has served one request, and reads
// what each of them holds.
func lookAtIdle(ctx context.Context, c *comparison, w work) (*table, error) {
	t := &table{heading: w.title, columns: []string{"", "KiB each", "MiB before", "MiB with them", "MiB at most"},
		note: fmt.Sprintf("Read %s after the last request; what the kernel holds for a socket is not counted, and is the same for all. The sidecar's falls only after MTLS_HEADER_TIMEOUT (10s).", settled)}
	for _, p := range c.peers {
		c.progress.step(w.name + ": " + p.name)
		if err := c.oneIdle(ctx, w, p, t); err != nil {
			t.note += fmt.Sprintf("\n%s is not reported: %s", p.name, oneLine(err))
			c.trouble = append(c.trouble, fmt.Errorf("%s: %s: %w", w.name, p.name, err))
		}
	}
	return t, ctx.Err()
}

func (c *comparison) oneIdle(ctx context.Context, w work, p peer, t *table) error {
	alone := *c
	alone.peers = []peer{p}
	running, stop, err := alone.startAll(ctx, w)
	if err != nil {
		return err
	}
	defer stop()
	s := running[0].server
	// Warm: what the first connections allocate stays for the others.
	warm := w
	warm.connections = usual
	if err := c.turn(ctx, warm, s, func([]session) error { return wait(ctx, settled, nil) }); err != nil {
		return err
	}
	before, err := memoryOf(s.pid())
	if err != nil {
		return err
	}
	return c.turn(ctx, w, s, func(all []session) error {
		if err := wait(ctx, settled, nil); err != nil {
			return err
		}
		with, err := memoryOf(s.pid())
		if err != nil {
			return err
		}
		for _, one := range all { // whoever has lost its connection holds nothing for it
			for range max(w.connections/len(all), 1) {
				if err := one.exchange(); err != nil {
					return err
				}
			}
		}
		t.add(p.name, number(float64(with-before)/1024/float64(w.connections)), number(float64(before)/(1<<20)), number(float64(with)/(1<<20)),
			number(float64(peakOf(s.pid()))/(1<<20)))
		return nil
	})
}

// lookAtRest starts each peer several times.
func lookAtRest(ctx context.Context, c *comparison, w work) (*table, error) {
	t := &table{heading: w.title, columns: []string{"", "ms until it accepts", "range", "MiB"}, note: "Proportional resident memory of all its processes, half a second after its start, set up for 1,024 connections where that is to be said."}
	for _, p := range c.peers {
		c.progress.step(w.name + ": " + p.name)
		var took, memory []float64
		for range c.options.rounds {
			s, err := c.world.startPeer(ctx, p, places{upstream: "127.0.0.1:1", core: c.peerCore, connections: 1024})
			if err != nil {
				return nil, err
			}
			err = wait(ctx, time.Second/2, nil)
			held, err2 := memoryOf(s.pid())
			s.stop()
			if err != nil || err2 != nil {
				return nil, fmt.Errorf("%s: %w", p.name, firstNot(err, err2))
			}
			took = append(took, float64(s.took)/float64(time.Millisecond))
			memory = append(memory, float64(held)/(1<<20))
		}
		start := summarize(took)
		t.add(p.name, number(start.median), number(start.low)+"–"+number(start.high), number(summarize(memory).median))
	}
	return t, nil
}
