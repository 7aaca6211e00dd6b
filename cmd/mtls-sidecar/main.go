// Command mtls-sidecar stands in front of one plain-HTTP application: it
// terminates TLS, checks the client's certificate, and tells the application
// what it found in the headers VERIFIED and DN.
//
// It is configured by environment variables alone; the subcommands are in files
// of their names. What it does is package proxy's business.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"mtls-sidecar/proxy"
)

func main() {
	os.Exit(exitCode(run(os.Args[1:], os.Stdout), os.Stderr))
}

// Exit codes: 1 for what went wrong while running, 2 for a configuration or
// command line that cannot be used.
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "mtls-sidecar:", err)
	var config *proxy.ConfigError
	var use usageError
	if errors.As(err, &config) || errors.As(err, &use) || errors.Is(err, errFiles) {
		return 2
	}
	return 1
}

// errFiles marks faults of the files that the configuration names.
var errFiles = errors.New("the files of the configuration cannot be used")

type usageError string

func (e usageError) Error() string { return string(e) + "\n\n" + usage }

const usage = `usage: mtls-sidecar [command]

  serve         terminate TLS in front of the application (the default)
  inspect FILE… judge client certificates as they would be here, and say why
  check         read configuration and files, say what was found, and exit
  drain         take the sidecar of this pod out of service; for preStop hooks
  ready         ask it whether requests should be sent to it; for health checks
  demo [-once]  a throwaway CA, a demo application and a sidecar before it
  version       print version and toolchain
  help          print this

The configuration is in environment variables that begin with MTLS_;
the README lists them. No variable is needed where the server's certificate is
in /etc/mtls/tls, the clients' CA in /etc/mtls/ca/ca.crt and the application on
127.0.0.1:8080.
`

func run(args []string, stdout io.Writer) error {
	command := "serve"
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	if command == "inspect" && len(args) == 1 && (args[0] == "-h" || args[0] == "--help") {
		command = "help"
	} else if len(args) > 0 && command != "demo" && command != "inspect" {
		return usageError(fmt.Sprintf("%s takes no argument, and got %q", command, args[0]))
	}
	switch command {
	case "serve":
		return serve(os.Environ())
	case "drain":
		return drain(os.Environ(), stdout)
	case "ready":
		return ready(os.Environ(), stdout)
	case "check":
		return check(os.Environ(), stdout)
	case "inspect":
		return inspect(args, os.Environ(), stdout)
	case "demo":
		return demo(args, stdout)
	case "version", "--version", "-version":
		return version(stdout)
	case "help", "--help", "-help", "-h":
		_, err := io.WriteString(stdout, usage)
		return err
	default:
		return usageError(fmt.Sprintf("there is no command %q", command))
	}
}
