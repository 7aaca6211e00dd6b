package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// summary is what several rounds come to.
type summary struct{ median, low, high float64 }

// summarize is the zero summary where there is nothing.
func summarize(all []float64) summary {
	if len(all) == 0 {
		return summary{}
	}
	sorted := slices.Sorted(slices.Values(all))
	middle := sorted[len(sorted)/2]
	if len(sorted)%2 == 0 {
		middle = (sorted[len(sorted)/2-1] + middle) / 2
	}
	return summary{middle, sorted[0], sorted[len(sorted)-1]}
}

// ratios compares round by round: what the machine did otherwise in a round, it did to
// both.
func ratios(one, other []float64) summary {
	var all []float64
	for i := range min(len(one), len(other)) {
		if other[i] > 0 {
			all = append(all, one[i]/other[i])
		}
	}
	return summarize(all)
}

// percentile is by nearest rank: the least value that a share of all does not exceed.
func percentile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	// A hair less, since 0.999 of 1,000 is 999.0000000000001 in binary.
	rank := int(math.Ceil(share*float64(len(sorted)) - 1e-9))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// quantiles are p50, p99 and p99.9.
type quantiles [3]time.Duration

func quantilesOf(all []time.Duration) quantiles {
	slices.Sort(all)
	return quantiles{percentile(all, 0.5), percentile(all, 0.99), percentile(all, 0.999)}
}

// count writes a whole number.
func count(n int) string {
	if n >= 1000 {
		return count(n/1000) + fmt.Sprintf(",%03d", n%1000)
	}
	return strconv.Itoa(n)
}

// number writes three digits that count, and all before the point.
func number(n float64) string {
	switch {
	case n >= 100:
		return count(int(math.Round(n)))
	case n >= 10:
		return fmt.Sprintf("%.1f", n)
	default:
		return fmt.Sprintf("%.2f", n)
	}
}
