// Package soak lives through a day with a sidecar, in minutes: every kind of client at
// once, while certificates, CAs and revocation lists change every few seconds and the
// application is restarted again and again.
//
// It decides whether that day went well: no wrong verdict, no lost or changed byte, no
// request that failed without the application's doing, and memory, goroutines and
// descriptors where they were. It never calls a failure tolerable because it is rare:
// what is excused has a reason that was true at that very moment, and is counted apart.
//
// run.go is the order of the day. truth.go knows who was to be believed when, people.go
// who the clients are, rotate.go what changes and how it is known to be in force. ledger.go
// and judge.go compare what the application was told, and what clients got, with that.
// application.go is the application; the files named by kinds of clients are those.
// leaks.go, counters.go and log.go look at the sidecar itself, report.go writes it down.
package soak
