package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"mtls-sidecar/cmd/bench/soak"
)

// asksForSoak reports whether the flags are the soak's.
func asksForSoak(args []string) bool {
	for _, arg := range args {
		if name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "="); name == "soak" && strings.HasPrefix(arg, "-") {
			return true
		}
	}
	return false
}

// runSoak lives through a day with the sidecar, and says what was wrong with it.
func runSoak(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("bench -soak", flag.ContinueOnError)
	length := flags.Duration("soak", 0, "how long clients are at work; Ctrl-C ends it early, with a report")
	seed := flags.Uint64("seed", uint64(time.Now().UnixNano()), "of all choices, to make the same ones again")
	markdown := flags.Bool("markdown", false, "write tables in Markdown")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *length < time.Second || flags.NArg() > 0 {
		return errors.New("-soak takes a time of 1s or more, such as 30m, and nothing may follow the flags; see -soak 1s -help")
	}
	folder, err := os.MkdirTemp("", "mtls-sidecar-soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	bar := newProgress(os.Stderr, 1000)
	options, err := soakOptions(folder)
	if err != nil {
		return err
	}
	options.For, options.Seed = *length, *seed
	var drawing sync.Mutex
	shown := 0
	options.Step = func(done, of time.Duration, what string) {
		drawing.Lock()
		defer drawing.Unlock()
		bar.done = int(1000 * done / of)
		bar.step(what)
	}
	options.Fault = func(kind, client, detail string) { // half an hour is long to wait for it
		drawing.Lock()
		defer drawing.Unlock()
		if shown++; shown > 20 {
			return
		}
		bar.clear()
		fmt.Fprintf(os.Stderr, "%s, %s: %s\n", kind, client, detail)
	}
	report, err := soak.Run(ctx, options)
	bar.clear()
	if err != nil {
		return err
	}
	for _, one := range report.Tables {
		t := table{heading: one.Heading, columns: one.Columns, rows: one.Rows, note: one.Note}
		if err := t.write(stdout, *markdown); err != nil {
			return err
		}
	}
	if report.Faults > 0 {
		return fmt.Errorf("%d faults, with -seed %d", report.Faults, *seed)
	}
	return nil
}

// soakOptions build the program into a folder and run it there.
func soakOptions(folder string) (soak.Options, error) {
	module, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return soak.Options{}, fmt.Errorf("go env GOMOD: %w", err)
	}
	return soak.Options{
		Folder: folder,
		Corpus: filepath.Join(filepath.Dir(strings.TrimSpace(string(module))), "testdata", "corpus", "requests"),
		Start: func(environ []string) (soak.Sidecar, error) {
			path, _, err := build(folder, runtime.GOARCH)
			if err != nil {
				return nil, err
			}
			p, err := start(path, folder, append(environ, "MTLS_ADMIN_ADDR=unix://"+adminSocket(folder)))
			if err != nil {
				return nil, err
			}
			return soaked{p}, nil
		},
		Resident: func(pid int) (int64, error) {
			r, err := readResidence(pid)
			return r.resident, err
		},
	}, nil
}

// soaked is a process as the soak sees it.
type soaked struct{ *process }

func (s soaked) Get(path string) ([]byte, error) { return s.get(path) }

func (s soaked) Pid() int { return s.cmd.Process.Pid }

func (s soaked) Stop() ([]byte, error) {
	_, err := s.stop()
	<-s.ended // or it may still be writing
	return s.stderr.Bytes(), err
}
