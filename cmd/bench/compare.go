package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// comparison is one run of the program.
type comparison struct {
	world    *world
	peers    []peer
	missing  []string // who is left out, and why
	works    []work
	options  options
	peerCore int
	loadCore int
	progress *progress
	trouble  []error // runs that are not reported
}

type options struct {
	rounds   int
	length   time.Duration
	rate     float64
	markdown bool
	svg      string
	peers    string
}

// finding is what came of one kind of work.
type finding struct {
	work     work
	rate     float64 // a second, at which latency was measured
	outcomes []*outcome
	others   string // a remark on other programs; empty: there was none to make
}

// outcome is what came of one peer's work.
type outcome struct {
	peer      peer
	rounds    []measure
	latencies []quantiles
	failed    error // a wrong answer, or none
	slow      error // it did not keep up with the rate
}

func runComparison(ctx context.Context, args []string, stdout io.Writer) error {
	c := &comparison{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	chosen := flags.String("work", "", "kinds of work, separated by commas, of "+workNames()+" (default all)")
	flags.StringVar(&c.options.peers, "peers", "", "peers, separated by commas, of "+peerNames()+" (default all that are installed)")
	flags.IntVar(&c.options.rounds, "rounds", 3, "how often each peer has its turn")
	flags.DurationVar(&c.options.length, "d", 2*time.Second, "how long a turn is")
	flags.Float64Var(&c.options.rate, "rate", 0, "pieces of work a second at which latency is measured (default half of what nginx can do)")
	flags.BoolVar(&c.options.markdown, "markdown", false, "write tables in Markdown")
	flags.StringVar(&c.options.svg, "svg", "", "file that a plot is written to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if c.options.rounds < 1 || c.options.length < time.Millisecond || !(c.options.rate >= 0 && c.options.rate <= fastest) || flags.NArg() > 0 {
		return fmt.Errorf("-rounds must be 1 or more, -d 1ms or more, -rate 0 to %s, and nothing may follow the flags; see -help", count(fastest))
	}
	var err error
	if c.works, err = chooseWorks(*chosen); err != nil {
		return err
	}
	if err := checkPeerNames(c.options.peers); err != nil {
		return err
	}
	if c.peerCore, c.loadCore, err = cores(); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "mtls-sidecar-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if c.world, err = newWorld(folder); err != nil {
		return err
	}
	return c.run(ctx, stdout)
}

// run finds the peers, compares them and writes down what came of it.
func (c *comparison) run(ctx context.Context, stdout io.Writer) error {
	if err := allowManyFiles(); err != nil {
		return err
	}
	if err := c.findPeers(ctx); err != nil {
		return err
	}
	restore, err := stayOn(c.loadCore)
	if err != nil {
		return err
	}
	defer restore()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if err := c.dropRuleBreakers(ctx); err != nil {
		return err
	}
	turns := 0
	for _, w := range c.works {
		if w.look == nil {
			for _, p := range c.peers {
				if p.can(w) {
					turns += 2 * c.options.rounds
				}
			}
		} else {
			turns += len(c.peers)
		}
	}
	c.progress = newProgress(os.Stderr, turns)
	defer c.progress.clear()
	head := c.heading(time.Now())
	if _, err := io.WriteString(stdout, head); err != nil {
		return err
	}
	var findings []*finding
	for _, w := range c.works {
		one, t, err := c.do(ctx, w)
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		if one != nil {
			findings = append(findings, one)
		}
		c.progress.clear()
		if err := t.write(stdout, c.options.markdown); err != nil {
			return err
		}
	}
	if len(findings) > 1 {
		if err := writeTables(stdout, overview(findings), c.options.markdown); err != nil {
			return err
		}
	}
	if c.options.svg != "" {
		if err := os.WriteFile(c.options.svg, plot(findings, c.subtitle(time.Now())), 0o644); err != nil {
			return err
		}
	}
	return errors.Join(c.trouble...)
}

// do does one kind of work, and makes its table.
func (c *comparison) do(ctx context.Context, w work) (*finding, *table, error) {
	if w.look != nil {
		t, err := w.look(ctx, c, w)
		return nil, t, err
	}
	f, err := c.compare(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	for _, o := range f.outcomes {
		if o.failed != nil {
			c.trouble = append(c.trouble, fmt.Errorf("%s: %s is not reported: %w", w.name, o.peer.name, o.failed))
		}
	}
	t := f.table()
	for _, p := range c.peers {
		if !p.can(w) {
			t.note += p.name + " does not do this.\n"
		}
	}
	t.note = strings.TrimSpace(t.note + f.others)
	return f, t, nil
}

// compare starts all peers and gives each its turn, round by round: first as fast as
// they go, then at a rate.
func (c *comparison) compare(ctx context.Context, w work) (*finding, error) {
	running, stop, err := c.startAll(ctx, w)
	if err != nil {
		return nil, err
	}
	defer stop()
	before, err := usageNow()
	if err != nil {
		return nil, err
	}
	f := &finding{work: w}
	for range c.options.rounds {
		for i, r := range running {
			if len(f.outcomes) <= i {
				f.outcomes = append(f.outcomes, &outcome{peer: r.peer})
			}
			if o := f.outcomes[i]; o.failed == nil {
				c.progress.step(w.name + " as fast as it goes: " + o.peer.name)
				o.failed = c.turn(ctx, w, r.server, func(all []session) error {
					m, err := flatOut(ctx, all, c.options.length, func() (time.Duration, error) { return processorTime(r.server.pid()) })
					o.rounds = append(o.rounds, m)
					return err
				})
			}
		}
	}
	if f.rate = c.options.rate; f.rate == 0 {
		f.rate = f.halfOfStandard()
	}
	for range c.options.rounds {
		for i, r := range running {
			if o := f.outcomes[i]; o.failed == nil && o.slow == nil && f.rate > 0 {
				c.progress.step(w.name + " at " + number(f.rate) + " a second: " + o.peer.name)
				o.failed = c.turn(ctx, w, r.server, func(all []session) error {
					q, err := paced(ctx, all, f.rate, c.options.length)
					if errors.As(err, &tooSlowError{}) {
						o.slow, err = err, nil
					}
					o.latencies = append(o.latencies, q)
					return err
				})
			}
		}
	}
	// Before the peers are stopped: what their children have used is then init's.
	after, err := usageNow()
	if err != nil {
		return nil, err
	}
	f.others = before.remark(after)
	return f, ctx.Err()
}

// turn opens a work's sessions, has them used, and closes them.
func (c *comparison) turn(ctx context.Context, w work, s *server, use func([]session) error) error {
	all, err := openSessions(ctx, c.target(w, s), w)
	if err != nil {
		return err
	}
	defer closeAll(all)
	return use(all)
}

func (c *comparison) target(w work, s *server) target {
	certificate := c.world.client
	switch {
	case w.chained:
		certificate = c.world.chained
	case w.rsa:
		certificate = c.world.rsa
	}
	return target{s.listen, c.world.clientTLS(certificate), guard(c.options.length, w.connections)}
}

// halfOfStandard is half of what nginx does at most, or of what the slowest does where
// there is no nginx.
func (f *finding) halfOfStandard() float64 {
	least := 0.0
	for _, o := range f.outcomes {
		if o.failed != nil {
			continue
		}
		rate := summarize(o.each(func(m measure) float64 { return m.rate })).median
		if o.peer.name == standard {
			return rate / 2
		}
		if least == 0 || rate < least {
			least = rate
		}
	}
	return least / 2
}

// each takes one number of every round.
func (o *outcome) each(of func(measure) float64) []float64 {
	var all []float64
	for _, m := range o.rounds {
		all = append(all, of(m))
	}
	return all
}

func peerNames() string {
	var all []string
	for _, one := range candidates() {
		all = append(all, one.name)
	}
	return strings.Join(all, ",")
}
