package trust

import (
	"bytes"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// A server that compares dates, as Go's own and many CAs' do, and somebody on the
// way who has put a list and a date of his making in its place for a while.
func TestADateInTheFutureDoesNotKeepACRLFromBeingFetched(t *testing.T) {
	noLeaks(t)
	w := newWorld(t)
	forged, genuine := mintCRL(t, w.root, 1, time.Now().Add(-time.Hour), time.Now().AddDate(50, 0, 0)), mintCRL(t, w.root, 2)
	for name, head := range map[string]http.Header{
		"after our clock":   {"Last-Modified": {"Fri, 31 Dec 2999 23:59:59 GMT"}},
		"and their Date":    {"Last-Modified": {"Fri, 31 Dec 2999 23:59:59 GMT"}, "Date": {"Fri, 31 Dec 2999 23:59:59 GMT"}},
		"after the Date":    {"Last-Modified": {"Wed, 02 Jan 2019 00:00:01 GMT"}, "Date": {"Wed, 02 Jan 2019 00:00:00 GMT"}},
		"no date":           {"Last-Modified": {"2019-01-02"}},
		"with other tokens": {"Last-Modified": {"Fri, 31 Dec 2999 23:59:59 GMT", "Wed, 02 Jan 2019 00:00:00 GMT"}},
	} {
		t.Run(name, func(t *testing.T) {
			var attacked atomic.Bool
			attacked.Store(true)
			url := crlServer(t, func(w http.ResponseWriter, r *http.Request) {
				if attacked.Load() {
					for name, values := range head {
						w.Header()[name] = values
					}
					w.Write(forged)
					return
				}
				if since := r.Header.Get("If-Modified-Since"); since != "" {
					t.Errorf("it asks for a change since %q", since)
				}
				http.ServeContent(w, r, "ca.crl", time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC), bytes.NewReader(genuine))
			})
			r := runFetch(t, &CRLFetch{URL: url, MaxBytes: roomForCRLs, Refresh: time.Hour})
			r.report()
			attacked.Store(false)
			if report := r.again(); report.Err != nil || !slices.Equal(crlNumbers(report.Lists), []int64{2}) {
				t.Errorf("%+v, want the genuine list", report)
			}
		})
	}
}

func TestACRLIsAskedForAsAWholeNowAndThen(t *testing.T) {
	noLeaks(t)
	w := newWorld(t)
	for _, c := range []struct{ refresh, whole time.Duration }{
		{time.Second, time.Hour},
		{5 * time.Minute, time.Hour},
		{time.Hour, 12 * time.Hour},
		{24 * time.Hour, 24 * time.Hour},
		{1 << 62, 24 * time.Hour}, // and no overflow
	} {
		var clock atomic.Int64 // since the first try
		begin := time.Now()
		der := mintCRL(t, w.root, 1, begin.Add(-time.Hour), begin.AddDate(1, 0, 0))
		conditions := make(chan string, 1)
		url := crlServer(t, func(w http.ResponseWriter, r *http.Request) {
			conditions <- r.Header.Get("If-None-Match")
			w.Header().Set("Etag", `"constant"`)
			if r.Header.Get("If-None-Match") != "" {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			w.Write(der)
		})
		r := runFetch(t, &CRLFetch{URL: url, MaxBytes: roomForCRLs, Refresh: c.refresh,
			now: func() time.Time { return begin.Add(time.Duration(clock.Load())) }})
		for i, try := range []struct {
			at   time.Duration
			want string
		}{{0, ""}, {c.whole - 1, `"constant"`}, {c.whole, ""}, {2*c.whole - 1, `"constant"`}, {2 * c.whole, ""}} {
			clock.Store(int64(try.at))
			report := r.next(i)
			if got := <-conditions; report.Err != nil || got != try.want || (report.Lists != nil) != (i == 0) {
				t.Errorf("every %v, after %v: condition %q and %+v, want %q", c.refresh, try.at, got, report, try.want)
			}
		}
	}
}

func TestNothingIsRememberedOfACRLThatWasRefused(t *testing.T) {
	noLeaks(t)
	w := newWorld(t)
	forged, genuine := mintCRL(t, w.root, 1), mintCRL(t, w.root, 2)
	var attacked atomic.Bool
	begin, conditions := make(chan struct{}), make(chan string, 1)
	url := crlServer(t, func(w http.ResponseWriter, r *http.Request) {
		<-begin // the first try comes as soon as the fetcher runs
		conditions <- r.Header.Get("If-None-Match")
		w.Header().Set("Etag", `"the same"`)
		switch {
		case r.Header.Get("If-None-Match") != "":
			w.WriteHeader(http.StatusNotModified)
		case attacked.Load():
			w.Write(forged)
		default:
			w.Write(genuine)
		}
	})
	waits := make(chan time.Duration, 1)
	f := &CRLFetch{URL: url, MaxBytes: roomForCRLs, Refresh: time.Minute}
	r := runFetch(t, f, waits)
	for i, try := range []struct {
		attacked  bool
		condition string
		lists     []int64
		wait      time.Duration
	}{
		{true, "", []int64{1}, time.Second}, // refused, and so told again
		{true, "", []int64{1}, 2 * time.Second},
		{true, "", []int64{1}, 4 * time.Second},
		{false, "", []int64{2}, time.Minute},
		{false, `"the same"`, nil, time.Minute},
	} {
		attacked.Store(try.attacked)
		r.refuse.Store(try.attacked)
		if i == 0 {
			close(begin)
		}
		report := r.next(i)
		if report.Err != nil || !slices.Equal(crlNumbers(report.Lists), try.lists) {
			t.Errorf("try %d: %+v, want lists %v", i+1, report, try.lists)
		}
		if got := <-conditions; got != try.condition {
			t.Errorf("try %d: condition %q, want %q", i+1, got, try.condition)
		}
		if got := await(t, waits, "the wait"); !about10Percent(got, try.wait) {
			t.Errorf("try %d: the next after %v, want %v", i+1, got, try.wait)
		}
	}
}

func TestTheEndOfTheCRLInForceIsNotForgottenForARefusedOne(t *testing.T) {
	noLeaks(t)
	w := newWorld(t)
	begin := time.Now()
	var there atomic.Pointer[[]byte]
	genuine := mintCRL(t, w.root, 2, begin.Add(-time.Hour), begin.Add(2*time.Second))
	there.Store(&genuine)
	url := crlServer(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(*there.Load()) })
	waits := make(chan time.Duration, 1)
	r := runFetch(t, &CRLFetch{URL: url, MaxBytes: roomForCRLs, Refresh: 24 * time.Hour,
		now: func() time.Time { return begin }}, waits)
	r.report()
	await(t, waits, "the wait for the end of the list")
	forged := mintCRL(t, w.root, 1, begin.Add(-time.Hour), begin.AddDate(50, 0, 0))
	there.Store(&forged)
	r.refuse.Store(true)
	for range 5 {
		r.again()
		if got := await(t, waits, "the wait"); got > 2*time.Second {
			t.Errorf("the next try is after %v, and the list in force ends in 2s", got)
		}
	}
}
