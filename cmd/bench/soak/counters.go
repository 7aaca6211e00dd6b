package soak

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// comparison is a number of the sidecar's beside what it must be: at least what clients
// are sure of, and at most that and whatever may have come of requests that have no
// whole answer.
type comparison struct {
	what          string
	got           float64
	atLeast, most int
}

func (c comparison) holds() bool { return c.got >= float64(c.atLeast) && c.got <= float64(c.most) }

// compare asks the sidecar for its counters.
func (d *day) compare() {
	all, err := d.metrics()
	if err != nil {
		d.faults.add(failed, nil, "the sidecar's admin port: %v", err)
		return
	}
	d.counted = d.judge.comparisons(all)
	handshakes, aborted := int(d.full.Load()+d.resumed.Load()), d.judge.uncertain()
	d.counted = append(d.counted,
		comparison{"handshakes that succeeded", sum(all, "mtls_tls_handshakes_total", `result="ok"`), handshakes - aborted, handshakes + int(d.broken.Load())},
		comparison{"tunnels opened", all["mtls_tunnels_opened_total"], int(d.tunnels.Load()), int(d.tunnels.Load()) + aborted})
	for _, one := range d.counted {
		if !one.holds() {
			d.faults.add(miscounted, nil, "%s: the sidecar counts %.0f, want %d to %d", one.what, one.got, one.atLeast, one.most)
		}
	}
}

// covers finds the kinds of clients that did nothing: what did not run proves nothing. In
// a few seconds on a busy machine that is chance.
func (d *day) covers() {
	if d.loading < flatFor {
		return
	}
	did := map[string]int{"a resumed handshake": int(d.resumed.Load()), "a tunnel": int(d.tunnels.Load())}
	d.judge.mu.Lock()
	for _, one := range roles() {
		did[one.kind] = 0
		if t := d.judge.tallies[one.kind]; t != nil {
			did[one.kind] = t.requests
		}
	}
	d.judge.mu.Unlock()
	for what, times := range did {
		if times == 0 {
			d.faults.add(broken, nil, "not once in all the time: %s", what)
		}
	}
}

// uncertain are requests of which nobody knows what the sidecar made of them.
func (j *judge) uncertain() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, t := range j.tallies {
		n += t.uncertain
	}
	return n
}

const requestsFamily = "mtls_http_requests_total"

func (j *judge) comparisons(all map[string]float64) []comparison {
	uncertain := j.uncertain()
	j.mu.Lock()
	defer j.mu.Unlock()
	codes := map[string]int{}
	sure := 0
	for code, n := range j.codes {
		codes[strconv.Itoa(code)] = n
		sure += n
	}
	for series, value := range all {
		if strings.HasPrefix(series, requestsFamily+"{") && value > 0 {
			_, rest, _ := strings.Cut(series, `code="`)
			code, _, _ := strings.Cut(rest, `"`)
			codes[code] += 0
		}
	}
	var list []comparison
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		list = append(list, comparison{"requests with code " + code, sum(all, requestsFamily, fmt.Sprintf("code=%q", code)), codes[code], codes[code] + uncertain})
	}
	retries := int(all["mtls_upstream_retries_total"])
	told := func(which int, word string) comparison {
		arrivals := int(j.told[which].Load())
		return comparison{"requests with " + word, sum(all, requestsFamily, fmt.Sprintf("verified=%q", word)), arrivals - retries, sure + uncertain}
	}
	return append(list, comparison{"requests in all", sum(all, requestsFamily, ""), sure, sure + uncertain},
		told(toldSuccess, "SUCCESS"), told(toldNone, "NONE"))
}
