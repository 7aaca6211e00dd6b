package trust

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
)

// maxOCSPBody is far above any answer: those with a certificate have 2 KiB.
const maxOCSPBody = 64 << 10

// ocspFetcher speaks HTTP with responders.
type ocspFetcher struct {
	client *http.Client
	dialer *net.Dialer
	// refused tells further addresses; nil: none.
	refused func(netip.Addr) bool
	// own lists the machine's addresses: net.InterfaceAddrs, or a test's.
	own func() ([]net.Addr, error)
}

// newOCSPFetcher makes what asks responders. There is no proxy from the
// environment, no redirect, no compression and no connection that is kept: nothing
// but the certificate or the operator says where a question goes.
func newOCSPFetcher(o OCSPOptions) *ocspFetcher {
	f := &ocspFetcher{dialer: &net.Dialer{}, refused: o.Refused, own: net.InterfaceAddrs}
	if o.Responder == "" {
		f.dialer.ControlContext = f.control
	}
	f.client = &http.Client{
		Transport: &http.Transport{
			DialContext:            f.dialer.DialContext,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return f
}

// fetch asks about one certificate. Exactly one of answer and report.Err is nil.
// The time in the queue does not count for the Timeout: a question that is asked is
// asked for as long as any other.
func (o *OCSP) fetch(l ocspLink, flight *ocspFlight) (answer *ocspAnswer, report OCSPReport) {
	report.Certificate = l.cert
	responder, err := responderURL(o.options.Responder, l.cert)
	if err != nil {
		report.Err = err
		return nil, report
	}
	report.URL = responder.String()
	question, err := newOCSPQuestion(l)
	if err != nil {
		report.Err = err
		return nil, report
	}
	turn, err := o.turn(flight)
	if err != nil {
		report.Err = err
		return nil, report
	}
	ctx, cancel := context.WithTimeout(o.life, o.options.Timeout)
	defer cancel()
	answer, report.Err = o.exchange(ctx, question, responder)
	silent := report.Err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded)
	o.queue.leave(turn, report.Err == nil || ctx.Err() == nil, silent)
	if report.Err != nil {
		return nil, report
	}
	report.Status = answer.status()
	report.ThisUpdate, report.NextUpdate = answer.thisUpdate, answer.nextUpdate
	return answer, report
}

// turn waits for a turn to use the network, but no longer than the Timeout.
func (o *OCSP) turn(flight *ocspFlight) (*ocspTurn, error) {
	turn, queued, err := o.queue.ask(flight.host)
	if err != nil || !queued {
		return turn, err
	}
	flight.queued.Store(true)
	ctx, cancel := context.WithTimeout(o.life, o.options.Timeout)
	defer cancel()
	return turn, o.queue.wait(ctx, turn)
}

// exchange asks by GET, which caches on the way understand, and where nothing
// comes of that by POST (RFC 6960 §A.1, RFC 5019 §5).
func (o *OCSP) exchange(ctx context.Context, q *ocspQuestion, responder *url.URL) (*ocspAnswer, error) {
	if get, ok := q.getURL(responder); ok {
		der, reached, err := o.fetcher.send(ctx, get, nil)
		if err == nil {
			var answer *ocspAnswer
			if answer, err = q.judge(der, o.options, o.now()); err == nil {
				return answer, nil
			}
		}
		if !reached || ctx.Err() != nil {
			return nil, err
		}
	}
	der, _, err := o.fetcher.send(ctx, responder, q.request)
	if err != nil {
		return nil, err
	}
	return q.judge(der, o.options, o.now())
}

// send makes one HTTP request, a POST when there is a body, and returns what is said to be
// an OCSPResponse. reached tells that the responder has answered at all.
func (f *ocspFetcher) send(ctx context.Context, to *url.URL, body []byte) (der []byte, reached bool, err error) {
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(ctx, method, to.String(), bytes.NewReader(body))
	if err != nil {
		return nil, false, fmt.Errorf("the OCSP responder's URL cannot be used; name another in MTLS_OCSP_RESPONDER: %w", err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/ocsp-request")
	}
	request.Header.Set("Accept", "application/ocsp-response")
	request.Header.Set("User-Agent", "mtls-sidecar")
	response, err := f.client.Do(request)
	if err != nil {
		var around *url.Error
		if errors.As(err, &around) {
			err = around.Err // without the URL, which is long and told elsewhere
		}
		var refused *refusedAddressError
		if errors.As(err, &refused) {
			return nil, false, refused
		}
		return nil, false, fmt.Errorf("the OCSP responder cannot be reached; see that it runs and that the network lets us to it: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, true, fmt.Errorf("the OCSP responder answered with status %d instead of 200; check its URL", response.StatusCode)
	}
	if kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type")); err != nil || kind != "application/ocsp-response" {
		return nil, true, fmt.Errorf("the OCSP responder answered with content type %.64q; check its URL", response.Header.Get("Content-Type"))
	}
	der, err = io.ReadAll(io.LimitReader(response.Body, maxOCSPBody+1))
	if err != nil {
		return nil, true, fmt.Errorf("the OCSP responder broke off its answer; see why it does: %w", err)
	}
	if len(der) > maxOCSPBody {
		return nil, true, fmt.Errorf("the OCSP responder's answer has more than %d bytes; check its URL", maxOCSPBody)
	}
	return der, true, nil
}

// control is asked about each address just before it is dialled, so that no
// name, redirect or change of DNS leads anywhere else.
func (f *ocspFetcher) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("the address to dial cannot be read; name a responder in MTLS_OCSP_RESPONDER: %w", err)
	}
	return f.allow(target.Addr())
}

// allow refuses the addresses to which the word of a certificate may not lead us:
// what listens there may trust whoever can reach it.
func (f *ocspFetcher) allow(addr netip.Addr) error {
	addr = addr.WithZone("").Unmap()
	what := f.classify(addr)
	if inner, ok := embedded(addr); ok && what == "" {
		what = f.classify(inner)
	}
	if what == "" {
		return nil
	}
	return &refusedAddressError{addr, what}
}

// refusedAddressError is an address to which a certificate leads and we do not go.
type refusedAddressError struct {
	addr netip.Addr
	what string
}

func (e *refusedAddressError) Error() string {
	return fmt.Sprintf("the certificate names a responder at %s, %s, and it is not asked; if that is meant, name it in MTLS_OCSP_RESPONDER", e.addr, e.what)
}

// classify tells why an address is refused; empty: it is not.
func (f *ocspFetcher) classify(addr netip.Addr) string {
	switch {
	case addr.IsUnspecified(), thisNetwork.Contains(addr):
		return "which is unspecified"
	case addr.IsLoopback():
		return "which is loopback"
	case addr.IsLinkLocalUnicast():
		return "which is link-local"
	case addr.IsMulticast(), addr == broadcast:
		return "which is multicast or broadcast"
	case reserved.Contains(addr), siteLocal.Contains(addr):
		return "which is reserved"
	case localNAT64.Contains(addr):
		return "which stands for an IPv4 address that cannot be told"
	}
	own, err := f.own()
	if err != nil {
		return "and this machine's own addresses cannot be told"
	}
	for _, a := range own {
		if ip, ok := a.(*net.IPNet); ok {
			if mine, ok := netip.AddrFromSlice(ip.IP); ok && mine.Unmap() == addr {
				return "which is this machine's own"
			}
		}
	}
	if f.refused != nil && f.refused(addr) {
		return "which is kept from certificates"
	}
	return ""
}

var (
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")
	broadcast   = netip.AddrFrom4([4]byte{255, 255, 255, 255})
	compatible  = netip.MustParsePrefix("::/96")           // RFC 4291 §2.5.5.1
	nat64       = netip.MustParsePrefix("64:ff9b::/96")    // RFC 6052 §2.1
	localNAT64  = netip.MustParsePrefix("64:ff9b:1::/48")  // RFC 8215
	translated  = netip.MustParsePrefix("::ffff:0:0:0/96") // RFC 2765 §2.1
	sixToFour   = netip.MustParsePrefix("2002::/16")       // RFC 3056 §2
	reserved    = netip.MustParsePrefix("240.0.0.0/4")     // RFC 1112 §4
	siteLocal   = netip.MustParsePrefix("fec0::/10")       // RFC 3879
)

// embedded returns the IPv4 address that an IPv6 one stands for on its way.
func embedded(addr netip.Addr) (netip.Addr, bool) {
	b := addr.As16()
	switch {
	case sixToFour.Contains(addr):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case compatible.Contains(addr), nat64.Contains(addr), translated.Contains(addr):
		return netip.AddrFrom4([4]byte(b[12:])), true
	}
	return netip.Addr{}, false
}
