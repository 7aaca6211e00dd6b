//go:build !race

package proxy

// trickling is how many slow clients hold connections at once.
const trickling = 2000
