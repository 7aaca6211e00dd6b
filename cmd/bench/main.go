// Command bench measures what the sidecar costs. Its numbers are this machine's: they
// are for comparing with one another, and no test asserts them.
//
//	go run ./cmd/bench             the footprint, as text
//	go run ./cmd/bench -markdown   the same for a document
//
// It decides what is measured and how it is shown, and refuses to print what did not
// hold still. build.go compiles the program as the image does, process.go runs it,
// memory.go reads what the kernel says of it, inittrace.go what Go says of its start,
// footprint.go puts that together, and table.go writes it down.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
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
	for _, t := range tables {
		if err := t.write(stdout, *markdown); err != nil {
			return err
		}
	}
	return nil
}
