// Package admin is the port that operators and the kubelet look at: plain HTTP,
// MTLS_ADMIN_ADDR.
//
// It decides who may see what. Everybody: whether the process lives, has started
// and is ready (health.go), when a drain is over (drained.go), the metrics
// (metrics*.go), and those paths of the application that probes need (probe.go).
// Only who sits on the same machine, as kubectl port-forward does: the status page
// and its JSON, the log level, the beginning of a drain (loopback.go has the rule).
//
// It refuses whatever is not in its table of paths, byte for byte (endpoints.go),
// bodies where none belong, and other websites that would use an operator's
// browser to reach it. Nobody can hold all of its connections (crowd.go).
//
// What the page shows is in status.go, which the rest of the program fills in;
// legible.go takes the sting out of it, headline.go sums it up in one line and
// says what needs doing, page*.go lay it out, and markup.go sees to it that
// nothing foreign becomes HTML.
package admin
