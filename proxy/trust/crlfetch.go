package trust

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"
)

// CRLFetch keeps the CRLs at one address up to date. It decides nothing about
// them: whoever gets the reports does.
type CRLFetch struct {
	// URL is http or https, the latter with the system's certificate
	// authorities. A user and password in it are sent as basic authentication
	// and told to nobody. No redirect is followed and no proxy used.
	URL string
	// Refresh is the time between two tries while all is well.
	Refresh time.Duration
	// Timeout bounds one try from the look-up of the name to the last byte of
	// the list. Zero: 30 s.
	Timeout time.Duration
	// MaxBytes is the most that an answer may have (MTLS_CRL_MAX_BYTES).
	MaxBytes int64
	// Report is called by Run after every try, never concurrently. Nil: nobody.
	// It returns false when one of the report's lists was refused: then nothing
	// of the answer is remembered, and the next try comes as after a failure.
	// Else whoever could once put a list of his making on the way would have
	// his validators keep the CA's own list away. Without lists it is of no account.
	Report func(CRLReport) bool

	roots *x509.CertPool                       // for https; nil: the system's
	after func(time.Duration) <-chan time.Time // nil: time.After
	now   func() time.Time                     // nil: time.Now
}

// CRLReport is what came of one try.
type CRLReport struct {
	URL   string        // without user and password
	Lists []*CRL        // nil: the same as told before, or Err says why not. Each version is told once, a refused one at every try.
	Err   error         // a *CRLError
	Retry time.Duration // until the next try, unless Lists are refused
}

const (
	defaultCRLTimeout = 30 * time.Second
	maxCRLHead        = 64 << 10 // bytes of an answer's header lines
	maxQuoted         = 256      // bytes of foreign text in an error

	// How long a server is believed that nothing has changed before the list is asked
	// for as a whole, however good its validators look: so many times the
	// Refresh, within these.
	wholeEvery   = 12
	leastTimeNew = time.Hour
	mostTimeNew  = 24 * time.Hour
)

// Run fetches at once and then for ever, until ctx is done, which also ends a
// fetch that is under way (without a report). The next try comes after Refresh,
// but at the latest when one of the lists reaches its nextUpdate; after a
// failure, and while a list there is past its nextUpdate, with a back-off from
// one second up to Refresh. A list that has not changed is not asked for
// again as a whole: If-None-Match and If-Modified-Since (RFC 9110 §13). It is all the
// same while a list there has ended, and when the last whole answer is twelve times
// Refresh old, but an hour at least and a day at most.
func (f *CRLFetch) Run(ctx context.Context) {
	after, report := f.after, f.Report
	if after == nil {
		after = time.After
	}
	if report == nil {
		report = func(CRLReport) bool { return true }
	}
	s := f.source()
	for {
		before := s.schedule
		lists, err := s.try(ctx)
		if ctx.Err() != nil {
			return
		}
		now := s.clock()
		if err == nil {
			s.schedule.succeeded(now)
		} else {
			s.schedule.failed()
		}
		retry := s.schedule.next(now, rand.Float64())
		if !report(CRLReport{URL: s.told, Lists: lists, Err: err, Retry: retry}) && lists != nil {
			s.known, s.schedule = crlKnown{}, before
			s.schedule.failed()
			retry = s.schedule.next(s.clock(), rand.Float64())
		}
		select {
		case <-ctx.Done():
			return
		case <-after(retry):
		}
	}
}

// Once makes one try. Its error is a *CRLError, or wraps that of a ctx which is done.
func (f *CRLFetch) Once(ctx context.Context) ([]*CRL, error) {
	return f.source().try(ctx)
}

// crlSource is what is remembered about an address from one try to the next.
type crlSource struct {
	*CRLFetch
	told     string // the URL for people
	client   *http.Client
	schedule crlSchedule
	known    crlKnown
	clock    func() time.Time
}

// crlKnown is what is remembered of the last answer that could be read and was not
// refused. The zero value is of none.
type crlKnown struct {
	etag, modified string            // to be sent back; empty: none that can be
	sum            [sha256.Size]byte // of its body
	came           time.Time         // the body
}

func (f *CRLFetch) source() *crlSource {
	transport := &http.Transport{ // no Proxy: the environment has no say in what is believed
		DisableKeepAlives:      true, // minutes lie between two tries
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxCRLHead,
		TLSClientConfig:        &tls.Config{RootCAs: f.roots, MinVersion: tls.VersionTLS12},
	}
	clock := f.now
	if clock == nil {
		clock = time.Now
	}
	return &crlSource{
		CRLFetch: f,
		clock:    clock,
		told:     withoutUser(f.URL),
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		schedule: crlSchedule{refresh: f.Refresh},
	}
}

// try asks once. No lists and no error: nothing has changed.
func (s *crlSource) try(ctx context.Context) ([]*CRL, error) {
	timeout := s.Timeout
	if timeout <= 0 {
		timeout = defaultCRLTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	defer s.client.CloseIdleConnections() // ends a dial that outlives its request
	request, err := s.request(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return nil, s.unfetched(err, timeout)
	}
	defer answer.Body.Close()
	conditional := request.Header.Get("If-None-Match") != "" || request.Header.Get("If-Modified-Since") != ""
	if answer.StatusCode == http.StatusNotModified && conditional {
		return nil, nil
	}
	if fault := refusal(answer); fault != nil {
		return nil, s.name(fault)
	}
	body, err := readBody(answer.Body, answer.ContentLength, s.MaxBytes)
	var fault *CRLError
	if errors.As(err, &fault) {
		return nil, s.name(fault)
	} else if err != nil {
		return nil, s.unfetched(err, timeout)
	}
	return s.parse(body, answer.Header)
}

// request asks for a change only, where the last answer allows that and is not too
// long ago. A list that has ended is asked for as a whole, as often as the
// back-off allows: validators that are wrong (a Last-Modified of one second's
// grain, an image in which all files are of one date) must not keep a stale list in force.
func (s *crlSource) request(ctx context.Context) (*http.Request, error) {
	address, err := url.Parse(s.URL)
	if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
		// The cause is not told: it may quote half a password.
		return nil, s.name(&CRLError{Fault: "not an http or https URL", Remedy: "write it like http://ca.example/ca.crl"})
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, http.NoBody)
	if err != nil {
		return nil, s.unfetched(err, 0)
	}
	request.Header.Set("User-Agent", "mtls-sidecar")
	request.Header.Set("Accept-Encoding", "identity") // a limit on what is sent is then one on what is stored
	if now := s.clock(); !s.schedule.ended(now) && now.Sub(s.known.came) < s.newFor() {
		for name, value := range map[string]string{"If-None-Match": s.known.etag, "If-Modified-Since": s.known.modified} {
			if value != "" {
				request.Header.Set(name, value)
			}
		}
	}
	return request, nil
}

// newFor is how long after a whole answer only changes are asked for.
func (s *crlSource) newFor() time.Duration {
	if s.Refresh >= mostTimeNew/wholeEvery {
		return mostTimeNew
	}
	return max(wholeEvery*s.Refresh, leastTimeNew)
}

// parse reads the lists in body, and remembers how to ask for the next version
// only when that went well: a damaged answer must not count as known.
func (s *crlSource) parse(body []byte, header http.Header) ([]*CRL, error) {
	now, sum := s.clock(), sha256.Sum256(body)
	var lists []*CRL
	if s.known.came.IsZero() || sum != s.known.sum {
		var err error
		if lists, err = ParseCRLs(body); err != nil {
			return nil, s.unparsed(err, header.Get("Content-Type"))
		}
		s.schedule.ends = make([]time.Time, 0, len(lists))
		for _, list := range lists {
			list.Source = s.told
			s.schedule.ends = append(s.schedule.ends, list.NextUpdate)
		}
	}
	s.known = crlKnown{etag: validator(header.Get("Etag")), modified: modified(header, now), sum: sum, came: now}
	return lists, nil
}

// modified returns the Last-Modified of an answer if it can be sent back. One in the
// future, by our clock or by the answer's own Date, would have a server that compares
// dates say for ever that nothing has changed (RFC 9110 §8.8.2.1).
func modified(header http.Header, now time.Time) string {
	value := header.Get("Last-Modified")
	at, err := http.ParseTime(value)
	if err != nil || at.After(now) {
		return ""
	}
	if date, err := http.ParseTime(header.Get("Date")); err == nil && at.After(date) {
		return ""
	}
	return validator(value)
}

// validator returns a header's value if it can be sent back.
func validator(value string) string {
	for _, c := range []byte(value) {
		if c < ' ' || c > '~' {
			return ""
		}
	}
	if len(value) > maxQuoted {
		return ""
	}
	return value
}
