// Package proxy is the sidecar: it accepts TLS connections, judges the client
// certificate of each, and relays their requests to one plain-HTTP application
// together with what it found.
//
// It decides what may be set (config.go, values.go, environment.go), whether a
// verdict admits a request under the configured mode (judge.go), whether a TLS
// session may stand in for a full handshake (session.go), which bytes go on
// (request.go, answer.go) and when a connection ends, and how (conn.go).
//
// A request passes through handshake.go, conn.go, relay.go, judge.go,
// request.go, exchange.go, ahead.go, upload.go and answer.go, in that order; inflight.go has
// what it carries along. It refuses what is ambiguous instead of repairing it:
// page.go has every answer of our own.
//
// Over HTTP/2 framer.go hands the connection to net/http for its frames, wire.go
// and batch.go stand between the two and the socket, streams.go looks after the
// connection, and stream.go has each request read by the same code. h2c.go takes
// exchange.go's place before an application that speaks HTTP/2. A balancer's PROXY
// header comes before the handshake: proxyprotocol.go.
//
// What is believed is kept fresh beside that: belief.go puts in force what
// reload.go has read from the files (fileset.go) and crlurls.go from the network,
// ocsp.go has the CAs asked, and sweep.go cuts what goes on for clients that
// are no longer believed. trouble.go has what stands in the way of all that, and
// inspect.go judges files as the clients that present them would be judged.
//
// For those who look: each request ends in an account (account.go), which metrics.go
// counts and accesslog.go writes down; refusals.go has every refusal, remedies.go what to
// do about it. operations.go opens the admin port, status.go fills its page, drain.go takes
// the sidecar out of service, exposed.go finds an application that others can reach.
//
// Whether a certificate is believed is package trust's decision, what a
// well-formed message is package http1's, what the application is told and what
// a client may not tell it package headers', which connection to the
// application is used package upstream's, what operators see package admin's.
package proxy
