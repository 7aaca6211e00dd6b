package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// server is a running peer, or the application.
type server struct {
	name   string
	listen string
	cmd    *exec.Cmd
	output *bytes.Buffer
	ended  chan struct{}
	took   time.Duration // from its start until it accepted
}

// freeAddress is one that nobody listened on a moment ago.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// newPlace is where a peer of the world stands.
func (w *world) newPlace(name, upstream string) (place, error) {
	listen, err := freeAddress()
	if err != nil {
		return place{}, err
	}
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return place{}, err
	}
	folder, err := os.MkdirTemp(w.folder, name+"-")
	if err != nil {
		return place{}, err
	}
	file := func(name string) string { return filepath.Join(w.folder, name) }
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return place{}, err
	}
	files := int(min(limit.Max, manyFiles))
	return place{Folder: folder, Listen: listen, Port: port, Upstream: upstream, Cert: file("server.crt"), Key: file("server.key"),
		Pair: file("server.pem"), CA: file("ca.crt"), Root: os.Getuid() == 0, Files: files, Connections: files - 500}, nil
}

// launch starts a program on a core and waits until it accepts connections.
func launch(ctx context.Context, cmd *exec.Cmd, core int, s *server) (*server, error) {
	s.cmd, s.output, s.ended = cmd, &bytes.Buffer{}, make(chan struct{})
	cmd.Stdout, cmd.Stderr = s.output, s.output
	// A group of its own, so that its children end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	begin := time.Now()
	if err := startOn(core, cmd); err != nil {
		return nil, fmt.Errorf("starting %s: %w", s.name, err)
	}
	go func() {
		_ = cmd.Wait()
		close(s.ended)
	}()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for {
		conn, err := net.Dial("tcp", s.listen)
		if err == nil {
			s.took = time.Since(begin)
			return s, conn.Close()
		}
		select {
		case <-s.ended:
			return nil, fmt.Errorf("%s ended at once; it said:\n%s", s.name, s.output.Bytes())
		case <-ctx.Done():
			s.stop()
			return nil, ctx.Err()
		case <-again.C:
		}
		if time.Since(begin) > patience {
			s.stop()
			return nil, fmt.Errorf("%s does not accept connections after %s; it said:\n%s", s.name, patience, s.output.Bytes())
		}
	}
}

// stop ends it and all that it started.
func (s *server) stop() {
	// Not SIGTERM, upon which some let their clients finish first.
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.ended
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// startPeer starts a peer.
func (w *world) startPeer(ctx context.Context, p peer, at places) (*server, error) {
	where, err := w.newPlace(p.name, at.upstream)
	if err != nil {
		return nil, err
	}
	where.CRL = at.list
	if at.connections > 0 {
		where.Connections, where.Files = at.connections, 2*at.connections
	}
	if at.prefix != "" {
		file := func(name string) string { return filepath.Join(w.folder, at.prefix+name) }
		where.Cert, where.Key, where.Pair = file("server.crt"), file("server.key"), file("server.pem")
	}
	cmd, err := p.command(ctx, p.path, where)
	if err != nil {
		return nil, err
	}
	return launch(ctx, cmd, at.core, &server{name: p.name, listen: where.Listen})
}

// places are what differs from one kind of work to another.
type places struct {
	upstream string
	list     string // a revocation list's path, or empty
	prefix   string // of the files of the server's certificate
	core     int

	connections int // that it is set up for; 0: as many as files may be open
}
