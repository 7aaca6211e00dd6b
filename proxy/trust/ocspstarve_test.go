package trust

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// asking is a believed verdict on a new client whose certificate names the responder.
func (w *ocspWorld) asking(url string) Verdict {
	w.t.Helper()
	c := *w.leaf(w.inter, pki.Options{Key: w.inter.Key})
	c.OCSPServer = []string{url}
	return Verdict{Status: Success, Chain: []*x509.Certificate{&c, w.inter.Cert, w.root.Cert}}
}

// silent starts a responder that takes questions and never answers.
func (w *ocspWorld) silent() *ocspResponder {
	hang := make(chan struct{})
	r := startOCSPResponder(w.t, func(r *http.Request) (int, string, []byte) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
		return http.StatusServiceUnavailable, "", nil
	})
	w.t.Cleanup(func() { close(hang) }) // before the server's end, which waits for it
	return r
}

// startAnywhere is start for responders on loopback that certificates name.
func (w *ocspWorld) startAnywhere(o OCSPOptions) (*OCSP, <-chan OCSPReport) {
	ocsp, _, reports := w.start(o)
	ocsp.fetcher.dialer.ControlContext = nil
	return ocsp, reports
}

// notFound starts a responder that has nothing to say of anybody, which is an answer,
// if not one that counts.
func (w *ocspWorld) notFound() *ocspResponder {
	return startOCSPResponder(w.t, func(*http.Request) (int, string, []byte) { return http.StatusNotFound, "", nil })
}

// Five CAs with silent responders and many clients each.
func TestASilentResponderKeepsNobodyElsesClientsOut(t *testing.T) {
	const perResponder = maxOCSPPerHost + 3
	w := newOCSPWorld(t)
	live, say := w.sayer()
	say(w.saying(forgedGood, w.now))
	o, _ := w.startAnywhere(OCSPOptions{})
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(ocspCtx)
	begun := make(chan struct{}, 5*perResponder)
	for range 5 {
		dead := w.silent()
		for range perResponder {
			v := w.asking(dead.URL)
			all.Go(func() {
				_, flights := o.ask(o.links(v.Chain), w.now)
				begun <- struct{}{}
				for _, flight := range flights {
					flight.await(ctx, ctx)
				}
				o.leave(flights)
			})
		}
	}
	for range 5 * perResponder {
		await(t, begun, "a question")
	}
	client := *w.client
	client.OCSPServer = []string{live.URL}
	v := Verdict{Status: Success, Chain: []*x509.Certificate{&client, w.inter.Cert, w.root.Cert}}
	if got := o.Check(ocspCtx, v, w.now); got.Status != Success || len(live.questions()) != 1 {
		t.Errorf("the client of a responder in order is %q, and that was asked %d times", got.Text(), len(live.questions()))
	}
	cancel()
	all.Wait()
}

func TestWhoWaitsForOneResponderLeavesRoomForTheOthers(t *testing.T) {
	w := newOCSPWorld(t)
	live := w.notFound()
	for name, taken := range map[string]func(o *OCSP) *int{
		"callers":   func(o *OCSP) *int { return &o.waiting },
		"questions": func(o *OCSP) *int { return &o.flying },
	} {
		o, reports := w.startAnywhere(OCSPOptions{})
		crowded := w.asking("http://crowded.example/")
		host := o.host(ocspLink{crowded.Chain[0], w.inter.Cert})
		set := func(by int, load int) {
			o.mu.Lock()
			defer o.mu.Unlock()
			*taken(o) += by
			o.load[host] += load
		}
		const most = maxOCSPWaiting * 3 / 4
		set(most, most)
		if got := o.Check(ocspCtx, crowded, w.now); got.Reason != OCSPFailed || len(reports) > 0 {
			t.Errorf("%s: one more of the crowd is %q, with %d reports", name, got.Text(), len(reports))
		}
		o.Check(ocspCtx, w.asking(live.URL), w.now)
		if r := await(t, reports, "the report about another"); r.URL != live.URL || errors.Is(r.Err, errOCSPBusy) {
			t.Errorf("%s: another is told of as %+v", name, r)
		}
		set(-most, -most)
		o.Check(ocspCtx, w.asking(live.URL), w.now)
		await(t, reports, "a report")
		o.mu.Lock()
		delete(o.load, host)
		if o.waiting != 0 || o.flying != 0 || len(o.load) != 0 {
			t.Errorf("%s: at the end %d wait, %d fly, the load is %v", name, o.waiting, o.flying, o.load)
		}
		o.mu.Unlock()
	}
	// With one responder for all there is nobody to leave it to.
	o, _, reports := w.start(OCSPOptions{Responder: live.URL})
	o.mu.Lock()
	o.waiting, o.flying, o.load[""] = maxOCSPWaiting-1, maxOCSPWaiting-1, maxOCSPWaiting
	o.mu.Unlock()
	o.Check(ocspCtx, w.believe, w.now)
	if r := await(t, reports, "the report"); r.Err == nil || errors.Is(r.Err, errOCSPBusy) {
		t.Errorf("the last that has room gets %v", r.Err)
	}
}

// roundTrip is a transport.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTheTimeInTheQueueDoesNotCountForTheTimeout(t *testing.T) {
	w := newOCSPWorld(t)
	o, reports := w.startAnywhere(OCSPOptions{Timeout: time.Hour})
	v := w.asking("http://slow.example/")
	deadlines := make(chan time.Time, 1)
	o.fetcher.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		deadline, _ := r.Context().Deadline()
		deadlines <- deadline
		return nil, errors.New("not here")
	})
	var taken []*ocspTurn
	for range maxOCSPPerHost {
		turn, queued, err := o.queue.ask(o.host(ocspLink{v.Chain[0], w.inter.Cert}))
		if must(t, turn, err); queued {
			t.Fatalf("the queue is full too early")
		}
		taken = append(taken, turn)
	}
	_, flights := o.ask(o.links(v.Chain), w.now)
	defer o.leave(flights)
	gone, cancel := context.WithCancel(ocspCtx)
	cancel()
	for guard := time.After(ocspHang); !flights[0].queued.Load(); {
		select {
		case <-guard:
			t.Fatalf("it does not queue")
		default:
			runtime.Gosched()
		}
	}
	if got := flights[0].await(ocspCtx, gone); got.known() {
		t.Errorf("who has lost patience got %v", got)
	}
	begin := time.Now()
	o.queue.leave(taken[0], true, false)
	if deadline := await(t, deadlines, "the question"); deadline.Before(begin.Add(time.Hour)) {
		t.Errorf("it may take %v, want an hour", deadline.Sub(begin))
	}
	await(t, reports, "the report")
	if got := flights[0].await(ocspCtx, ocspCtx); !got.known() {
		t.Errorf("who waits for it got nothing")
	}
}

func TestNobodyWaitsForAResponderThatWasSilentAllTheTime(t *testing.T) {
	w := newOCSPWorld(t)
	dead := w.silent()
	o, reports := w.startAnywhere(OCSPOptions{Timeout: 50 * time.Millisecond})
	begin := time.Now()
	o.queue.now = func() time.Time { return begin }
	for i := range maxOCSPTimeouts + 2 {
		if got := o.Check(ocspCtx, w.asking(dead.URL), w.now); got.Reason != OCSPFailed {
			t.Errorf("client %d is %q", i, got.Text())
		}
		r := await(t, reports, "the report")
		if silent := errors.Is(r.Err, errOCSPSilent); r.Err == nil || silent != (i >= maxOCSPTimeouts) {
			t.Errorf("client %d: error %v", i, r.Err)
		}
	}
	if n := len(dead.questions()); n > maxOCSPTimeouts {
		t.Errorf("it was asked %d times, want %d at most", n, maxOCSPTimeouts)
	}
}

func TestARespondersFaultsOtherThanSilenceAreNoReasonToLeaveIt(t *testing.T) {
	w := newOCSPWorld(t)
	responder := w.notFound()
	o, reports := w.startAnywhere(OCSPOptions{})
	for range 2 * maxOCSPTimeouts {
		o.Check(ocspCtx, w.asking(responder.URL), w.now)
		if r := await(t, reports, "the report"); errors.Is(r.Err, errOCSPSilent) {
			t.Errorf("it answers, and is left alone: %v", r.Err)
		}
	}
}

func TestRespondersAreToldApartByHostAndPort(t *testing.T) {
	w := newOCSPWorld(t)
	for _, test := range []struct {
		urls []string
		want string
	}{
		{[]string{"http://ocsp.example"}, "ocsp.example:80"},
		{[]string{"HTTP://OCSP.Example:80/a?b"}, "ocsp.example:80"},
		{[]string{"http://ocsp.example:8080/a"}, "ocsp.example:8080"},
		{[]string{"ldap://x/", "https://y/", "http://[2001:DB8::1]/"}, "2001:db8::1:80"},
		{nil, ""},
		{[]string{"http://someone@ocsp.example/"}, ""},
	} {
		c := *w.client
		c.OCSPServer = test.urls
		link := ocspLink{&c, w.inter.Cert}
		if got := (&OCSP{}).host(link); got != test.want {
			t.Errorf("%q: %q, want %q", test.urls, got, test.want)
		}
		if got := (&OCSP{options: OCSPOptions{Responder: "http://one.example/"}}).host(link); got != "" {
			t.Errorf("%q with one for all: %q", test.urls, got)
		}
	}
}
