package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// wanted says whether a peer is asked for; an empty list means all.
func wanted(list, name string) bool {
	return list == "" || slices.ContainsFunc(strings.Split(list, ","), func(one string) bool { return strings.EqualFold(one, name) })
}

func checkPeerNames(list string) error {
	for name := range strings.SplitSeq(list, ",") {
		if list != "" && !slices.ContainsFunc(candidates(), func(one candidate) bool { return strings.EqualFold(one.name, name) }) {
			return fmt.Errorf("there is no peer %q; there are %s", name, peerNames())
		}
	}
	return nil
}

// findPeers finds those that are asked for, and names those that are not there.
func (c *comparison) findPeers(ctx context.Context) error {
	for _, one := range candidates() {
		if !wanted(c.options.peers, one.name) {
			continue
		}
		path, version, err := one.find(ctx, c.world)
		if err != nil {
			c.missing = append(c.missing, fmt.Sprintf("%s is left out: %s", one.name, oneLine(err)))
			continue
		}
		p := one.peer
		p.path, p.version = path, version
		c.peers = append(c.peers, p)
	}
	if len(c.peers) == 0 {
		return fmt.Errorf("there is nobody to compare; %s", strings.Join(c.missing, "; "))
	}
	return ctx.Err()
}

// dropRuleBreakers leaves out who does not do what all must do.
func (c *comparison) dropRuleBreakers(ctx context.Context) error {
	app, err := c.world.startUpstream(ctx, c.loadCore, false)
	if err != nil {
		return err
	}
	defer app.stop()
	var keep []peer
	for _, p := range c.peers {
		s, err := c.world.startPeer(ctx, p, places{upstream: app.listen, core: c.peerCore})
		if err == nil {
			err = c.world.keepsRules(ctx, s.listen)
			s.stop()
		}
		if err != nil {
			c.missing = append(c.missing, fmt.Sprintf("%s is left out: %s", p.name, oneLine(err)))
			c.trouble = append(c.trouble, fmt.Errorf("%s is left out: %w", p.name, err))
			continue
		}
		keep = append(keep, p)
	}
	c.peers = keep
	return ctx.Err()
}

// can says whether a peer has what a kind of work asks for.
func (p peer) can(w work) bool { return (p.lists || !w.list) && (p.resumes || !w.resumed) }

// runningPeer is one that has been started.
type runningPeer struct {
	peer   peer
	server *server
}

// startAll starts the application and every peer that can do a kind of work.
func (c *comparison) startAll(ctx context.Context, w work) (running []runningPeer, stop func(), err error) {
	at := places{core: c.peerCore}
	if w.list {
		if at.list, err = c.world.revocationList(); err != nil {
			return nil, nil, err
		}
	}
	if w.rsa {
		at.prefix = rsaPrefix
		if err := c.world.makeRSA(); err != nil {
			return nil, nil, err
		}
	}
	app, err := c.world.startUpstream(ctx, c.loadCore, w.fixed)
	if err != nil {
		return nil, nil, err
	}
	at.upstream = app.listen
	stop = func() {
		for _, r := range running {
			r.server.stop()
		}
		app.stop()
	}
	for _, p := range c.peers {
		if !p.can(w) {
			continue
		}
		s, err := c.world.startPeer(ctx, p, at)
		if err != nil {
			stop()
			return nil, nil, err
		}
		running = append(running, runningPeer{p, s})
	}
	return running, stop, nil
}

// heading says what was compared, where, and how.
func (c *comparison) heading(now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", c.subtitle(now))
	fmt.Fprintf(&b, "Each on one core, the load (Go, %s) and the application on another; ECDSA P-256 certificates, TLS 1.3, X25519; client verification optional, VERIFIED, DN and X-Forwarded-For told. "+
		"%d rounds of %s in turn; medians, and the range of what is compared round by round. Latency counts from when each request was due.\n\n", runtime.Version(), c.options.rounds, c.options.length)
	for _, one := range c.missing {
		fmt.Fprintf(&b, "%s\n\n", one)
	}
	return b.String()
}

// subtitle names the machine, the peers' versions and the date.
func (c *comparison) subtitle(now time.Time) string {
	var all []string
	for _, p := range c.peers {
		all = append(all, p.name+" "+p.version)
	}
	return strings.Join(all, ", ") + "; " + machine(now)
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
