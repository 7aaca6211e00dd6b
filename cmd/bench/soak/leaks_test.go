package soak

import (
	"strings"
	"testing"
)

// held makes a watch in which memory goes from one number of MiB to another.
func held(from, to float64) *watch {
	w := &watch{before: measure{goroutines: 16, descriptors: 13}, after: measure{goroutines: 16, descriptors: 13}}
	const looks = 40
	for i := range looks {
		m := (from + (to-from)*float64(i)/looks) * mebi
		w.under = append(w.under, measure{resident: m, heap: m / 4})
	}
	return w
}

func TestWhatGrowsIsALeak(t *testing.T) {
	with := func(change func(*watch)) *watch {
		w := held(24, 24)
		change(w)
		return w
	}
	for name, c := range map[string]struct {
		w      *watch
		memory bool
		due    string // a word of the only leak
	}{
		"flat":                          {held(24, 24), true, ""},
		"a little more":                 {held(24, 28), true, ""},
		"less":                          {held(48, 24), true, ""},
		"twice as much":                 {held(24, 72), true, "resident"},
		"twice as much in a moment":     {held(24, 72), false, ""},
		"one goroutine":                 {with(func(w *watch) { w.after.goroutines++ }), true, "goroutines"},
		"one descriptor":                {with(func(w *watch) { w.after.descriptors++ }), false, "descriptors"},
		"a connection that nobody has":  {with(func(w *watch) { w.after.connections++ }), false, "connections"},
		"fewer goroutines":              {with(func(w *watch) { w.after.goroutines-- }), true, ""},
		"one look with a lot of memory": {with(func(w *watch) { w.under[35].resident *= 10 }), true, ""},
		"Go's heap alone": {with(func(w *watch) {
			for i := range w.under {
				w.under[i].heap = float64(i) * mebi
			}
		}), true, "heap"},
	} {
		got := leaks(c.w, c.memory)
		if c.due == "" && len(got) > 0 || c.due != "" && (len(got) != 1 || !strings.Contains(got[0], c.due)) {
			t.Errorf("%s: got %q, want %q", name, got, c.due)
		}
	}
}

// The format of Prometheus' exposition, with what else stands in it.
func TestCountersThatDoNotFitAreSeen(t *testing.T) {
	const exposed = `# HELP mtls_http_requests_total Requests.
# TYPE mtls_http_requests_total counter
mtls_http_requests_total{method="GET",code="200",protocol="1.1",verified="SUCCESS"} 7
mtls_http_requests_total{method="POST",code="200",protocol="2",verified="NONE"} 3
mtls_http_requests_total{method="GET",code="502",protocol="1.1",verified="NONE"} 2
mtls_http_requests_total_of_others{code="200"} 1000
mtls_upstream_retries_total 1
`
	all := parseMetrics(exposed)
	if got := sum(all, requestsFamily, `code="200"`); got != 10 {
		t.Errorf("got %.0f requests with 200, want 10", got)
	}
	for name, c := range map[string]struct {
		codes     map[int]int
		uncertain int
		success   int64
		broken    []string
	}{
		"exact":               {map[int]int{200: 10, 502: 2}, 0, 8, nil},
		"two are not certain": {map[int]int{200: 9, 502: 1}, 2, 7, nil},
		"one is lost":         {map[int]int{200: 11, 502: 2}, 0, 7, []string{"requests with code 200", "requests in all"}},
		"one is too many":     {map[int]int{200: 10, 502: 1}, 0, 7, []string{"requests with code 502", "requests in all"}},
		"another code":        {map[int]int{200: 10, 504: 2}, 0, 7, []string{"requests with code 502", "requests with code 504"}},
		"SUCCESS not counted": {map[int]int{200: 10, 502: 2}, 0, 9, []string{"requests with SUCCESS"}},
	} {
		court := newCourt(t, true)
		court.codes = c.codes
		court.tallies["test"] = &tally{uncertain: c.uncertain}
		court.told[toldSuccess].Store(c.success)
		var got []string
		for _, one := range court.comparisons(all) {
			if !one.holds() {
				got = append(got, one.what)
			}
		}
		if strings.Join(got, ", ") != strings.Join(c.broken, ", ") {
			t.Errorf("%s: got %q, want %q", name, got, c.broken)
		}
	}
}

func TestLinesOfTheLogThatNothingExplainsAreSeen(t *testing.T) {
	const reload = `{"level":"error","msg":"reload failed, what was in force stays"}`
	for name, c := range map[string]struct {
		text    string
		damaged int
		faults  int
	}{
		"usual lines":               {`{"level":"info","msg":"reloaded"}` + "\n" + `{"level":"warn","msg":"x"}` + "\n", 0, 0},
		"an error":                  {`{"level":"error","msg":"accepting a connection failed"}` + "\n", 1, 1},
		"a reload's, files damaged": {reload + "\n", 1, 0},
		"a reload's, none damaged":  {reload + "\n", 0, 1},
		"a stack":                   {`{"level":"warn","msg":"x","stack":"goroutine 1"}` + "\n", 0, 1},
		"a crash":                   {"panic: runtime error\n\ngoroutine 1 [running]:\n", 0, 3},
	} {
		d := &day{faults: newFaults(), rotator: &rotator{damaged: c.damaged}}
		if d.judgeLog([]byte(c.text)); d.faults.total() != c.faults {
			t.Errorf("%s: got %+v, want %d", name, d.faults.list(), c.faults)
		}
	}
}
