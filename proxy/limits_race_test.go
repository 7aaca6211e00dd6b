//go:build race

package proxy

// trickling is how many slow clients hold connections at once: the race
// detector makes a handshake some ten times as dear.
const trickling = 200
