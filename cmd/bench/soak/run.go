package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Sidecar is a running one, in a process of its own.
type Sidecar interface {
	// Get asks the admin port; an answer other than 200 is an error.
	Get(path string) ([]byte, error)
	Pid() int
	// Stop ends it and returns all that it has logged; an error if it did not end well.
	Stop() (log []byte, err error)
}

// Options say what the day is like.
type Options struct {
	For    time.Duration // how long it is under load, the warm-up of a tenth not counted
	Seed   uint64        // of all choices; those of the scheduler and the network it cannot repeat
	Folder string        // for files, and empty
	Corpus string        // folder of hostile requests: testdata/corpus/requests
	// Start starts a sidecar with these settings, and waits until it is ready. Its
	// admin port is the caller's matter.
	Start func(environ []string) (Sidecar, error)
	// Resident is what a process has in memory, in bytes.
	Resident func(pid int) (int64, error)
	// Fault is told of each fault as it is found; nil: nobody asks.
	Fault func(kind, client, detail string)
	// Step says how far it is, and what is being done; nil: nobody looks.
	Step func(done, of time.Duration, what string)
}

// The rhythms of a day, of which a short one has more than one each.
func (o *Options) rotation() time.Duration {
	return clamp(o.For/20, 300*time.Millisecond, 1500*time.Millisecond)
}
func (o *Options) restart() time.Duration { return clamp(o.For/3, time.Second, 20*time.Second) }
func (o *Options) life() time.Duration    { return clamp(o.For/6, 2*time.Second, 6*time.Second) }
func (o *Options) warmUp() time.Duration  { return clamp(o.For/10, time.Second, 30*time.Second) }

func clamp(d, least, most time.Duration) time.Duration { return max(least, min(d, most)) }

// day is one run.
type day struct {
	options     Options
	faults      *faults
	truth       *truth
	people      *people
	ledger      *ledger
	judge       *judge
	application *application
	servers     *servers
	rotator     *rotator
	sidecar     Sidecar
	shapes      []hostileShape
	address     string
	born        uint64 // workers so far

	full, resumed, broken, tunnels atomic.Int64
	told                           *[3]atomic.Int64

	watch   watch
	loading time.Duration // how long the load has really run
	log     logged
	counted []comparison
}

func (d *day) handshakes(resumed bool) {
	if resumed {
		d.resumed.Add(1)
	} else {
		d.full.Add(1)
	}
}

// interrupted counts a handshake that a client may have broken off.
func (d *day) interrupted() { d.broken.Add(1) }

func (d *day) upgraded() { d.tunnels.Add(1) }

// Run lives through the day. Its faults are the report's; the error is what kept it from
// running at all. When the context ends, the day is over early, and the report is of what
// was until then.
func Run(ctx context.Context, o Options) (*Report, error) {
	d, err := newDay(o)
	if err != nil {
		return nil, err
	}
	if err := d.open(); err != nil {
		return nil, err
	}
	defer d.application.stop()
	defer context.AfterFunc(ctx, d.faults.end)()
	d.live(ctx)
	d.compare()
	d.covers()
	text, err := d.sidecar.Stop()
	if err != nil {
		d.faults.add(failed, nil, "the sidecar did not end well: %v", err)
	}
	d.log = d.judgeLog(text)
	return d.report(), nil
}

func newDay(o Options) (*day, error) {
	d := &day{options: o, faults: newFaults(), servers: &servers{}}
	d.faults.tell = o.Fault
	corpus, err := readCorpus(o.Corpus)
	if err != nil {
		return nil, err
	}
	d.shapes = append(shapes(), corpus...)
	if d.people, err = newPeople(); err != nil {
		return nil, err
	}
	first := state{revoked: map[*person]bool{}}
	for i := range first.trusted {
		first.trusted[i] = true
	}
	d.truth = newTruth(first)
	socket := ""
	if o.Seed%3 == 0 {
		socket = filepath.Join(o.Folder, "application.sock")
	}
	d.application = newApplication(d.faults, socket)
	d.ledger = newLedger(d.truth, d.faults, d.application.wasAway)
	d.told = &d.ledger.told
	d.application.ledger = d.ledger
	d.judge = newJudge(d.ledger)
	d.rotator = &rotator{day: d, random: rand.New(rand.NewPCG(o.Seed, 0)), made: map[string]int{}}
	return d, nil
}

// open starts the application and the sidecar.
func (d *day) open() error {
	first := d.truth.last()
	environ, err := d.rotator.prepare(d.options.Folder, &first)
	if err != nil {
		return err
	}
	if err := d.application.listen(); err != nil {
		return err
	}
	idle := "3s"
	if d.options.For < time.Minute {
		idle = "1s" // or a short day would be spent waiting for it
	}
	environ = append(environ, "MTLS_LISTEN_ADDR=127.0.0.1:0", "MTLS_UPSTREAM_URL="+d.application.url(), "MTLS_RELOAD_INTERVAL=200ms",
		"MTLS_ROUTES=/=optional /"+mustPath+"/=require", "MTLS_UPSTREAM_IDLE_TIMEOUT="+idle, "MTLS_UPSTREAM_EXPOSED=ignore")
	if d.sidecar, err = d.options.Start(environ); err != nil {
		d.application.stop()
		return err
	}
	got, err := d.status()
	if err == nil {
		err = d.rotator.differs(&got, &first)
	}
	if d.address = got.Listen; err != nil {
		d.application.stop()
		_, stopping := d.sidecar.Stop()
		return errors.Join(err, stopping)
	}
	return nil
}

// live is the day: warm-up, rest, load, rest.
func (d *day) live(ctx context.Context) {
	d.phase(ctx, d.options.warmUp(), nil)
	d.watch.before = d.rest(nil)
	begun := time.Now()
	d.phase(ctx, d.options.For, &d.watch)
	d.loading = time.Since(begun)
	d.watch.after = d.rest(&d.watch.before)
	d.judgeLeaks()
}

// phase has everybody at work for a while.
func (d *day) phase(ctx context.Context, length time.Duration, into *watch) {
	load, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { d.rotator.rotate(load) })
	all.Go(func() { d.restarts(load) })
	all.Go(func() { d.look(load, length, into) })
	d.crowd(load, roles())
	all.Wait()
}

// restarts takes the application away now and then; at the end it is there.
func (d *day) restarts(ctx context.Context) {
	random := rand.New(rand.NewPCG(d.options.Seed, 1<<32+uint64(d.application.restarts())))
	for wait(ctx, d.options.restart()) {
		away := d.options.restart()/40 + time.Duration(random.Int64N(int64(d.options.restart()/40)))
		if err := d.application.restart(ctx, random.IntN(2) == 0, away); err != nil {
			d.faults.add(broken, nil, "%v", err)
			return
		}
	}
}

// look measures once in a while, and says how far it is.
func (d *day) look(ctx context.Context, length time.Duration, into *watch) {
	begun := time.Now()
	for wait(ctx, clamp(length/60, 100*time.Millisecond, 5*time.Second)) {
		d.ledger.forget(time.Now())
		what := "warming up"
		if into != nil {
			d.sample(into)
			what = fmt.Sprintf("%d faults", d.faults.total())
		}
		if d.options.Step != nil {
			d.options.Step(time.Since(begun), length, what)
		}
	}
}
