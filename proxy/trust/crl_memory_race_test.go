//go:build race

package trust

// The race detector makes each step of sorting many times as dear.
const manyEntries = 100_000
