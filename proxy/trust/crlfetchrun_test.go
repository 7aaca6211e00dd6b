package trust

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// fetching is a Run under the test's control: it goes on when the test says so.
type fetching struct {
	t       *testing.T
	reports chan CRLReport
	refuse  atomic.Bool // the lists of the reports to come
	timer   chan time.Time
	cancel  func()
	ended   chan struct{}
}

// The time until the next try is sent to waits.
func runFetch(t *testing.T, f *CRLFetch, waits ...chan<- time.Duration) *fetching {
	t.Helper()
	r := &fetching{t: t, reports: make(chan CRLReport, 1), timer: make(chan time.Time), ended: make(chan struct{})}
	f.Report = func(report CRLReport) bool {
		refused := r.refuse.Load()
		r.reports <- report
		return !refused
	}
	f.after = func(d time.Duration) <-chan time.Time {
		for _, to := range waits {
			to <- d
		}
		return r.timer
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	go func() {
		defer close(r.ended)
		f.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		r.wait()
	})
	return r
}

// report is the next report.
func (r *fetching) report() CRLReport {
	r.t.Helper()
	select {
	case report := <-r.reports:
		return report
	case <-time.After(fetchHangGuard):
		r.t.Fatal("no report")
		return CRLReport{}
	}
}

// again lets the time until the next try pass.
func (r *fetching) again() CRLReport {
	r.t.Helper()
	select {
	case r.timer <- time.Time{}:
	case <-time.After(fetchHangGuard):
		r.t.Fatal("nobody waits for the next try")
	}
	return r.report()
}

// next is the report of the i-th try, from 0.
func (r *fetching) next(i int) CRLReport {
	r.t.Helper()
	if i == 0 {
		return r.report()
	}
	return r.again()
}

func (r *fetching) wait() {
	select {
	case <-r.ended:
	case <-time.After(fetchHangGuard):
		r.t.Error("Run goes on after its context has ended")
	}
}

func TestACRLThatHasNotChangedIsNotSentAgain(t *testing.T) {
	for name, validators := range map[string][2]string{
		"by tag":  {"Etag", "If-None-Match"},
		"by date": {"Last-Modified", "If-Modified-Since"},
		"by both": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			world := newWorld(t)
			versions := [][]byte{mintCRL(t, world.root, 1), mintCRL(t, world.root, 2)}
			tags := []string{`"one"`, `"two"`}
			if validators[0] == "Last-Modified" {
				tags = []string{"Tue, 01 Jan 2019 00:00:00 GMT", "Wed, 02 Jan 2019 00:00:00 GMT"}
			}
			var version, whole, unchanged atomic.Int64
			url := crlServer(t, func(w http.ResponseWriter, r *http.Request) {
				tag := tags[version.Load()]
				given, asked := validators[0], validators[1]
				if given == "" {
					given, asked = "Etag", "If-None-Match"
					w.Header().Set("Last-Modified", "Tue, 01 Jan 2019 00:00:00 GMT") // not told apart by it
					if date := r.Header.Get("If-Modified-Since"); r.Header.Get(asked) != "" && date == "" {
						t.Errorf("If-Modified-Since is missing")
					}
				}
				w.Header().Set(given, tag)
				if r.Header.Get(asked) == tag {
					unchanged.Add(1)
					w.WriteHeader(http.StatusNotModified)
					return
				}
				whole.Add(1)
				w.Write(versions[version.Load()])
			})
			r := runFetch(t, &CRLFetch{URL: url, MaxBytes: roomForCRLs, Refresh: time.Hour})
			check := func(report CRLReport, want []int64, sent, spared int64) {
				t.Helper()
				if report.Err != nil || !slices.Equal(crlNumbers(report.Lists), want) || report.URL != url || report.Retry != time.Hour {
					t.Errorf("report %+v, want lists %v", report, want)
				}
				if whole.Load() != sent || unchanged.Load() != spared {
					t.Errorf("sent %d times, spared %d times, want %d and %d", whole.Load(), unchanged.Load(), sent, spared)
				}
			}
			check(r.report(), []int64{1}, 1, 0)
			check(r.again(), nil, 1, 1)
			check(r.again(), nil, 1, 2)
			version.Store(1)
			check(r.again(), []int64{2}, 2, 2)
			check(r.again(), nil, 2, 3)
		})
	}
}

func TestTheSameCRLSentAgainIsNoNews(t *testing.T) {
	noLeaks(t)
	der := mintCRL(t, newWorld(t).root, 1)
	url := crlServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match")+r.Header.Get("If-Modified-Since") != "" {
			t.Errorf("a condition without a validator: %v", r.Header)
		}
		w.Write(der)
	})
	r := runFetch(t, &CRLFetch{URL: url, MaxBytes: roomForCRLs, Refresh: time.Hour})
	for i, want := range [][]int64{{1}, nil, nil} {
		report := r.next(i)
		if report.Err != nil || !slices.Equal(crlNumbers(report.Lists), want) {
			t.Errorf("try %d: %+v, want lists %v", i+1, report, want)
		}
	}
}

func TestANewTagForTheSameCRLIsKept(t *testing.T) {
	noLeaks(t)
	der := mintCRL(t, newWorld(t).root, 1)
	tags := make(chan string, 3)
	asked := make(chan string, 3)
	url := crlServer(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Header.Get("If-None-Match")
		w.Header().Set("Etag", <-tags)
		w.Write(der)
	})
	tags <- `"a"`
	tags <- `"b"`
	tags <- `"c"`
	r := runFetch(t, &CRLFetch{URL: url, MaxBytes: roomForCRLs, Refresh: time.Hour})
	for i, want := range []string{"", `"a"`, `"b"`} {
		if report := r.next(i); report.Err != nil || (report.Lists != nil) != (i == 0) {
			t.Errorf("try %d: %+v", i+1, report)
		}
		if got := <-asked; got != want {
			t.Errorf("try %d: condition %q, want %q", i+1, got, want)
		}
	}
}

func TestAfterFailuresTheCRLServerIsAskedMoreAndMoreSeldom(t *testing.T) {
	noLeaks(t)
	der := mintCRL(t, newWorld(t).root, 1)
	var down, damaged atomic.Bool
	url := crlServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case down.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case damaged.Load():
			w.Header().Set("Etag", `"damaged"`)
			w.Write(der[:len(der)-1])
		case r.Header.Get("If-None-Match") == `"good"`:
			w.WriteHeader(http.StatusNotModified)
		case r.Header.Get("If-None-Match") != "":
			t.Errorf("a damaged answer is remembered: %q", r.Header.Get("If-None-Match"))
		default:
			w.Header().Set("Etag", `"good"`)
			w.Write(der)
		}
	})
	down.Store(true)
	r := runFetch(t, &CRLFetch{URL: url, MaxBytes: roomForCRLs, Refresh: time.Minute})
	failed := func(report CRLReport, about time.Duration) {
		t.Helper()
		if report.Err == nil || report.Lists != nil || !about10Percent(report.Retry, about) {
			t.Errorf("report %+v, want a failure and the next try in %v", report, about)
		}
	}
	good := func(report CRLReport, want []int64) {
		t.Helper()
		if report.Err != nil || !slices.Equal(crlNumbers(report.Lists), want) || report.Retry != time.Minute {
			t.Errorf("report %+v, want lists %v and the next try in a minute", report, want)
		}
	}
	failed(r.report(), time.Second)
	failed(r.again(), 2*time.Second)
	down.Store(false)
	damaged.Store(true)
	failed(r.again(), 4*time.Second)
	damaged.Store(false)
	good(r.again(), []int64{1})
	damaged.Store(true)
	failed(r.again(), time.Second) // a success has reset it
	damaged.Store(false)
	good(r.again(), nil) // and the good one is still known
}

// closedPort is an address at which connections are refused until listen is
// called. It is taken from the beginning, so that nobody else can have it meanwhile.
func closedPort(t *testing.T) (address string, listen func() net.Listener) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	must(t, fd, err)
	socket := os.NewFile(uintptr(fd), "closed port")
	t.Cleanup(func() { socket.Close() })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	must(t, bound, err)
	address = fmt.Sprintf("127.0.0.1:%d", bound.(*syscall.SockaddrInet4).Port)
	return address, func() net.Listener {
		if err := syscall.Listen(fd, 16); err != nil {
			t.Fatal(err)
		}
		listener, err := net.FileListener(socket)
		return must(t, listener, err)
	}
}

func TestACRLServerThatIsAwayIsAskedAgainUntilItIsThere(t *testing.T) {
	noLeaks(t)
	der := mintCRL(t, newWorld(t).root, 1)
	address, listen := closedPort(t)
	r := runFetch(t, &CRLFetch{URL: "http://" + address + "/ca.crl", MaxBytes: roomForCRLs, Refresh: time.Minute})
	if report := r.report(); report.Err == nil || !strings.Contains(report.Err.Error(), "connection refused") || report.Lists != nil {
		t.Fatalf("report %+v, want a refused connection", report)
	}
	server := &httptest.Server{Listener: listen(), Config: &http.Server{Handler: http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { w.Write(der) })}}
	server.Start()
	t.Cleanup(server.Close)
	if report := r.again(); report.Err != nil || !slices.Equal(crlNumbers(report.Lists), []int64{1}) || report.Retry != time.Minute {
		t.Errorf("report %+v, want the list", report)
	}
}

func TestACRLPastItsEndIsAskedForWithoutCondition(t *testing.T) {
	noLeaks(t)
	world := newWorld(t)
	ended := func(number int64) []byte {
		return mintCRL(t, world.root, number, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
	}
	type version struct {
		tag  string
		list []byte
	}
	old, newer, renewed := version{`"a"`, ended(1)}, version{`"b"`, ended(2)}, version{`"a"`, mintCRL(t, world.root, 3)}
	type try struct {
		there     version
		condition string // of the request
		lists     []int64
		wait      time.Duration // until the next try
	}
	for name, tries := range map[string][]try{
		"the CA is late": {
			{old, "", []int64{1}, time.Second}, {old, "", nil, 2 * time.Second}, {old, "", nil, 4 * time.Second},
			{newer, "", []int64{2}, 8 * time.Second}, {newer, "", nil, 16 * time.Second}, {renewed, "", []int64{3}, time.Hour}},
		"the server's validators are wrong": {
			{old, "", []int64{1}, time.Second}, {renewed, "", []int64{3}, time.Hour}, {renewed, `"a"`, nil, time.Hour}},
		"the CA is late, and the server's validators are wrong": {
			{old, "", []int64{1}, time.Second}, {old, "", nil, 2 * time.Second}, {renewed, "", []int64{3}, time.Hour}, {renewed, `"a"`, nil, time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			var there atomic.Pointer[version]
			there.Store(&tries[0].there)
			conditions := make(chan string, len(tries))
			url := crlServer(t, func(w http.ResponseWriter, r *http.Request) {
				condition := r.Header.Get("If-None-Match")
				conditions <- condition
				w.Header().Set("Etag", there.Load().tag)
				if condition == there.Load().tag {
					w.WriteHeader(http.StatusNotModified)
					return
				}
				w.Write(there.Load().list)
			})
			r := runFetch(t, &CRLFetch{URL: url, MaxBytes: roomForCRLs, Refresh: time.Hour})
			for i, c := range tries {
				there.Store(&c.there)
				report := r.next(i)
				if report.Err != nil || !slices.Equal(crlNumbers(report.Lists), c.lists) || !about10Percent(report.Retry, c.wait) {
					t.Errorf("try %d: %+v, want lists %v and the next try in %v", i+1, report, c.lists, c.wait)
				}
				if condition := <-conditions; condition != c.condition {
					t.Errorf("try %d: condition %q, want %q", i+1, condition, c.condition)
				}
			}
		})
	}
}
