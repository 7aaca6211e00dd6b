package trust

import (
	"context"
	"crypto/x509"
	"net/netip"
	"sync"
	"time"
)

// OCSPOptions says whom to ask about clients' certificates, and what to make of
// it when there is no answer.
type OCSPOptions struct {
	// WholeChain asks about every certificate but the root (nginx's `ssl_ocsp
	// on`), otherwise about the leaf alone (`ssl_ocsp leaf`).
	WholeChain bool
	// Responder is the http URL to ask. It is the operator's word: no address is
	// refused. Empty: the first http URL of each certificate's authority
	// information access.
	Responder string
	// Timeout bounds one question from the first look-up to the last byte, and
	// so the time for which a client waits. Zero: 3 s.
	Timeout time.Duration
	// MaxAge is how long an answer counts that says itself to be good for longer. Zero: 10 min.
	MaxAge time.Duration
	// AllowFailure lets clients in about whom no answer is to be had. An answer
	// that the CA does not know the certificate is an answer, and refuses it; and
	// who was revoked or unknown stays so until an answer says otherwise.
	AllowFailure bool
	// MinRSABits is the smallest RSA key with which a delegated responder may
	// sign, as Policy's. Zero: 2048.
	MinRSABits int
	// Revoked reports whether a responder's certificate, issued and signed by
	// issuer, is revoked as of now; its answers then do not count, even if it
	// bears id-pkix-ocsp-nocheck, as with OpenSSL and revocation lists. Nil: none is.
	// See Snapshot.RevokesResponder.
	Revoked func(responder, issuer *x509.Certificate, now time.Time) bool
	// Refused tells further addresses to which a certificate's URL may not lead;
	// nil: none. Loopback, link-local, multicast, unspecified addresses and the
	// machine's own are refused in any case.
	Refused func(netip.Addr) bool
	// Changed is called after a certificate was found in another state than
	// before, when the new one can be seen by Check and Peek; nil: nobody. It
	// must not call Close.
	Changed func()
	// Report is called after each question, possibly from several goroutines at
	// once, and before anybody who waits for the answer goes on; nil: nobody. It
	// must not call Close.
	Report func(OCSPReport)
}

// OCSPReport is what came of one question.
type OCSPReport struct {
	Certificate *x509.Certificate // the one asked about
	URL         string            // of the responder; empty: there was none to ask
	Status      string            // good, revoked or unknown; empty with an error
	// ThisUpdate and NextUpdate are the answer's own dates; no NextUpdate is the zero time.
	ThisUpdate, NextUpdate time.Time
	Err                    error // why there is no answer that counts
}

const (
	defaultOCSPTimeout = 3 * time.Second
	defaultOCSPMaxAge  = 10 * time.Minute
)

// OCSP asks the CAs of believed certificates whether they were revoked since
// (RFC 6960), and remembers the answers. All methods may be called from any
// goroutine.
type OCSP struct {
	options OCSPOptions
	fetcher *ocspFetcher
	after   func(time.Duration, func()) (stop func() bool) // time.AfterFunc, or a test's

	life    context.Context // until Close
	end     context.CancelFunc
	running sync.WaitGroup // of questions on their way
	queue   *ocspQueue     // for the network

	mu      sync.Mutex
	cache   ocspCache
	told    time.Time      // the judging time of the last Check
	seen    time.Time      // when that was by the machine's clock
	waiting int            // callers of Check
	flying  int            // questions not yet answered
	load    map[string]int // both, by the responder's host
	closed  bool
}

// NewOCSP returns an OCSP that knows nothing yet. Close it when it is no longer needed.
func NewOCSP(o OCSPOptions) *OCSP {
	if o.Timeout <= 0 {
		o.Timeout = defaultOCSPTimeout
	}
	if o.MaxAge <= 0 {
		o.MaxAge = defaultOCSPMaxAge
	}
	if o.MinRSABits <= 0 {
		o.MinRSABits = 2048
	}
	perHost := maxOCSPPerHost
	if o.Responder != "" {
		perHost = maxOCSPFetches // there are no others
	}
	life, end := context.WithCancel(context.Background())
	return &OCSP{
		options: o,
		fetcher: newOCSPFetcher(o),
		after: func(d time.Duration, f func()) func() bool {
			return time.AfterFunc(d, f).Stop
		},
		life:  life,
		end:   end,
		queue: newOCSPQueue(perHost),
		load:  make(map[string]int),
		cache: newOCSPCache(maxOCSPEntries),
	}
}

// Check adds what the CAs say to a verdict of Success as of now; any other is
// returned as it is. The verdict's chain must end in its root, as Verify leaves
// it. Call it only after the client has proved that it holds the key: it asks
// the network where the answer is not known, for all certificates at once, and
// waits for at most the Timeout, or until ctx is done. That keeps the answers
// fresh: they are renewed in the background while Check is called for them.
//
// The verdict becomes Failed when a certificate is revoked (OCSPRevoked), its CA
// does not know it (OCSPUnknown) or no answer is to be had (OCSPFailed, unless
// AllowFailure). Of several the worst counts, in this order; of equal ones the
// nearest to the leaf, since nginx asks from the leaf up and stops at the first.
// A root is never asked about, so that a client whose certificate is a trusted
// root itself stays believed (nginx: ngx_ssl_ocsp_validate_next).
//
// Until is at most the end of the answers, or of the back-off after a failure.
func (o *OCSP) Check(ctx context.Context, v Verdict, now time.Time) Verdict {
	if v.Status != Success {
		return v
	}
	outcomes, flights := o.ask(o.links(v.Chain), now)
	if flights == nil {
		return o.settle(v, outcomes)
	}
	defer o.leave(flights)
	patience, cancel := context.WithTimeout(ctx, o.options.Timeout)
	defer cancel()
	for i, flight := range flights {
		if flight == nil {
			continue
		}
		outcomes[i] = flight.await(ctx, patience)
		if !now.Before(outcomes[i].until) { // nothing came of it, or nothing that lasts
			outcomes[i] = noOutcome(flight.without, now)
		}
	}
	return o.settle(v, outcomes)
}

// Peek is Check from memory alone. It never asks, waits or keeps an answer fresh,
// and may be called before the client has proved its key. False: about one of
// the certificates nothing is known that still counts; a revoked one is told all the same.
func (o *OCSP) Peek(v Verdict, now time.Time) (Verdict, bool) {
	if v.Status != Success {
		return v, true
	}
	ids := idsOf(o.links(v.Chain))
	outcomes, complete := make([]ocspOutcome, len(ids)), true
	o.mu.Lock()
	for i, id := range ids {
		outcomes[i] = o.cache.known(id, now)
		complete = complete && outcomes[i].known()
	}
	o.mu.Unlock()
	if !complete && !anyRevoked(outcomes) {
		return v, false
	}
	return o.settle(v, outcomes), true
}

// Close ends all questions and renewals, and waits for them. What is known stays
// known; what is not is a failure from then on.
func (o *OCSP) Close() {
	o.mu.Lock()
	o.closed = true
	o.cache.stopTimers()
	o.mu.Unlock()
	o.end()
	o.running.Wait()
}

// links are the certificates to be asked about, each with its issuer.
func (o *OCSP) links(chain []*x509.Certificate) []ocspLink {
	var links []ocspLink
	for i := 0; i+1 < len(chain) && (i == 0 || o.options.WholeChain); i++ {
		links = append(links, ocspLink{chain[i], chain[i+1]})
	}
	return links
}

// ocspOutcome is what is known of one certificate, and until when.
type ocspOutcome struct {
	reason Reason    // zero: good
	until  time.Time // zero: nothing is known
}

func (a ocspOutcome) known() bool { return !a.until.IsZero() }

// noOutcome is a failure that nobody remembers.
func noOutcome(lastWord Reason, now time.Time) ocspOutcome {
	return ocspOutcome{lastWord, now.Add(minOCSPBackOff)}
}

func anyRevoked(outcomes []ocspOutcome) bool {
	for _, outcome := range outcomes {
		if outcome.known() && outcome.reason == OCSPRevoked {
			return true
		}
	}
	return false
}

// settle adds the outcomes, leaf first, to a verdict of Success.
func (o *OCSP) settle(v Verdict, outcomes []ocspOutcome) Verdict {
	worst := 0
	for i, outcome := range outcomes {
		if !outcome.known() {
			continue
		}
		if v.Until.IsZero() || outcome.until.Before(v.Until) {
			v.Until = outcome.until
		}
		if s := o.severity(outcome.reason); s > worst {
			worst = s
			v.Status, v.Reason, v.Culprit = Failed, outcome.reason, v.Chain[i]
		}
	}
	return v
}

// severity is zero for what lets a client in.
func (o *OCSP) severity(r Reason) int {
	switch {
	case r == OCSPRevoked:
		return 3
	case r == OCSPUnknown:
		return 2
	case r == OCSPFailed && !o.options.AllowFailure:
		return 1
	}
	return 0
}
