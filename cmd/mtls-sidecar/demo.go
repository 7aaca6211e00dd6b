package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"mtls-sidecar/proxy"
)

// demo shows the main job on a machine that has nothing: it makes a CA and
// certificates, starts an application and a sidecar before it, makes the
// requests that matter, and leaves it all running for the reader's own.
func demo(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	once := flags.Bool("once", false, "exit after the table")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return usageError("demo takes no argument but -once")
	}
	stop, release := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer release()

	folder, err := os.MkdirTemp("", "mtls-sidecar-demo-")
	if err != nil {
		return fmt.Errorf("making a folder for the demo's certificates: %w", err)
	}
	defer os.RemoveAll(folder)
	ca, err := mintDemo(folder, time.Now())
	if err != nil {
		return fmt.Errorf("making the demo's certificates: %w", err)
	}
	app, err := startDemoApp()
	if err != nil {
		return fmt.Errorf("starting the demo application: %w", err)
	}
	defer app.Close()
	sidecar, err := startDemoSidecar(folder, app.Addr)
	if err != nil {
		return fmt.Errorf("starting the demo's sidecar: %w", err)
	}
	defer sidecar.stop()

	fmt.Fprintf(stdout, "application on http://%s, sidecar on https://%s, certificates in %s\n\n", app.Addr, sidecar.address, folder)
	run := &demoRun{folder: folder, address: sidecar.address, app: app, ca: ca, reload: sidecar.server.Reload}
	if err := run.showRows(stdout); err != nil {
		return err
	}
	if *once {
		return nil
	}
	fmt.Fprint(stdout, curlLines(folder, sidecar.address))
	fmt.Fprintf(stdout, "\nWhat is in force, and who was refused and why: http://%s/\n", sidecar.desk.Addr())
	fmt.Fprintln(stdout, "\nRunning until Ctrl-C.")
	<-stop.Done()
	return nil
}

type demoSidecar struct {
	server  *proxy.Server
	desk    *proxy.Admin
	address string
	served  chan error
}

// startDemoSidecar listens on 8443 and 9902, or where one is taken on any free port.
func startDemoSidecar(folder, upstream string) (*demoSidecar, error) {
	in := func(name string) string { return filepath.Join(folder, name) }
	config, err := proxy.Environment([]string{
		"MTLS_LISTEN_ADDR=127.0.0.1:8443",
		"MTLS_ADMIN_ADDR=127.0.0.1:9902",
		"MTLS_UPSTREAM_URL=http://" + upstream,
		"MTLS_CERT_FILE=" + in("server.crt"),
		"MTLS_KEY_FILE=" + in("server.key"),
		"MTLS_CLIENT_CA_FILE=" + in("ca.crt"),
		"MTLS_CRL=" + in("ca.crl"),
		"MTLS_LOG_LEVEL=error",
	})
	if err != nil {
		return nil, err
	}
	logging := proxy.NewLogger(config)
	material, err := proxy.Load(config)
	if err != nil {
		return nil, err
	}
	server, err := proxy.NewServer(config, material, logging.Logger)
	if err != nil {
		return nil, err
	}
	if err := server.Start(context.Background()); err != nil { // has no URL to wait for
		return nil, err
	}
	listener, err := server.Listen()
	if errors.Is(err, syscall.EADDRINUSE) {
		listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return nil, err
	}
	desk, err := openDemoAdmin(config, logging)
	if err != nil {
		listener.Close()
		return nil, err
	}
	desk.Attach(server)
	s := &demoSidecar{server: server, desk: desk, address: net.JoinHostPort("localhost", port), served: make(chan error, 1)}
	go func() { s.served <- server.Serve(listener) }()
	return s, nil
}

func openDemoAdmin(config *proxy.Config, logging *proxy.Logging) (*proxy.Admin, error) {
	desk, err := proxy.OpenAdmin(config, logging, proxy.NewDrain())
	if errors.Is(err, syscall.EADDRINUSE) {
		config.AdminAddr = "127.0.0.1:0"
		desk, err = proxy.OpenAdmin(config, logging, proxy.NewDrain())
	}
	return desk, err
}

func (s *demoSidecar) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s.server.Shutdown(ctx)
	<-s.served
	s.desk.Close()
}

// curlLines are for another terminal. The README shows them with their answers.
func curlLines(folder, address string) string {
	const base = "  curl --cacert ca.crt"
	with := func(name string) string {
		return fmt.Sprintf("%s --cert %s.crt --key %s.key", base, name, name)
	}
	const json = "-H 'Accept: application/json'" // the same in one line of text
	return fmt.Sprintf(`
Try it yourself, in another terminal:

  cd "%s"
%s https://%s/
%s https://%s/protected
%s https://%s/protected
%s -H 'VERIFIED: SUCCESS' -H 'DN: CN=admin' https://%s/protected
%s %s https://%s/
%s %s https://%s/
`, folder, base, address, base, address, with("client"), address, base, address,
		with("expired"), json, address, with("stranger"), json, address)
}
