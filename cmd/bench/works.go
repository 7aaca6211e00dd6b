package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// work is one kind of work that peers are compared by.
type work struct {
	name, title string
	connections int
	streams     int // HTTP/2 with so many at once on each connection; 0: HTTP/1.1
	path        string
	request     []byte // over HTTP/1.1
	answer      []byte
	fixed       bool // nginx can be the application
	chained     bool // the client has a large chain
	list        bool // a large revocation list is loaded
	resumed     bool
	rsa         bool // the certificates' keys are RSA-2048
	// open makes a session, and is nil for HTTP/2.
	open func(ctx context.Context, to target, w work) (session, error)
	// look is for what is not load, and makes the table itself.
	look func(ctx context.Context, c *comparison, w work) (*table, error)
}

// usual is how many connections are busy at once.
const usual = 64

// works are all kinds, in the order in which they are done.
func works() []work {
	small := []byte(smallAnswer)
	get := func(path string, answer []byte) work {
		return work{connections: usual, path: path, request: getRequest(path), answer: answer, fixed: true, open: newKept}
	}
	put := func(size int) work {
		return work{connections: 16, request: putRequest("/upload", pattern(size)), answer: []byte(stored(size)), open: newKept}
	}
	handshake := func() work {
		w := get("/small", small)
		w.connections, w.open = 16, newFresh
		return w
	}
	named := func(w work, name, title string) work {
		w.name, w.title = name, title
		return w
	}
	all := []work{
		named(get("/small", small), "small", "Small GET, 64 kept mTLS connections"),
		named(handshake(), "full", "Full mTLS handshake and one small GET"),
		{}, // resumed, below
		named(get("/64k", pattern(kibibytes64)), "get64k", "64 KiB answer"),
		named(get("/1m", pattern(mebibyte)), "get1m", "1 MiB answer"),
		named(put(kibibytes64), "put64k", "64 KiB upload"),
		named(put(mebibyte), "put1m", "1 MiB upload"),
		{name: "websocket", title: fmt.Sprintf("WebSocket message of %d bytes and its echo, %d connections", messageSize, usual), connections: usual, open: newTalk},
		{name: "h2", title: "Small GET over HTTP/2, 16 connections with 10 streams each", connections: 16, streams: 10, path: "/small", answer: small, fixed: true},
	}
	all[2] = named(handshake(), "resumed", "Resumed mTLS handshake and one small GET")
	all[2].resumed = true
	rsa := named(handshake(), "rsa", "Full mTLS handshake, RSA-2048 certificates, and one small GET")
	rsa.rsa = true
	chains := named(handshake(), "chains", fmt.Sprintf("Full mTLS handshake, client chain of %d intermediates, and one small GET", largeChain))
	chains.chained = true
	list := named(handshake(), "crl", "Full mTLS handshake with a revocation list of 100,000 entries, and one small GET")
	list.list = true
	all = append(all, rsa, chains, list)
	for _, open := range []int{10, 100, 1000, manyConnections} {
		w := named(get("/small", small), fmt.Sprintf("connections%d", open), fmt.Sprintf("Small GET, %s mTLS connections open, at most %d busy", count(open), usual))
		w.connections = open
		all = append(all, w)
	}
	idle := named(get("/small", small), "idle", fmt.Sprintf("Memory of %s idle mTLS connections", count(manyConnections)))
	idle.connections, idle.look = manyConnections, lookAtIdle
	return append(all, idle, work{name: "rest", title: "Start, and memory before any connection", look: lookAtRest, fixed: true})
}

// manyConnections is as many as are looked at.
const manyConnections = 10_000

// chooseWorks takes a list of names; empty means all.
func chooseWorks(list string) ([]work, error) {
	all := works()
	if list == "" {
		return all, nil
	}
	var chosen []work
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(all, func(w work) bool { return w.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no work %q; there are %s", name, workNames())
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func workNames() string {
	var all []string
	for _, w := range works() {
		all = append(all, w.name)
	}
	return strings.Join(all, ",")
}
