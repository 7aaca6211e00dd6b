//go:build !race

package trust

const manyEntries = 1_000_000
