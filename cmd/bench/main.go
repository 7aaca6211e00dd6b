// Command bench measures what the sidecar costs, beside others that can do the same
// work. Its numbers are this machine's: they are for comparing with one another, and no
// test asserts them.
//
//	go run ./cmd/bench                      the comparison, as text
//	go run ./cmd/bench -markdown -svg FILE  the same for a document, and a plot of it
//	go run ./cmd/bench -work small,full     some kinds of work only; -help names them
//	go run ./cmd/bench footprint            size, start and memory of the sidecar alone
//	go run ./cmd/bench -soak 30m            no numbers: a day in the life, and whether it went well
//
// It decides what is measured and how it is shown. It refuses to report a run in which
// an answer was wrong, and to compare peers that do not keep the same rules.
//
// compare.go goes through the kinds of work (works.go) in rounds, each peer in turn;
// peers.go and testdata are how each is started, world.go the certificates they share,
// rules.go what all must do alike. drive.go is the load as fast as it goes, paced.go
// that of a fixed rate; client.go, kept.go, websocket.go and h2.go are what is sent and
// how each answer is verified. proctree.go asks the kernel what it cost, and quiet.go who
// else was at work; statistics.go condenses, report.go, overview.go and plot.go write it
// down. footprint.go is a part of its own, and so is the soak: package soak, which soak.go
// starts.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	err := run(ctx, os.Args[1:], os.Stdout)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is one of the parts. Part upstream is the application that they talk to, which
// is started by the comparison itself.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	part := ""
	if len(args) > 0 {
		part = args[0]
	}
	if asksForSoak(args) {
		return runSoak(ctx, args, stdout)
	}
	switch part {
	case "footprint":
		return runFootprint(args[1:], stdout)
	case "upstream":
		return runUpstream(ctx, args[1:])
	default:
		return runComparison(ctx, args, stdout)
	}
}

func runFootprint(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("bench footprint", flag.ContinueOnError)
	markdown := flags.Bool("markdown", false, "write tables in Markdown")
	rounds := flags.Int("rounds", 10, "how often the program is started")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *rounds < 1 || flags.NArg() > 0 {
		return fmt.Errorf("-rounds must be 1 or more, and nothing may follow the flags; see -help")
	}
	folder, err := os.MkdirTemp("", "mtls-sidecar-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	tables, err := footprint(folder, *rounds)
	if err != nil {
		return err
	}
	return writeTables(stdout, tables, *markdown)
}

func writeTables(to io.Writer, tables []*table, markdown bool) error {
	for _, t := range tables {
		if err := t.write(to, markdown); err != nil {
			return err
		}
	}
	return nil
}
